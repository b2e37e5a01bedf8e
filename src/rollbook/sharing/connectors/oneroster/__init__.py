"""OneRoster 1.2 rostering: its operations, parameters, shapes, errors and service description.

What is sent where the source or the rule leaves a gap, so that every object keeps the standard's shape:
- a required text that is not shared is "", a required word `ext:withheld`, and one the source lacks `ext:unknown`;
  what is not required is left out;
- a reference to what the app does not reach is left out; where the shape requires one, it names the void, an id of
  the right form that answers 404;
- a class with no term is said to run in the app's newest school year (else its newest session, else the void);
- a session with no dates begins 1970-01-01 and ends 9999-12-31;
- a word that the standard does not list is sent as `ext:` and the word;
- a row that left is sent with its id, `tobedeleted` and when, and no value about anybody, for as long as the tenant
  keeps tombstones.
"""

"""Clever's API, versions 2.0, 3.0 and 3.1: its operations, parameters, words and shapes.

It reads what the OneRoster door reads, under the same grant; so the two never differ in whom or what an app gets.

What Clever has and Rollbook does not, or an app does not get, is left out of the object; a list is then empty:
- a pupil's number is what the school's rule calls `users.identifier`, and stands as `sis_id` too; the state's is
  `users.userMasterIdentifier`; a section, a term or a course has no `sis_id`, because an id that is the same for every
  app would let two of them join what they hold;
- grades, subjects, sex, race, roles and relationships become Clever's words (`words.py`), down to those of version 2.0;
  `race` needs all six details shared, because some of them would make another answer of it;
- needs and entitlements (`ell_status`, `iep_status`, `frl_status`, disability, 504) are never shared with an app;
- there are no resources and no attendance: those lists are empty, and `last_attendance_sync` is absent;
- there are no assignments: reading one answers 404, making one 501;
- rows that left are not shown; `/events` says that they left.
"""

"""The collections that an app reads: what each object is made of, which rows stand in a list, and the rows themselves.

A list is worked out once as ids (`listing`), cut by the app's audience, and kept for as long as the roster's version
and the app's rule stand; a page is a slice of it, so a deep page costs what the first does. Rows are then read by id
through the gate (`page`). A column that the rule does not share is never selected, filtered or sorted by.
"""

from rollbook.sharing.queries.collections.grammar import Filter as Filter
from rollbook.sharing.queries.collections.grammar import read_filter as read_filter
from rollbook.sharing.queries.collections.links import LINKS as LINKS
from rollbook.sharing.queries.collections.links import links_of as links_of
from rollbook.sharing.queries.collections.listing import DISTRICT_ADMINS as DISTRICT_ADMINS
from rollbook.sharing.queries.collections.listing import GROWN_UPS as GROWN_UPS
from rollbook.sharing.queries.collections.listing import RELATIONS as RELATIONS
from rollbook.sharing.queries.collections.listing import STAFF as STAFF
from rollbook.sharing.queries.collections.listing import SUBSETS as SUBSETS
from rollbook.sharing.queries.collections.listing import Ask as Ask
from rollbook.sharing.queries.collections.listing import Listing as Listing
from rollbook.sharing.queries.collections.listing import find as find
from rollbook.sharing.queries.collections.listing import find_short as find_short
from rollbook.sharing.queries.collections.listing import listing as listing
from rollbook.sharing.queries.collections.listing import within as within
from rollbook.sharing.queries.collections.moments import stamp as stamp
from rollbook.sharing.queries.collections.objects import OBJECTS as OBJECTS
from rollbook.sharing.queries.collections.objects import PARTS as PARTS
from rollbook.sharing.queries.collections.objects import Column as Column
from rollbook.sharing.queries.collections.objects import model_of as model_of
from rollbook.sharing.queries.collections.objects import part_shared as part_shared
from rollbook.sharing.queries.collections.objects import shared as shared
from rollbook.sharing.queries.collections.rows import ROLE_COLUMNS as ROLE_COLUMNS
from rollbook.sharing.queries.collections.rows import Page as Page
from rollbook.sharing.queries.collections.rows import Plan as Plan
from rollbook.sharing.queries.collections.rows import page as page
from rollbook.sharing.queries.collections.rows import plan as plan
from rollbook.sharing.queries.collections.rows import stand_in_session as stand_in_session
from rollbook.sharing.queries.collections.terms import code_pairs as code_pairs

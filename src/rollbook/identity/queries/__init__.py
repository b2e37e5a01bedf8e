"""Who is signed in, and what accounts there are."""

from rollbook.identity.queries.breached import breached as breached
from rollbook.identity.queries.people import badges_of as badges_of
from rollbook.identity.queries.people import checks as checks
from rollbook.identity.queries.people import person_is as person_is
from rollbook.identity.queries.people import sign_in_rules as sign_in_rules
from rollbook.identity.queries.people import traces as traces
from rollbook.identity.queries.staff import SignIn as SignIn
from rollbook.identity.queries.staff import account_by_email as account_by_email
from rollbook.identity.queries.staff import codes_left as codes_left
from rollbook.identity.queries.staff import devices_of as devices_of
from rollbook.identity.queries.staff import find_account as find_account
from rollbook.identity.queries.staff import handle_of as handle_of
from rollbook.identity.queries.staff import passkeys_of as passkeys_of
from rollbook.identity.queries.staff import places_of as places_of
from rollbook.identity.queries.staff import sessions_of as sessions_of
from rollbook.identity.queries.staff import staff_of as staff_of
from rollbook.identity.queries.staff import who_is as who_is
from rollbook.identity.queries.who import Place as Place
from rollbook.identity.queries.who import Who as Who

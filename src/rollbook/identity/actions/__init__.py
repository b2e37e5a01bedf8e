"""What can be done about accounts and sign-ins. This package is also Django's session engine (`SessionStore`)."""

from rollbook.identity.actions.accounts import TooMany as TooMany
from rollbook.identity.actions.accounts import _nobody as _nobody
from rollbook.identity.actions.accounts import add_membership as add_membership
from rollbook.identity.actions.accounts import change_password as change_password
from rollbook.identity.actions.accounts import close_account as close_account
from rollbook.identity.actions.accounts import create_account as create_account
from rollbook.identity.actions.accounts import end_membership as end_membership
from rollbook.identity.actions.accounts import find_reset as find_reset
from rollbook.identity.actions.accounts import invite as invite
from rollbook.identity.actions.accounts import link_for_colleague as link_for_colleague
from rollbook.identity.actions.accounts import make_reset_link as make_reset_link
from rollbook.identity.actions.accounts import rename as rename
from rollbook.identity.actions.accounts import set_password as set_password
from rollbook.identity.actions.accounts import sign_in as sign_in
from rollbook.identity.actions.accounts import use_reset_link as use_reset_link
from rollbook.identity.actions.sessions import SessionStore as SessionStore
from rollbook.identity.actions.sessions import begin as begin
from rollbook.identity.actions.sessions import choose as choose
from rollbook.identity.actions.sessions import digest as digest
from rollbook.identity.actions.sessions import end_session as end_session
from rollbook.identity.actions.sessions import resume as resume
from rollbook.identity.actions.sessions import sign_out as sign_out

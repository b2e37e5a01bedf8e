"""Accounts of staff and of people of the roster: how they sign in, what they are where, how long a sign-in lasts.

`request.who` says who is signed in (`queries.who.Who`): account, person, tenant, kind, how, since when, with what trust.
"""

from typing import TYPE_CHECKING

from rollbook.kernel.doors import front_door

if TYPE_CHECKING:
    from rollbook.identity.actions import add_membership as add_membership
    from rollbook.identity.actions import create_account as create_account
    from rollbook.identity.actions import direct as direct_sign_in
    from rollbook.identity.actions import directory_says as directory_says
    from rollbook.identity.actions import issue as issue_badges
    from rollbook.identity.actions import make_reset_link as make_reset_link
    from rollbook.identity.actions import names_staff as names_staff
    from rollbook.identity.actions import new_developer as new_developer
    from rollbook.identity.actions import print_run as print_badges
    from rollbook.identity.actions import set_directory as set_directory
    from rollbook.identity.actions import set_grace as set_grace
    from rollbook.identity.actions import set_idp as set_idp
    from rollbook.identity.actions import set_password as set_password
    from rollbook.identity.actions import sign_out as sign_out
    from rollbook.identity.actions import stop_idp as stop_idp
    from rollbook.identity.queries import find_account as find_account
    from rollbook.identity.rules import face as face
    from rollbook.identity.rules import sign_ins_ended as sign_ins_ended
    from rollbook.kernel.http import signed_in as signed_in

__getattr__ = front_door(__name__, __file__)

"""Staff: accounts, what they are where, how they sign in and how long a sign-in lasts."""

from typing import TYPE_CHECKING

from rollbook.kernel.doors import front_door

if TYPE_CHECKING:
    from rollbook.identity.actions import add_membership as add_membership
    from rollbook.identity.actions import create_account as create_account
    from rollbook.identity.actions import make_reset_link as make_reset_link
    from rollbook.identity.actions import set_password as set_password
    from rollbook.identity.actions import sign_out as sign_out
    from rollbook.identity.queries import find_account as find_account
    from rollbook.kernel.http import signed_in as signed_in

__getattr__ = front_door(__name__, __file__)

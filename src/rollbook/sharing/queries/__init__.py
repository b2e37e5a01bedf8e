"""Reads of apps, agreements and rules; what an app's live rule reaches; collections that the doors serve."""

from rollbook.sharing.queries.audience import Audience as Audience
from rollbook.sharing.queries.audience import audience as audience
from rollbook.sharing.queries.grants import Grant as Grant
from rollbook.sharing.queries.grants import Standing as Standing
from rollbook.sharing.queries.grants import Withheld as Withheld
from rollbook.sharing.queries.grants import grant_for as grant_for
from rollbook.sharing.queries.grants import token_grant as token_grant
from rollbook.sharing.queries.grants import token_standing as token_standing

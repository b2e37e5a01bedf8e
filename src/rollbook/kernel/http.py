"""What every staff page asks of a request: who is signed in, and ids that are numbers.

`identity.pages.SignedIn` puts `who` and `access` on the request; pages of modules below identity read them from here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.http import url_has_allowed_host_and_scheme

from rollbook.kernel.errors import Invalid, NotFound, Refused


def origin(request: HttpRequest) -> str:
    """The address of this site as others should write it: ROLLBOOK_BASE_URL, or what the request was sent to."""
    return str(settings.ROLLBOOK_BASE_URL) or f"{request.scheme}://{request.get_host()}"


def site() -> str:
    """The same where there is no request: ROLLBOOK_BASE_URL, or this machine's for trying out."""
    return str(settings.ROLLBOOK_BASE_URL) or "http://127.0.0.1:8000"


class Staff(Protocol):
    """What pages below identity know of whoever is signed in (`identity.queries.Who`)."""

    account_id: int
    name: str
    kind: str
    trust: str
    role: str
    tenant: Any
    actor: Any

    def not_for(self, roles: tuple[str, ...]) -> Refused:
        """Why a page for other roles is refused."""


class StaffRequest(HttpRequest):
    """A request of somebody signed in. `access(purpose=None, reason="")` gives the access of their role."""

    who: Staff
    access: Callable[..., Any]


View = Callable[..., HttpResponseBase]


def signed_in(*roles: str, kinds: tuple[str, ...] = ("staff",)) -> Callable[[View], View]:
    """Only for somebody signed in, in one of `roles` (none: in any). kinds: whose page it is, of staff, student and
    guardian; a pupil's low-trust sign-in opens nothing that does not name them.

    Others go to the sign-in page, and from there to where they wanted; a wrong role raises Refused.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def check(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
            who = getattr(request, "who", None)
            if who is None:
                wanted = request.get_full_path() if request.method == "GET" else "/"
                return go(request, f"/sign-in?next={quote(wanted)}")
            if who.kind not in kinds:
                raise Refused("This page is not for you.", "Ask your teacher or your school if you need it.")
            if roles and who.role not in roles:
                raise who.not_for(roles)
            return view(request, *args, **kwargs)

        return check

    return decorate


def go(request: HttpRequest, to: str) -> HttpResponse:
    """Send the browser to a page of ours; a part loaded by htmx sends the whole page."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": to})
    return HttpResponseRedirect(to)


def safe_next(request: HttpRequest) -> str:
    """Where the person wanted to go (`next`), if that is a page of this site; else the home page."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    mine = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and wanted.startswith("/")
    return wanted if mine else "/"


def row_id(text: str) -> int:
    """The id in an address. Raises NotFound for what is no id: nobody outside can tell that from an unknown one."""
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) >= 1 << 63:
        raise NotFound("There is no such page.")
    return int(text)


LARGEST = 500_000  # bytes of metadata; a real file has some thousands


def metadata_text(file: Any) -> str:
    """The text of an uploaded file of SAML metadata; empty where none was chosen. Raises Invalid."""
    if file is None:
        return ""
    if file.size > LARGEST:
        raise Invalid(
            "The file is too large for metadata.", "Metadata of one system is a few kilobytes.", "metadata"
        )
    try:
        return bytes(file.read()).decode()
    except UnicodeDecodeError:
        raise Invalid("The file is no text.", "Metadata is an XML file in UTF-8.", "metadata") from None

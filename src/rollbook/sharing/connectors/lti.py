"""LTI 1.3 as lti1p3platform speaks it: the way to a tool, the launch message, deep linking. What a tool signs we check
ourselves: issuer, audience, age and that it comes once, which the library leaves open.

An app's details: login_url (where a launch begins), jwks or jwks_url (its keys), deep_link_url (where choosing begins).
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from django.apps import apps
from django.core import signing
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from lti1p3platform.ltiplatform import LTI1P3PlatformConfAbstract
from lti1p3platform.message_launch import LTIAdvantageMessageLaunchAbstract
from lti1p3platform.oidc_login import OIDCLoginAbstract
from lti1p3platform.registration import Registration

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.learning import Item
from rollbook.sharing.actions import keys, lti
from rollbook.sharing.connectors import grades
from rollbook.sharing.queries.lti import Context, Link, Member
from rollbook.sharing.queries.sign_on import Relying, Seen

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
DEEP = "https://purl.imsglobal.org/spec/lti-dl/claim/"
MEMBERS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
HINT_LIVES, SKEW = timedelta(minutes=5), timedelta(minutes=1)
LONGEST = timedelta(hours=1)  # an assertion that says it lives longer is not one that was made for this
_LIS = "http://purl.imsglobal.org/vocab/lis/v2/"
ROLES = {
    "student": f"{_LIS}membership#Learner", "teacher": f"{_LIS}membership#Instructor",
    "aide": f"{_LIS}membership/Instructor#TeachingAssistant", "proctor": f"{_LIS}membership#Manager",
    "guardian": f"{_LIS}membership#Mentor", "parent": f"{_LIS}membership#Mentor",
    "relative": f"{_LIS}membership#Mentor",
}  # fmt: skip
OTHER_ROLE = f"{_LIS}institution/person#Administrator"
CLAIMS = ("name", "given_name", "family_name", "email")


class Fault(Exception):
    """What a tool sent cannot be believed. code: the standard's error."""

    def __init__(self, code: str, says: str) -> None:
        self.code, self.says = code, says
        super().__init__(says)


def deployment(to: Relying) -> str:
    """The id of this school's installation of the tool."""
    return f"d{to.app_id}"


def hint(**said: Any) -> str:
    """What a launch is about, on its way through the tool and back: signed, for five minutes."""
    return signing.dumps(said, salt="lti-launch", compress=True)


def read_hint(text: str) -> dict[str, Any]:
    """What `hint` wrote. Raises Fault."""
    try:
        found: dict[str, Any] = signing.loads(text, salt="lti-launch", max_age=HINT_LIVES)
    except signing.BadSignature:
        raise Fault(
            "login_required", "The launch is too old, or was not begun here. Open the app again."
        ) from None
    return found


class _Platform(LTI1P3PlatformConfAbstract):  # type: ignore[misc]  # the library has few types
    """Rollbook as the platform of one tool."""

    def init_platform_config(self, **kwargs: Any) -> None:
        site, to = kwargs["site"], kwargs["to"]
        found = Registration().set_iss(site).set_client_id(to.client_id).set_deployment_id(deployment(to))
        found.set_oidc_login_url(to.details["login_url"]).set_launch_url(to.launch_url or to.redirect_uris[0])
        found.set_deeplink_launch_url(to.details.get("deep_link_url") or found.get_launch_url())
        found.set_platform_private_key(keys.signing_key().as_pem(private=True).decode())
        self._registration = found

    def get_registration_by_params(self, **kwargs: Any) -> Registration:
        return self._registration


class _Login(OIDCLoginAbstract):  # type: ignore[misc]  # the library has few types
    def set_lti_message_hint(self, **kwargs: Any) -> None:
        self._lti_message_hint = kwargs["hint"]

    def get_redirect(self, url: str) -> str:
        return url


def way_to(site: str, to: Relying, sub: str, about: str, url: str) -> str:
    """Where a launch begins: the tool's login address, with who comes and what for. url: what is to be opened."""
    login = _Login(None, _Platform(site=site, to=to))
    login.set_lti_message_hint(hint=about)
    login.set_launch_url(url)
    return str(login.initiate_login(sub))


class _Request:
    """The tool's request as the library reads it: we have checked it already."""

    def __init__(self, asked: dict[str, str]) -> None:
        self.get_data, self.form_data = asked, asked


class _Launch(LTIAdvantageMessageLaunchAbstract):  # type: ignore[misc]  # the library has few types
    def welcome_line_items(self) -> None:
        """Say in a request to choose that what is chosen may bring its line item."""
        self._deep_linking_launch_data[f"{DEEP}deep_linking_settings"]["accept_lineitem"] = True

    def render_launch_form(self, launch_data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {"id_token": launch_data["id_token"], "state": launch_data["state"]}


def opening(to: Relying, link: Link | None, choosing: bool) -> str:
    """The address at the tool that a launch opens."""
    if choosing:
        return str(to.details.get("deep_link_url") or to.launch_url or to.redirect_uris[0])
    return link.url if link else to.launch_url or to.redirect_uris[0]


def resource_link(link: Link | None, where: Context | None) -> str:
    """The id of what a launch opens: what was chosen, or the class, or the tool itself."""
    return f"l{link.id}" if link else where.id if where else "home"


def message(
    site: str, to: Relying, found: Seen, role: str, where: Context | None, link: Link | None, choose: str,
    asked: dict[str, str], marks: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The fields that the browser posts to the tool: a signed launch, or a request to choose.

    role: in the class, or "". choose: what the tool sends back with what was chosen; "" for a launch. marks: the code
    of the link's line item, or "" when it has none; None where the tool may not send results.
    """
    made = _Launch(_Request(asked), _Platform(site=site, to=to))
    claims = found.claims(CLAIMS)
    roles = [role] if role else list(found.roles)
    made.set_user_data(
        found.sub, [ROLES.get(r, OTHER_ROLE) for r in roles], claims.get("name"), claims.get("email")
    )
    extra = {name: claims[name] for name in ("given_name", "family_name") if name in claims}
    made.set_extra_claims(extra)
    if where is not None:
        section = "http://purl.imsglobal.org/vocab/lis/v2/course#CourseSection"
        made.set_launch_context_claim(where.id, [section], where.title, where.label)
        made.set_nrps(f"{site}/lti/contexts/{where.id}/members")
        if marks is not None and not choose:
            items = f"{site}/lti/contexts/{where.id}/lineitems"
            made.set_ags(items, f"{items}/{marks}" if marks else None)
    made.set_launch_presentation_claim("window", f"{site}/")
    made.set_launch_url(opening(to, link, bool(choose)))
    if choose:
        made.set_dl(f"{site}/lti/chosen", accept_types={"ltiResourceLink"}, extra_data=choose)
        if found.grant.takes_results:
            made.welcome_line_items()
    else:
        made.set_resource_link_claim(resource_link(link, where), title=link.title if link else to.name)
        if link and link.custom:
            made.set_custom_parameters_claim(dict(link.custom))
    answer: dict[str, Any] = made.lti_launch()
    return answer


def member(found: Member) -> dict[str, Any]:
    """Somebody in a class, as the names and roles service writes them."""
    return {
        "status": "Active", "user_id": found.seen.sub, "roles": [ROLES.get(found.role, OTHER_ROLE)],
        **found.seen.claims(CLAIMS),
    }  # fmt: skip


def enrolled_columns(columns: list[tuple[Any, str]]) -> list[tuple[Any, str]]:
    """These columns, and those that say who is in a class as what."""
    enrollment = apps.get_model("roster", "Enrollment")
    return [*columns, *((enrollment, name) for name in ("klass_id", "person_id", "role"))]


# ---- What a tool signs.


def _keys_of(to: Relying) -> KeySet:
    given = to.details.get("jwks")
    if not given:
        try:
            given = requests.get(str(to.details.get("jwks_url")), timeout=5, allow_redirects=False).json()
        except (requests.RequestException, ValueError):
            raise Fault("invalid_client", "The keys of the app cannot be fetched from its address.") from None
    try:
        return KeySet.import_key_set(given)
    except (JoseError, ValueError, TypeError, KeyError):
        raise Fault("invalid_client", "The keys of the app cannot be read.") from None


def speaker(text: str) -> str:
    """Which client a signed text says it is from, believed or not."""
    try:
        found = json.loads(jws.extract_compact(text.encode()).payload)
        return str(found.get("iss", ""))
    except (JoseError, ValueError, AttributeError):
        return ""


def signed_by(to: Relying, text: str, audience: tuple[str, ...]) -> dict[str, Any]:
    """What a tool signed, checked: by whom, for whom, when, and that it comes once. Raises Fault."""
    try:
        found = jwt.decode(text, _keys_of(to), algorithms=["RS256"]).claims
    except (JoseError, ValueError):
        raise Fault("invalid_client", "The signature is not the app's.") from None
    moment = clock.now().timestamp()
    aud = found.get("aud")
    heard = set(aud) if isinstance(aud, list) else {aud}
    if found.get("iss") != to.client_id or heard.isdisjoint(audience):
        raise Fault("invalid_client", "It was not made by this app for us.")
    ends, began = found.get("exp"), found.get("iat")
    if not isinstance(ends, int | float) or not isinstance(began, int | float):
        raise Fault("invalid_client", "It does not say when it was made and ends.")
    if ends < moment - SKEW.total_seconds() or began > moment + SKEW.total_seconds():
        raise Fault("invalid_client", "It has ended, or the app's clock is wrong.")
    if ends - began > LONGEST.total_seconds():
        raise Fault("invalid_client", "It lives too long.")
    once = found.get("jti") or found.get("nonce")
    if not once or not lti.first_time(to, str(once)):
        raise Fault("invalid_client", "It has no id of its own, or was sent before.")
    return dict(found)


def chosen(claims: dict[str, Any], to: Relying) -> list[dict[str, Any]]:
    """The links that a tool says were chosen. Raises Fault."""
    if claims.get(f"{CLAIM}message_type") != "LtiDeepLinkingResponse" or claims.get(
        f"{CLAIM}deployment_id"
    ) != deployment(to):
        raise Fault("invalid_request", "This is no answer to a request to choose.")
    items = claims.get(f"{DEEP}content_items", [])
    if not isinstance(items, list) or len(items) > 50:
        raise Fault("invalid_request", "The items cannot be read, or are too many.")
    own = {urlsplit(a).netloc for a in (*to.redirect_uris, to.launch_url)}
    found = []
    for item in items:
        url = str(item.get("url") or to.launch_url or to.redirect_uris[0])
        custom = item.get("custom") or {}
        if (
            item.get("type") != "ltiResourceLink"
            or urlsplit(url).netloc not in own
            or not isinstance(custom, dict)
        ):
            raise Fault("invalid_request", "An item is of another kind, or of another site than the app's.")
        title = str(item.get("title") or to.name)[:200]
        found.append({"title": title, "url": url, "custom": custom, "line_item": _line_item(item, title)})
    return found


def _line_item(item: dict[str, Any], title: str) -> Item | None:
    """The line item that was chosen with a link, due when the work must be handed in. Raises Fault."""
    given, times = item.get("lineItem"), item.get("submission") or {}
    if given is None:
        return None
    if not isinstance(given, dict) or not isinstance(times, dict):
        raise Fault("invalid_request", "A line item cannot be read.")
    try:
        return grades.read_item(
            {**given, **{k: times.get(k) for k in ("startDateTime", "endDateTime")}}, title
        )
    except Invalid as error:
        raise Fault("invalid_request", str(error)) from None

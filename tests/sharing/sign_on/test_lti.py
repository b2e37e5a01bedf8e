"""LTI 1.3: a tool made with pylti1p3 is launched, chooses, and reads names and roles; what is wrong is refused."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.test import Client
from joserfc import jwt
from joserfc.jwk import RSAKey
from pylti1p3.cookie import CookieService
from pylti1p3.deep_link_resource import DeepLinkResource
from pylti1p3.message_launch import MessageLaunch
from pylti1p3.oidc_login import OIDCLogin
from pylti1p3.redirect import Redirect
from pylti1p3.request import Request
from pylti1p3.service_connector import ServiceConnector
from pylti1p3.session import SessionService
from pylti1p3.tool_config import ToolConfDict

from rollbook.sharing.actions.sign_on import set_sign_on
from tests.sharing.sign_on.conftest import Yard, cookie, disclosures, refusals, signed_in_pupil
from tests.staff import plain

LAUNCH, LOGIN = "https://numberyard.example/lti/launch", "https://numberyard.example/lti/login"
KEY = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, private=True)
KID = KEY.thumbprint()
LIS = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
MEMBERS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
DETAILS = {"login_url": LOGIN, "jwks": {"keys": [{**KEY.as_dict(private=False), "kid": KID}]}}


@pytest.fixture
def lti(yard: Yard) -> Yard:
    set_sign_on(yard.made.app, protocol="lti", redirect_uris=[LAUNCH], details=DETAILS)
    return yard


# ---- The tool: pylti1p3, with a session of its own.


class _Asked(Request):
    def __init__(self, params: dict[str, str], session: dict[str, Any]) -> None:
        self.params, self.kept = params, session

    @property
    def session(self) -> Any:
        return self.kept

    def is_secure(self) -> bool:
        return True

    def get_param(self, key: str) -> str:
        return self.params.get(key, "")


class _Cookies(CookieService):
    def __init__(self, jar: dict[str, Any]) -> None:
        self.jar = jar

    def get_cookie(self, name: str) -> str | None:
        return self.jar.get(f"cookie {name}")

    def set_cookie(self, name: str, value: Any, exp: int | None = 3600) -> None:
        self.jar[f"cookie {name}"] = str(value)


class _To(Redirect[str]):
    def __init__(self, where: str) -> None:
        self.where = where

    def do_redirect(self) -> str:
        return self.where

    def do_js_redirect(self) -> str:
        return self.where

    def set_redirect_url(self, location: str) -> None:
        self.where = location

    def get_redirect_url(self) -> str:
        return self.where


class _Login(OIDCLogin[Any, Any, Any, Any, Any]):
    def get_redirect(self, url: str) -> Any:
        return _To(url)


class _Launch(MessageLaunch[Any, Any, Any, Any]):
    def _get_request_param(self, key: str) -> str:
        return str(self._request.get_param(key))


class _Services(ServiceConnector):
    def _get_cached_access_token(self, scope_key: str) -> str | None:
        return None

    def _cache_access_token(self, scope_key: str, access_token: str, expires_in: float) -> None:
        """Asked anew each time."""


@dataclass
class Tool:
    """Numberyard as an LTI tool, over HTTP."""

    yard: Yard
    site: str
    session: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Any:
        made = ToolConfDict(
            {
                self.site: {
                    "client_id": self.yard.made.client_id, "auth_login_url": f"{self.site}/lti/authorize",
                    "auth_token_url": f"{self.site}/lti/token", "key_set_url": f"{self.site}/oauth/jwks",
                    "deployment_ids": [f"d{self.yard.made.app.id}"],
                }
            }
        )  # fmt: skip
        made.set_private_key(self.site, KEY.as_pem(private=True).decode())
        made.set_public_key(self.site, KEY.as_pem(private=False).decode())
        return made

    def parts(self, params: dict[str, str]) -> Any:
        asked = _Asked(params, self.session)
        return asked, self.config, SessionService(asked), _Cookies(self.session)

    def launched(self, path: str, browser: Client | None = None) -> Any:
        """Follow a launch from the portal to the tool, which checks what it gets."""
        headers = {"cookie": cookie(browser or self.yard.ben)}
        begun = httpx.get(self.site + path, headers=headers, timeout=30)
        assert begun.status_code == 302, begun.text
        assert begun.headers["location"].startswith(LOGIN)
        query = {k: v[0] for k, v in parse_qs(urlsplit(begun.headers["location"]).query).items()}
        asked, config, session, cookies = self.parts(query)
        login = _Login(asked, config, session_service=session, cookie_service=cookies)
        page = httpx.get(login.redirect(LAUNCH), headers=headers, follow_redirects=True, timeout=30)
        asked, config, session, cookies = self.parts(fields(page.text, LAUNCH))
        return _Launch(
            asked, config, session_service=session, cookie_service=cookies, service_connector_cls=_Services
        ).validate()


def fields(page: str, where: str) -> dict[str, str]:
    """The form that the browser sends to the tool."""
    assert f'action="{where}"' in page, page
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))


@pytest.fixture
def tool(lti: Yard, live_server: Any) -> Tool:
    return Tool(lti, live_server.url)


@pytest.mark.slow
def test_pylti1p3_accepts_a_launch_and_reads_names_and_roles(tool: Tool) -> None:
    launch = tool.launched("/launch/numberyard")
    told = launch.get_launch_data()
    assert (told["name"], told["email"]) == ("Ben Thistlewick", "ben@puddlebrook.example")
    assert launch.check_teacher_access() and launch.is_resource_launch()
    context = told["https://purl.imsglobal.org/spec/lti/claim/context"]
    assert context["title"] == "Kestrels"
    people = {m["name"]: m["roles"] for m in launch.get_nrps().get_members()}
    assert people == {"Ada Riverstone": [f"{LIS}Learner"], "Ben Thistlewick": [f"{LIS}Instructor"]}
    assert [(d.door, d.people_count) for d in disclosures()] == [("sign-in lti", 1)]


@pytest.mark.slow
def test_pylti1p3_chooses_for_a_class_and_a_pupil_opens_what_was_chosen(tool: Tool) -> None:
    klass = tool.yard.cast.kestrels.id
    launch = tool.launched(f"/lti/numberyard/choose?class={klass}")
    assert launch.is_deep_link_launch()
    item = DeepLinkResource()
    item.set_url(LAUNCH + "?game=7").set_title("Number lines").set_custom_params({"level": "2"})
    chosen = launch.get_deep_link().get_response_jwt([item])
    back = httpx.post(f"{tool.site}/lti/chosen", data={"JWT": chosen}, timeout=30)
    assert back.status_code == 303, back.text
    again = httpx.post(f"{tool.site}/lti/chosen", data={"JWT": chosen}, timeout=30)
    assert again.status_code == 400, "what was chosen comes back once"
    pupil = signed_in_pupil(tool.yard.cast.tenant, tool.yard.cast.ada)
    page = httpx.get(tool.site + back.headers["location"], headers={"cookie": cookie(pupil)}).text
    [link] = re.findall(r'href="(/launch/numberyard\?link=\d+)">Number lines', page)
    told = Tool(tool.yard, tool.site).launched(link, pupil).get_launch_data()
    assert told["https://purl.imsglobal.org/spec/lti/claim/custom"] == {"level": "2"}
    assert told["https://purl.imsglobal.org/spec/lti/claim/target_link_uri"] == LAUNCH + "?game=7"
    assert told["https://purl.imsglobal.org/spec/lti/claim/roles"] == [f"{LIS}Learner"]


# ---- Without a library, so that every mistake can be made.


def begin(lti: Yard, browser: Client | None = None, path: str = "/launch/numberyard") -> dict[str, str]:
    answer = (browser or lti.ben).get(path, HTTP_HOST="localhost")
    return {k: v[0] for k, v in parse_qs(urlsplit(answer["Location"]).query).items()}


def ask(lti: Yard, begun: dict[str, str], browser: Client | None = None, **changed: Any) -> Any:
    asked = {
        "scope": "openid", "response_type": "id_token", "response_mode": "form_post", "prompt": "none", "state": "s1",
        "nonce": "n1", "client_id": begun["client_id"], "redirect_uri": LAUNCH, "login_hint": begun["login_hint"],
        "lti_message_hint": begun["lti_message_hint"], **changed,
    }  # fmt: skip
    return (browser or lti.ben).get("/lti/authorize", asked, HTTP_HOST="localhost")


def message(answer: Any) -> dict[str, Any]:
    token = fields(answer.content.decode(), LAUNCH)["id_token"]
    keys = Client().get("/oauth/jwks", HTTP_HOST="localhost").json()
    from joserfc.jwk import KeySet

    return dict(jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256"]).claims)


@pytest.mark.commitment("CLEV-2.6")
def test_a_launch_tells_what_is_shared(lti: Yard, narrowed: Callable[..., None]) -> None:
    narrowed(fields=[{"field": "users.givenName", "reason": "To greet"}])
    told = message(ask(lti, begin(lti)))
    assert told["given_name"] == "Ben" and not {"name", "family_name", "email"} & set(told)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "code"}, "invalid_request"),
        ({"response_mode": "query"}, "invalid_request"),
        ({"nonce": ""}, "invalid_request"),
        ({"login_hint": "somebody"}, "login_required"),
        ({"lti_message_hint": "made-up"}, "login_required"),
    ],
)
def test_a_wrong_request_is_answered_to_the_tool(lti: Yard, changed: dict[str, Any], error: str) -> None:
    told = fields(ask(lti, begin(lti), **changed).content.decode(), LAUNCH)
    assert (told["error"], told["state"]) == (error, "s1")
    assert refusals() == [("lti", error)]


@pytest.mark.parametrize("changed", [{"redirect_uri": LAUNCH + "2"}, {"client_id": "nobody"}])
def test_nothing_is_posted_to_an_address_that_is_not_the_tools(lti: Yard, changed: dict[str, Any]) -> None:
    answer = ask(lti, begin(lti), **changed)
    assert answer.status_code == 400 and "id_token" not in answer.content.decode()


def test_a_launch_of_another_browser_or_of_yesterday_is_refused(lti: Yard) -> None:
    pupil, begun = signed_in_pupil(lti.cast.tenant, lti.cast.ada), begin(lti)
    assert fields(ask(lti, begun, pupil).content.decode(), LAUNCH)["error"] == "login_required"
    assert fields(ask(lti, begun, Client()).content.decode(), LAUNCH)["error"] == "login_required"


def test_a_class_of_others_cannot_be_opened(lti: Yard) -> None:
    owls = lti.cast.owls.id
    assert lti.ben.get(f"/launch/numberyard?class={owls}", HTTP_HOST="localhost").status_code == 404
    assert lti.ben.get(f"/lti/numberyard/choose?class={owls}", HTTP_HOST="localhost").status_code == 404
    pupil = signed_in_pupil(lti.cast.tenant, lti.cast.ada)
    assert pupil.get(f"/lti/numberyard/choose?class={lti.cast.kestrels.id}").status_code == 403


def assertion(lti: Yard, **changed: Any) -> str:
    moment = int(time.time())
    key = changed.pop("key", KEY)
    claims = {
        "iss": lti.made.client_id, "sub": lti.made.client_id, "aud": "http://localhost/lti/token", "iat": moment,
        "exp": moment + 60, "jti": uuid.uuid4().hex, **changed,
    }  # fmt: skip
    return jwt.encode({"alg": "RS256", "kid": KID}, {k: v for k, v in claims.items() if v is not None}, key)


def token(lti: Yard, text: str, **changed: str) -> Any:
    body = {
        "grant_type": "client_credentials", "scope": MEMBERS, "client_assertion": text,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", **changed,
    }  # fmt: skip
    return Client().post("/lti/token", body, HTTP_HOST="localhost")


def test_an_assertion_works_once(lti: Yard) -> None:
    text = assertion(lti)
    assert token(lti, text).status_code == 200
    answer = token(lti, text)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert refusals() == [("lti token", "invalid_client")]


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://elsewhere.example"},
        {"sub": "somebody"},
        {"exp": int(time.time()) - 300},
        {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 3700},
        {"exp": int(time.time()) + 86400},
        {"jti": None},
        {"exp": None},
        {"key": RSAKey.generate_key(2048)},
    ],
    ids=["for another", "about another", "late", "early", "long", "without id", "without end", "another key"],
)
def test_an_assertion_that_is_not_right_gets_no_token(lti: Yard, changed: dict[str, Any]) -> None:
    answer = token(lti, assertion(lti, **changed))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_other_scopes_and_grants_get_no_token(lti: Yard) -> None:
    assert token(lti, assertion(lti), scope="all").json()["error"] == "invalid_scope"
    assert token(lti, assertion(lti), grant_type="password").json()["error"] == "unsupported_grant_type"


def names(lti: Yard, **query: str) -> Any:
    made = token(lti, assertion(lti)).json()["access_token"]
    told = message(ask(lti, begin(lti)))
    where = told["https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"]["context_memberships_url"]
    return Client().get(
        urlsplit(where).path, query, headers={"authorization": f"Bearer {made}"}, HTTP_HOST="localhost"
    )


def test_names_and_roles_pass_the_gate_and_are_written_down(lti: Yard, narrowed: Callable[..., None]) -> None:
    narrowed(fields=[{"field": "users.givenName", "reason": "To greet"}])
    answer = names(lti)
    assert answer["Content-Type"].startswith("application/vnd.ims.lti-nrps.v2.membershipcontainer+json")
    found = answer.json()["members"]
    assert sorted(m["given_name"] for m in found) == ["Ada", "Ben"] and all("name" not in m for m in found)
    from rollbook.policy import Disclosure, unguarded

    with unguarded("a test reads the log"):
        row = Disclosure.objects.get(door="lti names and roles")
    assert row.people_count == 2 and "roster_enrollment.role" in row.columns


def test_names_and_roles_come_page_by_page_and_by_role(lti: Yard) -> None:
    first = names(lti, limit="1")
    assert len(first.json()["members"]) == 1 and 'rel="next"' in first["Link"]
    [learner] = names(lti, role=f"{LIS}Learner").json()["members"]
    assert learner["roles"] == [f"{LIS}Learner"]


def test_a_token_of_another_door_reads_no_names(lti: Yard) -> None:
    body = {
        "grant_type": "client_credentials",
        "client_id": lti.made.client_id,
        "client_secret": lti.made.client_secret,
    }
    made = Client().post("/oauth/token", body).json()["access_token"]
    answer = Client().get("/lti/contexts/x/members", headers={"authorization": f"Bearer {made}"})
    assert answer.status_code == 403
    mine = token(lti, assertion(lti)).json()["access_token"]
    assert Client().get("/v3.0/users", headers={"authorization": f"Bearer {mine}"}).status_code == 403
    unknown = Client().get("/lti/contexts/x/members", headers={"authorization": f"Bearer {mine}"})
    assert unknown.status_code == 404


@pytest.mark.parametrize("what", ["another site", "another kind", "not begun here"])
def test_what_was_chosen_is_checked(lti: Yard, what: str) -> None:
    begun = begin(lti, path=f"/lti/numberyard/choose?class={lti.cast.kestrels.id}")
    told = message(ask(lti, begun))
    data = told["https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"]["data"]
    item = {"type": "ltiResourceLink", "title": "A", "url": LAUNCH}
    item |= {"another site": {"url": "https://evil.example"}, "another kind": {"type": "html"}}.get(what, {})
    text = assertion(
        lti, aud="http://localhost",
        **{
            "https://purl.imsglobal.org/spec/lti/claim/message_type": "LtiDeepLinkingResponse",
            "https://purl.imsglobal.org/spec/lti/claim/deployment_id": f"d{lti.made.app.id}",
            "https://purl.imsglobal.org/spec/lti-dl/claim/content_items": [item],
            "https://purl.imsglobal.org/spec/lti-dl/claim/data": "x" if what == "not begun here" else data,
        },
    )  # fmt: skip
    answer = Client().post("/lti/chosen", {"JWT": text}, HTTP_HOST="localhost")
    assert answer.status_code == 400 and "This sign-in cannot go on" in plain(answer)


def test_a_hint_lives_five_minutes(lti: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, now = begin(lti), time.time()
    monkeypatch.setattr("django.core.signing.time.time", lambda: now + 301)
    assert fields(ask(lti, begun).content.decode(), LAUNCH)["error"] == "login_required"

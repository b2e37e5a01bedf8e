"""A person in a browser opens an app: through the sign-in form and back to another site, which our own content policy
must let happen; and the pages on the way."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from rollbook.identity import add_membership, create_account
from rollbook.sharing import set_sign_on, share
from rollbook.sharing.actions import NewApp
from tests.cast import Cast
from tests.journeys.look import Site, check_everywhere
from tests.sharing.conftest import numberyard  # noqa: F401  # the app of the cast
from tests.staff import desk

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PASSWORD = "copper kettle ninety finches"


@dataclass
class App:
    """Another site: what the browser brought it."""

    base: str
    got: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)


@pytest.fixture
def app() -> Iterator[App]:
    found = App("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.take(urlsplit(self.path).query)

        def do_POST(self) -> None:
            self.take(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def take(self, text: str) -> None:
            found.got.append((f"{self.command} {urlsplit(self.path).path}", parse_qs(text)))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Numberyard</title><p>Welcome to Numberyard")

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.base = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def shared(numberyard: NewApp) -> NewApp:  # noqa: F811  # a fixture by its name
    share(numberyard.app, {"people": "all", "fields": "all"})
    return numberyard


@pytest.mark.commitment("CLEV-1.73")
@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without"])
def test_from_the_app_through_the_sign_in_form_and_back(
    site: Site, cast: Cast, shared: NewApp, app: App, script: bool
) -> None:
    set_sign_on(shared.app, redirect_uris=[f"{app.base}/back"])
    account = create_account("ben@puddlebrook.example", "Ben Thistlewick", PASSWORD)
    add_membership(account, cast.tenant, "teacher", person_id=cast.ben.id)
    asked = urlencode(
        {
            "response_type": "code", "client_id": shared.client_id, "redirect_uri": f"{app.base}/back",
            "scope": "openid", "state": "s1",
        }
    )  # fmt: skip
    with site.window(script=script) as window:
        page = window.go(f"/oauth/authorize?{asked}")
        page.get_by_label("Email").fill("ben@puddlebrook.example")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(f"{app.base}/back**")
        assert page.get_by_text("Welcome to Numberyard").is_visible()
    assert [(what, said["state"]) for what, said in app.got if what == "GET /back"] == [("GET /back", ["s1"])]


@pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="xmlsec1 is not here: SAML signs with it")
@pytest.mark.commitment("CLEV-2.24")
@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without"])
def test_from_the_portal_to_an_app_that_takes_a_post(
    site: Site, cast: Cast, shared: NewApp, app: App, script: bool
) -> None:
    set_sign_on(
        shared.app,
        protocol="saml",
        redirect_uris=[f"{app.base}/acs"],
        details={"entity_id": "https://n.example"},
    )
    client = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
    with site.window(client, script=script) as window:
        page = window.page
        page.set_default_timeout(60_000)  # the first assertion loads pysaml2
        page.goto(f"{site.base}/launch/numberyard", wait_until="commit")
        if not script:
            assert page.get_by_text("Numberyard has its own privacy policy.").is_visible()
            assert page.get_by_role("link", name="Read Numberyard’s privacy policy").is_visible()
            page.get_by_role("button", name="Go on to Numberyard").click()
        page.wait_for_url(f"{app.base}/acs")
    assert [what for what, said in app.got if "SAMLResponse" in said] == ["POST /acs"]


def test_the_pages_on_the_way(site: Site, cast: Cast, shared: NewApp) -> None:
    set_sign_on(
        shared.app, protocol="lti", redirect_uris=["https://numberyard.example/lti"],
        details={"login_url": "https://numberyard.example/login", "jwks": {"keys": []}},
    )  # fmt: skip
    client = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
    check_everywhere(site, client, "/oauth/logout", "sign-out-asked")
    check_everywhere(site, client, f"/lti/numberyard/links?class={cast.kestrels.id}", "lti-links")
    share(shared.app, {"people": {"roles": ["student"]}, "fields": "all"})
    with site.window(client, width=390) as window:
        for path in ("/launch/numberyard", "/oauth/authorize?client_id=nobody", "/saml/sevenhills/sso"):
            window.go(path)
            assert window.violations() == [] and not window.scrolls_sideways()
            window.shoot(path.split("?")[0].strip("/").replace("/", "-"))

"""Every page that a link leads to, for each role: nothing on it comes from, or tells, another site."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from django.test import Client

from rollbook.kernel import clock
from rollbook.policy import disclose
from rollbook.roster.models import Person
from rollbook.sharing import agree, ask_field, create_app, share
from rollbook.sharing.actions import NewApp
from tests.cast import Cast
from tests.sharing.conftest import numberyard  # noqa: F401  # the app of the cast
from tests.staff import desk, plain

MOST = 150  # pages of one role: the cast is small, so more would be a link that leads round in circles
LOADS = {
    "script": "src", "img": "src", "iframe": "src", "embed": "src", "object": "data", "source": "src", "video": "src",
    "audio": "src", "link": "href", "form": "action", "input": "src",
}  # fmt: skip


class Read(HTMLParser):
    """What a page loads or sends to, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href"):
            self.links.append((given["href"], given.get("rel", "")))
        if given.get(LOADS.get(tag, "")):
            self.loads.append(given[LOADS[tag]])
        if "ping" in given:
            self.loads.append(given["ping"])


def pages(client: Client, *begin: str) -> dict[str, tuple[str, str]]:
    """address -> (page, content security policy), of every page of the site that links lead to from `begin`."""
    found: dict[str, tuple[str, str]] = {}
    waiting = list(begin)
    while waiting:
        path = waiting.pop()
        if path in found or path.startswith("/static/"):
            continue
        answer = client.get(path, follow=True)
        assert answer.status_code in (200, 403), (path, answer.status_code)  # a refusal is a page too
        assert len(found) < MOST, sorted(found)
        if not answer["Content-Type"].startswith("text/html"):
            continue
        html = answer.content.decode()
        found[path] = html, answer["Content-Security-Policy"]
        for href, _ in Read(html).links:
            if href.startswith("/") and not href.startswith("//"):
                waiting.append(href.split("#")[0])
    return found


@pytest.fixture
def busy(cast: Cast, numberyard: NewApp) -> Cast:  # noqa: F811  # a fixture by its name
    """The cast with an app that shares, asks and has read, and one that has nothing."""
    share(
        numberyard.app,
        {"people": "all", "fields": [{"field": "users.givenName", "reason": "To greet the child"}]},
    )
    ask_field(numberyard.app, "users.email", "to write")
    other = create_app(cast.tenant, "Paint Tray", privacy_url="https://painttray.example/privacy")
    agree(
        other.app, purpose="learning-app", region="GB", retention_days=1, contact="a@painttray.example",
        ends_on=clock.today() + timedelta(days=9), read_policy=True,
    )  # fmt: skip
    disclose(cast.administrator, "page:person", [(Person, "email")], [cast.ada.id])
    return cast


def everybody(cast: Cast) -> dict[str, dict[str, tuple[str, str]]]:
    """All pages, by who looks."""
    return {
        "administrator": pages(desk(cast.tenant, "administrator"), "/"),
        "dpo": pages(desk(cast.tenant, "dpo", "Femi Inkwell"), "/"),
        "teacher": pages(desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id), "/"),
        "head": pages(desk(cast.tenant, "head", "Ida Head", org_id=cast.school.id), "/"),
        "nobody": pages(Client(), "/sign-in"),
    }


@pytest.mark.commitment("CLEV-1.76", "CLEV-1.77")
def test_no_page_loads_from_or_sends_to_another_site(busy: Cast) -> None:
    seen = everybody(busy)
    assert "/apps/numberyard" in seen["administrator"] and f"/people/{busy.ada.id}" in seen["teacher"]
    for who, found in seen.items():
        for path, (html, policy) in found.items():
            strangers = [a for a in Read(html).loads if urlsplit(a).netloc or a.startswith("//")]
            assert strangers == [], (who, path)
            assert "<script>" not in html and not re.search(r"<script(?![^>]*src)", html), (who, path)
            rules = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
            assert rules["default-src"] == "'none'" and rules["form-action"] == "'self'", (who, path)
            allowed = {word for name, value in rules.items() for word in value.split() if name != "img-src"}
            assert allowed <= {"'self'", "'none'"}, (
                "a browser lets nothing of another site in, whatever a page says"
            )
            assert set(rules["img-src"].split()) <= {"'self'", "data:"}


@pytest.mark.commitment("CLEV-6.1", "CLEV-2.24")
def test_each_link_to_another_site_is_marked_and_stands_beside_the_statement(busy: Cast) -> None:
    outside = 0
    for who, found in everybody(busy).items():
        for path, (html, _) in found.items():
            for href, rel in Read(html).links:
                if urlsplit(href).netloc:
                    outside += 1
                    assert {"external", "noopener", "noreferrer"} <= set(rel.split()), (who, path, href)
                    assert "ur promise does not cover" in html, (who, path, href)
    assert outside >= 4


@pytest.mark.commitment("CLEV-1.71")
def test_a_days_traffic_is_totals_and_no_visitor_can_be_told_from_another(busy: Cast) -> None:
    for name, role in (("Hana Larkspur", "administrator"), ("Femi Inkwell", "dpo")):
        client = desk(busy.tenant, role, name)
        for path in (f"/people/{busy.ada.id}", "/people?q=riverstone", "/apps/numberyard"):
            client.get(path, REMOTE_ADDR="203.0.113.9", headers={"user-agent": "Firefox/1"})
    text = Client().get("/metrics").content.decode()
    lines = [line for line in text.splitlines() if line.startswith("rollbook_requests_total")]
    labels = {label for line in lines for label in re.findall(r"(\w+)=", line)}
    assert labels == {"door", "status"} and sum(float(line.split()[-1]) for line in lines) >= 6
    for needle in (
        "203.0.113.9",
        "Firefox",
        "Hana",
        "riverstone",
        "numberyard",
        str(busy.ada.id),
        "sevenhills",
    ):
        assert needle not in text


@pytest.mark.commitment("CLEV-1.72")
def test_an_error_report_has_a_code_and_no_word_of_a_childs_data(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("Ada Riverstone, ada@puddlebrook.example")

    client = desk(cast.tenant, "administrator")
    client.raise_request_exception = False
    monkeypatch.setattr("rollbook.roster.queries.person.person", broken)
    answer = client.get(f"/people/{cast.ada.id}")
    [line] = [
        r.getMessage() for r in caplog.records if r.name.startswith("rollbook") and r.levelname == "ERROR"
    ]
    code = line.split()[1].rstrip(":")
    assert answer.status_code == 500 and code in plain(answer) and "ValueError" in line
    assert (
        "Ada" not in plain(answer) + caplog.text and "puddlebrook.example" not in plain(answer) + caplog.text
    )

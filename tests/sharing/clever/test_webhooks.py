"""Webhooks: an app is told that there are events, once each, signed, again when it does not answer; never a person in a
message, never a call into our own network."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.jobs import run_one
from rollbook.policy import unguarded
from rollbook.sharing import create_app, share, stop
from rollbook.sharing.actions.webhooks import add_webhook, end_webhook, resend
from rollbook.sharing.connectors.webhooks import send
from rollbook.sharing.models import Delivery, Webhook
from rollbook.sharing.rules.webhooks import WAITS, read_url, refused
from tests.sharing.clever.conftest import read
from tests.sharing.clever.test_events import Told, rule
from tests.sharing.clever.test_events import told as told
from tests.sharing.oneroster.test_doors import disclosures


class Listener:
    """An app's own server: keeps what it gets, answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status, self.headers = 200, {}  # type: int, dict[str, str]
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), body))
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?of=erin"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def listener(settings: Any) -> Iterator[Listener]:
    settings.ROLLBOOK_WEBHOOK_LOOPBACK = True
    found = Listener()
    yield found
    found.server.shutdown()
    found.server.server_close()


def work() -> int:
    """Run the jobs that are due; how many there were."""
    return sum(1 for _ in iter(run_one, False))


def deliveries() -> list[Delivery]:
    with unguarded("a test reads the deliveries"):
        return list(Delivery.objects.order_by("id"))


@pytest.fixture
def hooked(told: Callable[..., Told], listener: Listener) -> tuple[Told, str]:
    """An app that has read its events, and its webhook's secret."""
    app = told()
    app.events()
    _, secret = add_webhook(app.erin.made.app, listener.url, None)
    work()
    assert listener.got == []
    return app, secret


def test_an_app_is_told_once_that_there_are_events_and_finds_them_where_it_is_told(
    hooked: tuple[Told, str], listener: Listener
) -> None:
    app, _ = hooked
    app.school.users["ada"]["familyName"] = "Brook"
    app.school.person("juno", "student")
    app.sync()
    work()
    [(headers, body)] = listener.got
    said = json.loads(body)
    assert said["type"] == "events.available" and said["counts"] == {"users.created": 1, "users.updated": 1}
    assert headers["Rollbook-Delivery"] == said["id"]
    found = read(app.erin, said["events"])
    assert [e["type"] for e in found] == ["users.created", "users.updated"]
    app.sync()
    work()
    assert len(listener.got) == 1
    [row] = deliveries()
    assert (row.state, row.attempts, row.status, row.next_at) == ("delivered", 1, 200, None)


def test_a_message_names_nobody_and_is_no_disclosure(hooked: tuple[Told, str], listener: Listener) -> None:
    app, _ = hooked
    before = len(disclosures())
    app.school.person("juno", "student", givenName="Juno")
    app.sync()
    work()
    [(_, body)] = listener.got
    assert app.person("juno").encode() not in body and b"Juno" not in body
    assert set(json.loads(body)) == {"id", "type", "created", "district", "counts", "events"}
    assert len(disclosures()) == before


def test_a_message_is_signed_with_its_time(hooked: tuple[Told, str], listener: Listener) -> None:
    app, secret = hooked
    app.school.person("juno", "student")
    app.sync()
    work()
    [(headers, body)] = listener.got
    t, v1 = (part.partition("=")[2] for part in headers["Rollbook-Signature"].split(","))
    assert abs(int(t) - clock.now().timestamp()) < 60
    assert v1 == hmac.new(secret.encode(), f"{t}.".encode() + body, hashlib.sha256).hexdigest()
    with unguarded("a test looks for the secret"):
        assert secret not in str(Webhook.objects.values().get())


def test_a_rule_that_changes_is_told_too_and_a_stopped_app_hears_only_of_what_it_must_delete(
    hooked: tuple[Told, str], listener: Listener
) -> None:
    app, _ = hooked
    share(app.erin.made.app, rule({"classes": ["KES"]}))
    work()

    def heard() -> list[str]:
        return [json.loads(body)["type"] for _, body in listener.got]

    assert sorted(heard()) == ["duties.available", "events.available"]
    events = next(json.loads(body) for _, body in listener.got if b"events.available" in body)
    assert events["counts"]["users.deleted"] == 3
    app.school.person("juno", "student")
    stop(app.erin.made.app)
    app.sync()
    work()
    assert set(heard()[2:]) == {"duties.available"}


def test_what_is_not_answered_is_tried_again_later_and_later_and_then_given_up(
    hooked: tuple[Told, str], listener: Listener
) -> None:
    app, _ = hooked
    listener.status = 503
    app.school.person("juno", "student")
    app.sync()
    moment = clock.now() + timedelta(seconds=1)
    for tried, wait in enumerate(WAITS, start=1):
        with clock.at(moment):
            work()
        [row] = deliveries()
        assert (row.state, row.attempts, row.status, row.error) == ("waiting", tried, 503, "It answered 503.")
        assert row.next_at == moment + wait
        with clock.at(moment + wait - timedelta(seconds=1)):
            work()
        assert len(listener.got) == tried
        moment += wait
    with clock.at(moment):
        work()
    [row] = deliveries()
    assert (row.state, row.attempts, len(listener.got)) == ("given up", len(WAITS) + 1, len(WAITS) + 1)
    assert len({body for _, body in listener.got}) == 1, "the same message under the same id"


def test_a_message_is_sent_again_by_hand(hooked: tuple[Told, str], listener: Listener) -> None:
    app, _ = hooked
    app.school.person("juno", "student")
    app.sync()
    work()
    [row] = deliveries()
    resend(app.erin.made.app, row.id, None)
    work()
    assert len(listener.got) == 2 and listener.got[0][1] == listener.got[1][1]
    assert [d.state for d in deliveries()] == ["delivered"]
    with pytest.raises(NotFound):
        resend(create_app(app.tenant, "Another").app, row.id, None)


def test_an_ended_webhook_hears_nothing_more(hooked: tuple[Told, str], listener: Listener) -> None:
    app, _ = hooked
    listener.status = 500
    app.school.person("juno", "student")
    app.sync()
    work()
    [row] = deliveries()
    end_webhook(app.erin.made.app, row.webhook_id, None)
    with clock.at(clock.now() + timedelta(days=1)):
        work()
    assert (len(listener.got), deliveries()[0].state) == (1, "given up")


def test_another_address_in_the_answer_is_not_followed(hooked: tuple[Told, str], listener: Listener) -> None:
    app, _ = hooked
    listener.status, listener.headers = 302, {"Location": listener.url}
    app.school.person("juno", "student")
    app.sync()
    work()
    [row] = deliveries()
    assert (len(listener.got), row.status, "not followed" in row.error) == (1, 302, True)


# ---- No way into our own network.


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.8", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "::1", "fe80::1",  # noqa: S104  # addresses to refuse, none to listen on
        "fd00::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "2002:0a00:0001::", "224.0.0.1", "255.255.255.255", "ff02::1",
    ],
)  # fmt: skip
def test_a_private_address_is_refused_whether_written_or_meant(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Invalid):
        read_url(f"https://{host}/hook", loopback=False)

    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443)),
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]  # fmt: skip

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert send("https://app.example/hook", b"{}", {}) == (0, "The address lies in a private network.")


@pytest.mark.parametrize(
    "url",
    [
        "", "app.example/hook", "http://app.example/hook", "ftp://app.example/", "https://user:pw@app.example/", "https://",
        "https://app.example:0x1/", "https://app.example/#part", "file:///etc/passwd", "http://127.0.0.1/", "javascript:x",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_called_safely_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as error:
        read_url(url, loopback=False)
    assert error.value.field == "url" and error.value.mend


def test_a_public_address_over_https_is_taken() -> None:
    assert (
        read_url(" https://app.example:8443/hook?a=1 ", loopback=False) == "https://app.example:8443/hook?a=1"
    )
    assert refused("93.184.216.34", loopback=False) == ""
    assert refused("10.0.0.1", loopback=True)


@hypothesis.settings(deadline=None)
@hypothesis.given(st.ip_addresses())
def test_only_what_the_internet_reaches_is_ever_called(address: Any) -> None:
    if not refused(str(address), loopback=False):
        assert address.is_global and not address.is_loopback and not address.is_link_local

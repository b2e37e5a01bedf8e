"""What an app received it must delete: when a pupil leaves, the rule narrows, sharing stops, the agreement ends."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from rollbook.kernel import clock, idset
from rollbook.kernel.jobs import run_one
from rollbook.kernel.models import Job
from rollbook.policy import Actor, Audit, disclose, unguarded
from rollbook.roster.actions import people as by_hand
from rollbook.roster.models import Person
from rollbook.sharing.actions import NewApp, agree, create_app, issue_token, share, stop
from rollbook.sharing.actions.duties import find_duties, look_everywhere
from rollbook.sharing.actions.webhooks import add_webhook
from rollbook.sharing.models import Delivery, Duty
from rollbook.sharing.queries import grant_for
from rollbook.sharing.rules import seal, seal_short
from tests.cast import Cast
from tests.sharing.conftest import numberyard  # noqa: F401  # the app of the cast
from tests.staff import desk, guardian, let_in, plain

DOOR = "/sharing/v1/duties"
HANA = Actor("staff", "administrator", 7, "Hana Larkspur")
ALL = {"people": "all", "fields": "all"}
READ = "https://purl.imsglobal.org/spec/or/v1p2/scope/roster.readonly"


def send(app: NewApp, people: Iterable[Person]) -> None:
    """The app reads these people, as the log has it."""
    grant = grant_for(app.app.id)
    columns = [(Person, "given_name")]
    disclose(
        grant.access, "oneroster:getAllUsers", columns, [p.id for p in people], authorised_by=grant.rule_id
    )


def work() -> None:
    """Run the jobs that are due."""
    while run_one():
        pass


def duties() -> list[tuple[str, int, set[int], str]]:
    """(cause, days until it is due, people, state) of every duty."""
    with unguarded("look"):
        rows = Duty.objects.order_by("id")
        return [
            (d.cause, (d.due_on - clock.today()).days, set(idset.unpack(bytes(d.ids))), d.state) for d in rows
        ]


def basic(app: NewApp) -> dict[str, Any]:
    given = base64.b64encode(f"{app.client_id}:{app.client_secret}".encode()).decode()
    return {"HTTP_AUTHORIZATION": f"Basic {given}"}


@pytest.fixture
def holding(cast: Cast, numberyard: NewApp) -> NewApp:  # noqa: F811  # a fixture by its name
    """Numberyard, which has read Ada and Ivo."""
    share(numberyard.app, ALL)
    send(numberyard, [cast.ada, cast.ivo])
    work()
    assert duties() == []
    return numberyard


def test_a_pupil_who_leaves_is_to_be_deleted_so_many_days_later(cast: Cast, holding: NewApp) -> None:
    by_hand.remove(cast.tenant, cast.ada.id, HANA, "moved away")
    work()
    assert duties() == [("left", 90, {cast.ada.id}, "open")]
    assert find_duties(cast.tenant.id) == [] and len(duties()) == 1, "a second run finds nothing more"


def test_who_was_never_sent_is_never_owed(cast: Cast, holding: NewApp) -> None:
    by_hand.remove(cast.tenant, cast.ben.id, HANA, "moved away")
    work()
    assert duties() == []


def test_a_narrower_rule_a_stop_and_an_ended_agreement_each_begin_the_clock(
    cast: Cast, holding: NewApp
) -> None:
    share(holding.app, {"people": {"classes": ["KES"]}, "fields": "all"})
    work()
    assert duties() == [("rule", 90, {cast.ivo.id}, "open")]
    stop(holding.app, because="enough")
    work()
    assert duties()[1:] == [("stopped", 90, {cast.ada.id}, "open")], "Ivo is owed already"


def test_when_the_agreement_runs_out_the_daily_look_finds_it(cast: Cast, holding: NewApp) -> None:
    with clock.at(clock.now() + timedelta(days=302)):
        work()
        assert duties() == [("agreement", 88, {cast.ada.id, cast.ivo.id}, "open")], (
            "counted from its last day"
        )


def test_a_worker_that_starts_finds_what_ran_out_where_nothing_else_happens(
    cast: Cast, holding: NewApp
) -> None:
    Job.objects.all().delete()  # as after an upgrade, or a restore
    with clock.at(clock.now() + timedelta(days=302)):
        work()
        assert duties() == []
        look_everywhere()
        work()
        assert [d[0] for d in duties()] == ["agreement"]
        assert Job.objects.filter(state="queued", name="sharing.duties").count() == 1, "tomorrow's"


def test_who_is_shared_again_is_not_owed_any_more(cast: Cast, holding: NewApp) -> None:
    share(holding.app, {"people": {"classes": ["KES"]}, "fields": "all"})
    work()
    share(holding.app, ALL)
    work()
    assert [d[3] for d in duties()] == ["void"]


@pytest.mark.commitment("CLEV-4.12")
def test_the_app_reads_whom_it_is_about_and_confirms(cast: Cast, holding: NewApp) -> None:
    token, _ = issue_token(holding.client_id, holding.client_secret, [READ])
    bearer: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    by_hand.remove(cast.tenant, cast.ada.id, HANA, "moved away")
    work()
    client = Client()
    (duty,) = client.get(DOOR, **bearer).json()["duties"]
    assert (duty["cause"], duty["count"], duty["state"]) == ("left", 1, "open")
    assert duty["deleteBy"] == (clock.today() + timedelta(days=90)).isoformat()
    where = f"{DOOR}/{duty['id']}"
    said: dict[str, Any] = {
        "data": {"statement": "Deleted from all stores."},
        "content_type": "application/json",
    }
    early = client.post(f"{where}/confirm", **said, **bearer)
    assert early.status_code == 422 and "Read first" in early.json()["message"]
    people = client.get(f"{where}/people", **bearer).json()
    key = bytes.fromhex(holding.app.id_key)
    (ada,), (short,) = seal(key, "person", [cast.ada.id]), seal_short(key, "person", [cast.ada.id])
    assert people == {"count": 1, "people": [{"sourcedId": ada, "cleverId": short}]}
    empty = client.post(f"{where}/confirm", {"statement": " "}, content_type="application/json", **bearer)
    assert empty.status_code == 422 and empty.json()["field"] == "statement"
    first = client.post(f"{where}/confirm", **said, **bearer).json()
    assert first["state"] == "confirmed" and first["statement"] == "Deleted from all stores."
    again = client.post(f"{where}/confirm", {"statement": "Twice"}, content_type="application/json", **bearer)
    assert again.json() == first, "said again it changes nothing"
    find_duties(cast.tenant.id)
    assert [d[3] for d in duties()] == ["confirmed"], "what was settled is not owed again"
    with unguarded("look"):
        assert Audit.objects.get(verb="duty.confirmed").details["reason"] == "Deleted from all stores."
    office = desk(cast.tenant, "administrator")
    assert "confirmed on" in plain(office.get(f"/people/{cast.ada.id}"))
    assert "Deleted from all stores." in plain(office.get("/apps/numberyard"))


def test_an_app_that_was_stopped_still_reads_what_it_owes(cast: Cast, holding: NewApp) -> None:
    stop(holding.app)
    work()
    client = Client()
    (duty,) = client.get(DOOR, **basic(holding)).json()["duties"]
    assert duty["cause"] == "stopped" and duty["count"] == 2
    listed = client.get(f"{DOOR}/{duty['id']}/people", **basic(holding)).json()["people"]
    assert len(listed) == 2 and str(cast.ada.id) not in str(listed) and "Ada" not in str(listed)


def test_nobody_else_reads_or_confirms_it(cast: Cast, holding: NewApp) -> None:
    stop(holding.app)
    work()
    client = Client()
    (duty,) = client.get(DOOR, **basic(holding)).json()["duties"]
    other = create_app(cast.tenant, "Paint Tray")
    assert client.get(DOOR, **basic(other)).json() == {"duties": []}
    for part, method in (("", "get"), ("/people", "get"), ("/confirm", "post")):
        door = f"{DOOR}/{duty['id']}{part}"
        assert getattr(client, method)(door, **basic(other)).status_code == 404
        assert getattr(client, method)(door).status_code == 401
    wrong: dict[str, Any] = {
        "HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{holding.client_id}:no".encode()).decode()
    }
    assert client.get(DOOR, **wrong).status_code == 401
    assert client.post(DOOR, **basic(holding)).status_code == 405
    assert duties()[0][3] == "open"


def test_wrong_secrets_and_too_many_calls_are_stopped(cast: Cast, holding: NewApp, settings: Any) -> None:
    wrong: dict[str, Any] = {
        "HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{holding.client_id}:no".encode()).decode()
    }
    codes = [Client().get(DOOR, **wrong).status_code for _ in range(17)]
    assert codes[0] == 401 and codes[-1] == 429
    settings.ROLLBOOK_API_RATE = 1
    token, _ = issue_token(holding.client_id, holding.client_secret, [READ])
    bearer: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    assert [Client().get(DOOR, **bearer).status_code for _ in range(2)] == [200, 429]


def test_nobody_joins_a_duty_that_was_read(cast: Cast, holding: NewApp) -> None:
    by_hand.remove(cast.tenant, cast.ada.id, HANA, "moved")
    work()
    by_hand.remove(cast.tenant, cast.ivo.id, HANA, "moved")
    work()
    assert [d[2] for d in duties()] == [{cast.ada.id, cast.ivo.id}], "one row of one cause and day"
    (duty,) = Client().get(DOOR, **basic(holding)).json()["duties"]
    Client().get(f"{DOOR}/{duty['id']}/people", **basic(holding))
    send(holding, [cast.ben])
    by_hand.remove(cast.tenant, cast.ben.id, HANA, "moved")
    work()
    assert [d[2] for d in duties()] == [{cast.ada.id, cast.ivo.id}, {cast.ben.id}]


def test_a_webhook_is_told_even_when_sharing_was_stopped(
    cast: Cast, holding: NewApp, monkeypatch: Any
) -> None:
    sent: list[bytes] = []

    def answered(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        sent.append(body)
        return 200, ""

    monkeypatch.setattr("rollbook.sharing.connectors.webhooks.send", answered)
    add_webhook(holding.app, "https://numberyard.example/told", None)
    stop(holding.app)
    work()
    (body,) = sent
    assert b'"duties.available"' in body and b"/sharing/v1/duties" in body
    with unguarded("look"):
        assert Delivery.objects.get().state == "delivered"


@pytest.mark.commitment("CLEV-4.12")
def test_who_is_late_is_written_to_once_a_week_and_stands_on_home(cast: Cast, holding: NewApp) -> None:
    stop(holding.app)
    work()
    with clock.at(clock.now() + timedelta(days=91)):
        work()
        (letter,) = mail.outbox
        assert letter.to == ["privacy@numberyard.example"] and "about 2 people" in letter.body
        assert "Ada" not in letter.body and "Riverstone" not in letter.body
    with clock.at(clock.now() + timedelta(days=92)):
        work()
        assert len(mail.outbox) == 1
        office = desk(cast.tenant, "administrator")
        home = plain(office.get("/"))
        assert "1 app owes a deletion" in home and "Late" in home
        assert "reminded 1 time" in plain(office.get("/apps/numberyard"))
    with clock.at(clock.now() + timedelta(days=99)):
        work()
        assert len(mail.outbox) == 2


@pytest.mark.commitment("CLEV-4.12")
def test_the_school_and_the_family_read_that_it_cannot_be_deleted_here(cast: Cast, holding: NewApp) -> None:
    office = desk(cast.tenant, "administrator")
    page = plain(office.get(f"/people/{cast.ada.id}"))
    assert "Sevenhills Trust cannot delete it there" in page
    assert "Numberyard received data about this person. It may keep it while it is shared" in page
    assert "You cannot delete it there." in plain(office.get("/apps/numberyard/stop"))
    assert "It cannot be deleted from here" in plain(office.get(f"/people/{cast.ada.id}/edit"))
    let_in(cast.tenant)
    home = plain(guardian(cast.tenant, cast.cleo.id).get("/family"))
    assert (
        "The school cannot delete it there." in home and "Numberyard received data about this person" in home
    )
    share(holding.app, {"people": {"classes": ["OWL"]}, "fields": "all"})
    work()
    by = clock.today() + timedelta(days=90)
    said = f"must delete it by {by.day} {by:%B %Y}, because the school no longer shares them"
    assert said in plain(office.get(f"/people/{cast.ada.id}"))
    assert said in plain(guardian(cast.tenant, cast.cleo.id).get("/family"))


def test_a_teacher_reads_nothing_of_it(cast: Cast, holding: NewApp) -> None:
    teacher = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
    assert "received data about" not in plain(teacher.get(f"/people/{cast.ada.id}"))


def test_without_an_agreement_that_allows_the_purpose_nothing_is_told_to_delete(
    cast: Cast, holding: NewApp
) -> None:
    # The agreement moves to a place that the policy does not allow: it is held back, which may be mended tomorrow.
    agree(
        holding.app, purpose="learning-app", region="US", retention_days=90, contact="a@n.example",
        ends_on=clock.today() + timedelta(days=9), read_policy=True,
    )  # fmt: skip
    work()
    assert duties() == []

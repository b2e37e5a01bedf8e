"""A pupil shows a badge and is signed in, to little and for a short time; a stopped badge opens nothing, at once."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from rollbook.identity import rules
from rollbook.identity.actions import close_person, direct, issue, print_run
from rollbook.identity.models import Badge, PersonAccount, Session
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.policy import Actor, Audit, unguarded
from rollbook.roster.models import Person
from tests.cast import Cast
from tests.staff import desk, let_in, pupil, token_of

BY = Actor("staff", "administrator", 1, "Hana Larkspur")
_addresses = (f"10.2.{n // 250}.{n % 250}" for n in itertools.count(1))


@pytest.fixture
def address() -> str:
    """An address that no other test has failed from."""
    return next(_addresses)


def show(token: str, address: str, client: Client | None = None, **more: Any) -> Any:
    return (client or Client()).post("/badge", {"token": token, **more}, REMOTE_ADDR=address)


def open_still(client: Client) -> bool:
    return client.get("/badge/you").status_code == 200


@pytest.mark.commitment("CLEV-1.28")
def test_a_badge_signs_its_pupil_in_and_with_badges_off_it_does_not(cast: Cast, address: str) -> None:
    let_in(cast.tenant)
    token, client = token_of(cast.tenant, cast.ada.id), Client()
    answer = show(token, address, client)
    assert (answer.status_code, answer["Location"]) == (302, "/badge/you")
    assert "Ada" in client.get("/badge/you").content.decode()
    with unguarded("look"):
        assert Session.objects.get().how == "badge"
        assert Audit.objects.filter(verb="identity.signed_in", actor="Ada").count() == 1
    let_in(cast.tenant, badges=False)
    assert not open_still(client)
    assert show(token, address).status_code == 422


@pytest.mark.commitment("CLEV-1.24")
def test_with_pupils_off_a_school_has_no_contact_with_them(cast: Cast, address: str) -> None:
    let_in(cast.tenant)
    token, client = token_of(cast.tenant, cast.ada.id), pupil(cast.tenant, cast.ada.id)
    let_in(cast.tenant, students=False, badges=False, picture_codes=False)
    assert not open_still(client) and show(token, address).status_code == 422
    with pytest.raises(Invalid):
        issue(cast.tenant, [cast.ada.id], BY)


def test_a_code_may_be_typed_with_spaces_and_in_small_letters(cast: Cast, address: str) -> None:
    let_in(cast.tenant)
    typed = token_of(cast.tenant, cast.ada.id).removeprefix("RB1:").lower()
    assert show(f"{typed[:5]} {typed[5:]}", address).status_code == 302


@pytest.mark.commitment("CLEV-1.33")
@pytest.mark.parametrize("more", [{"image": "x"}, {"frame": ""}, {"next": "/"}])
def test_the_page_takes_what_a_badge_says_and_nothing_else(
    cast: Cast, address: str, more: dict[str, Any]
) -> None:
    let_in(cast.tenant)
    token = token_of(cast.tenant, cast.ada.id)
    assert show(token, address, **more).status_code == 400
    assert show(token, address).status_code == 302


def test_the_badge_page_alone_may_ask_for_the_camera(cast: Cast) -> None:
    page, other = Client().get("/badge"), Client().get("/picture")
    assert "camera=(self)" in page["Permissions-Policy"] and "camera=()" in other["Permissions-Policy"]
    policy = page["Content-Security-Policy"]
    assert (
        policy.startswith("default-src 'none'; script-src 'self'; worker-src 'self'")
        and "blob:" not in policy
    )


def test_only_a_hash_of_what_a_badge_says_is_kept(cast: Cast) -> None:
    let_in(cast.tenant)
    token = token_of(cast.tenant, cast.ada.id)
    assert rules.BADGE.match(token)
    with unguarded("look"):
        kept = Badge.objects.get()
    assert token not in str(vars(kept)) and token[4:] not in str(vars(kept))


def test_a_badge_printed_again_says_the_same_and_another_key_says_so(cast: Cast, monkeypatch: Any) -> None:
    let_in(cast.tenant)
    assert token_of(cast.tenant, cast.ada.id) == token_of(cast.tenant, cast.ada.id)
    monkeypatch.setattr(settings, "SECRET_KEY", "another")
    with pytest.raises(Invalid, match="another key"):
        print_run(cast.tenant, [cast.ada.id], BY, "x")


@pytest.mark.parametrize(
    "how", ["stopped", "all anew", "rotated", "left the roll", "switched off", "account closed", "year over"]
)
def test_what_ends_a_badge_ends_what_it_opened_at_once(cast: Cast, address: str, how: str) -> None:
    let_in(cast.tenant)
    token, client = token_of(cast.tenant, cast.ada.id), pupil(cast.tenant, cast.ada.id)
    assert open_still(client)
    admin, ada = desk(cast.tenant, "administrator"), cast.ada.id
    moment = clock.now()
    match how:
        case "stopped":
            admin.post(f"/people/{ada}/sign-in", {"do": "stop"})
        case "all anew":
            admin.post(f"/classes/{cast.kestrels.id}/badges", {"do": "anew"})
        case "rotated":
            admin.post("/sign-in-rules", {"do": "rotate"})
        case "left the roll":
            with unguarded("the school's system"):
                Person.objects.filter(id=ada).update(status="tobedeleted")
        case "switched off":
            with unguarded("the school's system"):
                Person.objects.filter(id=ada).update(enabled_user=False)
        case "account closed":
            close_person(cast.tenant.id, ada, BY)
        case "year over":
            moment = datetime(rules.year_ends(moment.date()).year, 9, 1, tzinfo=UTC)
    with clock.at(moment):
        assert not open_still(client)
        assert show(token, address).status_code == 422
        if how == "all anew":
            assert show(token_of(cast.tenant, ada), address).status_code == 302


def test_a_sign_in_by_badge_lasts_an_hour_and_a_quarter_of_one_without_use(cast: Cast) -> None:
    let_in(cast.tenant)
    began = clock.now()
    for minutes, still in ((16, False), (14, True)):
        client = pupil(cast.tenant, cast.ada.id)
        with clock.at(began + timedelta(minutes=minutes)):
            assert open_still(client) is still
    client = pupil(cast.tenant, cast.ada.id)
    for minutes in (14, 28, 42, 56):
        with clock.at(began + timedelta(minutes=minutes)):
            assert open_still(client)
    with clock.at(began + timedelta(minutes=61)):
        assert not open_still(client)


MAY = {
    "badge",
    "badge_you",
    "picture",
    "finish",
    "books",
    "books_seen",
    "launch",
    "sign_in",
    "sign_out",
    "home",
}


def _views(patterns: Any) -> Any:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and hasattr(pattern.pattern, "_route"):
            yield pattern.name, re.sub(r"<\w+:\w+>", "1", str(pattern.pattern._route))


def test_a_badge_opens_no_page_but_the_pupils_own(cast: Cast) -> None:
    """Every door of the site is tried: what does not name pupils refuses them."""
    let_in(cast.tenant)
    client = pupil(cast.tenant, cast.ada.id)
    pages = [(n, a) for n, a in _views(get_resolver().url_patterns) if n not in MAY and a != "metrics"]
    assert len(pages) > 25
    for name, address in pages:
        nobody, child = Client().get(f"/{address}"), client.get(f"/{address}")
        same = nobody.status_code == child.status_code and nobody.status_code != 200
        public = nobody.status_code == 200 and nobody.content == child.content
        refused = child.status_code in (400, 403, 404, 405)
        assert same or public or refused, (name, address, child.status_code)
        assert "Riverstone" not in child.content.decode(errors="replace"), name


@pytest.mark.commitment("ALEF-8.4")
@pytest.mark.commitment("CLEV-1.27")
@pytest.mark.commitment("CLEV-5.4")
def test_no_account_of_a_child_before_the_school_has_said_so(cast: Cast, address: str) -> None:
    with pytest.raises(Invalid):
        issue(cast.tenant, [cast.ada.id], BY)
    admin = desk(cast.tenant, "administrator")
    refused = admin.post("/sign-in-rules", {"do": "direct", "students": "on", "badges": "on"})
    assert refused.status_code == 422 and "rests this on" in refused.content.decode()
    with pytest.raises(Invalid, match="Nobody is named"):
        direct(cast.tenant, None, "public task", "a letter", students=True)
    with unguarded("look"):
        assert not PersonAccount.objects.exists()
    said = {
        "do": "direct",
        "students": "on",
        "badges": "on",
        "ground": "public task",
        "parents_told": "letter",
    }
    assert admin.post("/sign-in-rules", said).status_code == 302
    admin.post(f"/classes/{cast.kestrels.id}/badges", {"do": "give"})
    with unguarded("look"):
        made = PersonAccount.objects.get()
        assert (made.person_id, made.made_by) == (cast.ada.id, "Hana Larkspur")
        assert Audit.objects.get(verb="identity.sign_in_directed").details["ground"] == "public task"


def test_nobody_but_a_pupil_on_the_roll_gets_a_badge(cast: Cast) -> None:
    let_in(cast.tenant)
    for person in (cast.ben, cast.gus, cast.stranger):
        with pytest.raises(Invalid):
            issue(cast.tenant, [person.id], BY)


@pytest.mark.commitment("CLEV-1.26")
@pytest.mark.commitment("CLEV-1.29")
def test_a_teacher_prints_a_sheet_with_one_code_for_each_pupil(cast: Cast) -> None:
    let_in(cast.tenant)
    ben = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
    where = f"/classes/{cast.kestrels.id}/badges"
    assert ben.post(where, {"do": "give"}).status_code == 302
    sheet = ben.post(f"{where}/print").content.decode()
    assert (
        sheet.count('class="qr"') == 1 and ">Ada<" in sheet and "Kestrels" in sheet and "Puddlebrook" in sheet
    )
    assert "Riverstone" not in sheet and "ID-ada" not in sheet
    assert token_of(cast.tenant, cast.ada.id).removeprefix("RB1:") in sheet.replace(" ", "")
    with unguarded("look"):
        run = Audit.objects.filter(verb="badge.printed").order_by("id")[0]
        assert (run.actor, run.object, run.details["people"]) == (
            "Ben Thistlewick",
            "Kestrels",
            [cast.ada.id],
        )


def test_a_teacher_next_door_neither_sees_nor_stops_nor_prints_the_badges(cast: Cast) -> None:
    let_in(cast.tenant)
    dov = desk(cast.tenant, "teacher", "Dov Marlow", person_id=cast.dov.id)
    client = pupil(cast.tenant, cast.ada.id)
    for do in ("give", "stop", "anew"):
        assert dov.post(f"/classes/{cast.kestrels.id}/badges", {"do": do}).status_code == 404
        # their own class, but a pupil who is not in it
        form = {"do": do, "person": str(cast.ada.id)}
        assert dov.post(f"/classes/{cast.owls.id}/badges", form).status_code == 404
    assert dov.post(f"/classes/{cast.kestrels.id}/badges/print").status_code == 404
    form = {"person": str(cast.ada.id)}
    assert dov.post(f"/classes/{cast.owls.id}/badges/print", form).status_code == 404
    assert dov.post(f"/people/{cast.ada.id}/sign-in", {"do": "stop"}).status_code == 404
    assert open_still(client)


def test_not_me_ends_the_sign_in_and_is_written_down(cast: Cast) -> None:
    let_in(cast.tenant)
    client = pupil(cast.tenant, cast.ada.id)
    assert "Sorry" in client.post("/finish", {"wrong": "1"}).content.decode()
    assert not open_still(client)
    with unguarded("look"):
        assert Audit.objects.filter(verb="identity.not_me").count() == 1


# ---- Guessing.


def test_a_wrong_a_stopped_and_a_missing_badge_look_the_same(cast: Cast, address: str) -> None:
    let_in(cast.tenant)
    stopped = token_of(cast.tenant, cast.ada.id)
    issue(cast.tenant, [cast.ada.id], BY, again=True)
    said = {
        show(token, address, headers={"Accept": "application/json"}).content
        for token in (stopped, "RB1:" + "A" * 26, "nonsense", "")
    }
    assert len(said) == 1


def test_a_device_pauses_after_ten_failures_and_the_class_beside_it_goes_on(cast: Cast, address: str) -> None:
    let_in(cast.tenant)
    token, client = token_of(cast.tenant, cast.ada.id), Client()
    show("first", address, client)  # and the device has a number
    moment = clock.now().replace(second=5)
    with clock.at(moment):
        for _ in range(rules.PER_DEVICE):
            assert show("RB1:" + "B" * 26, address, client).status_code == 422
        answer = show(token, address, client)
        assert answer.status_code == 429 and 0 < int(answer["Retry-After"]) <= rules.PAUSE
        assert show(token, address).status_code == 302, "another device behind the same address"
    with clock.at(moment + timedelta(seconds=rules.PAUSE)):
        assert show(token, address, client).status_code == 302, "the pause is short"


@pytest.mark.commitment("ALEF-11.8")
def test_an_address_pauses_after_sixty_failures_and_a_class_of_thirty_does_not_trip_it(
    cast: Cast, address: str
) -> None:
    let_in(cast.tenant)
    token = token_of(cast.tenant, cast.ada.id)
    with clock.at(clock.now().replace(minute=1, second=5)):
        for _ in range(30):  # each child of a class fails once, then fits
            assert show("RB1:" + "C" * 26, address).status_code == 422
            assert show(token, address).status_code == 302
        for _ in range(30):
            assert show("RB1:" + "C" * 26, address).status_code == 422
        assert show(token, address).status_code == 429
    with unguarded("look"):
        assert not Audit.objects.filter(verb="badge.refused").exists(), "nobody knows whose school a guess is"


def test_a_refused_badge_is_in_the_record_of_its_school(cast: Cast, address: str) -> None:
    let_in(cast.tenant)
    token = token_of(cast.tenant, cast.ada.id)
    issue(cast.tenant, [cast.ada.id], BY, again=True)
    show(token, address)
    with unguarded("look"):
        assert Audit.objects.get(verb="badge.refused").object_id == cast.ada.id

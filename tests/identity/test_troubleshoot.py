"""An administrator sees why one person cannot sign in; every look is recorded."""

from __future__ import annotations

from django.test import Client

from rollbook.policy import Audit, Disclosure, unguarded
from tests.cast import Cast
from tests.staff import desk, let_in, plain, pupil, token_of


def page(cast: Cast, person: int) -> str:
    answer = desk(cast.tenant, "administrator").get(f"/people/{person}/troubleshoot")
    assert answer.status_code == 200
    return plain(answer)


def test_each_condition_is_named_and_the_look_is_recorded(cast: Cast) -> None:
    nothing = page(cast, cast.ada.id)
    assert nothing.count("No</span>") == 4 and nothing.count("Yes</span>") == 2
    with unguarded("look"):
        assert Audit.objects.get(verb="identity.troubleshot").object_id == cast.ada.id
        assert Disclosure.objects.get(door="page:troubleshoot").people_count == 1


def test_what_happened_is_shown(cast: Cast) -> None:
    let_in(cast.tenant)
    pupil(cast.tenant, cast.ada.id)
    stopped = token_of(cast.tenant, cast.ada.id)
    admin = desk(cast.tenant, "administrator", "Erin Office")
    admin.post(f"/people/{cast.ada.id}/sign-in", {"do": "stop"})
    Client().post("/badge", {"token": stopped}, REMOTE_ADDR="10.6.0.1")
    shown = page(cast, cast.ada.id)
    assert "signed in" in shown and "a badge that is stopped" in shown and shown.count("No</span>") == 1


def test_nobody_else_may_look_and_strangers_are_not_there(cast: Cast) -> None:
    for role, where in (
        ("teacher", {"person_id": cast.ben.id}),
        ("head", {"org_id": cast.school.id}),
        ("dpo", {}),
    ):
        assert desk(cast.tenant, role, **where).get(f"/people/{cast.ada.id}/troubleshoot").status_code == 403
    admin = desk(cast.tenant, "administrator")
    assert admin.get(f"/people/{cast.stranger.id}/troubleshoot").status_code == 404

"""Every staff page as the web process serves it: on PostgreSQL by a role that owns nothing, behind the second wall."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from rollbook.policy import disclose
from rollbook.roster.models import Person
from rollbook.sharing.actions import NewApp, ask_field, share
from tests.cast import Cast
from tests.sharing.conftest import numberyard  # noqa: F401  # the app of the cast
from tests.staff import desk, plain

GREET = {"field": "users.givenName", "reason": "To greet the child"}


@pytest.fixture
def behind(cast: Cast, numberyard: NewApp, settings: Any) -> Client:  # noqa: F811  # a fixture by its name
    share(numberyard.app, {"people": {"classes": ["KES"]}, "fields": [GREET]})
    share(numberyard.app, {"people": {"orgs": ["S1"]}, "fields": [GREET]})
    ask_field(numberyard.app, "users.email", "to write")
    disclose(cast.administrator, "page:person", [(Person, "email")], [cast.ada.id])
    client = desk(cast.tenant, "administrator")
    settings.ROLLBOOK_WEB_ROLE = "rollbook_web"
    return client


@pytest.mark.parametrize(
    ("door", "says"),
    [
        ("/", "Asks for 1 more detail."),
        ("/apps", "1 pupil, 1 member of staff and 1 family member"),
        (
            "/apps/numberyard",
            "Numberyard gets <b>3 details</b> about <b>1 pupil, 1 member of staff and 1 family member</b>",
        ),
        ("/apps/numberyard/rule", "To greet the child"),
        ("/apps/numberyard/history", "Everyone in Kestrels"),
        ("/apps/numberyard/agreement", "Agreements so far"),
        ("/apps/numberyard/stop", "Numberyard loses 3 people"),
        ("/apps/numberyard/try?q=ada", "Ada Riverstone"),
        ("/audit", "looked at Ada Riverstone’s email"),
        ("/audit?school={school}", "looked at Ada Riverstone’s email"),
    ],
)
def test_a_page_says_the_same_behind_the_wall(behind: Client, cast: Cast, door: str, says: str) -> None:
    answer = behind.get(door.format(school=cast.school.id))
    assert answer.status_code == 200 and says in plain(answer)


def test_a_rule_is_checked_and_saved_behind_the_wall(behind: Client, cast: Cast) -> None:
    form = {
        "do": "check",
        "who": "all",
        "field": ["users.givenName"],
        "reason.users.givenName": "To greet the child",
    }
    checked = behind.post("/apps/numberyard/rule", form)
    assert "Adds 3 people" in plain(checked)
    saved = behind.post(
        "/apps/numberyard/rule", {"do": "save", "rule": checked.context["rule"], "on": checked.context["on"]}
    )
    assert saved.status_code == 302
    shown = behind.get("/apps/numberyard/try", {"person": cast.ivo.id})
    assert '"givenName": "Ivo"' in shown.context["payload"]
    assert behind.post("/apps/numberyard/stop").status_code == 302
    assert "Sharing with Numberyard was stopped." in plain(
        behind.get("/apps/numberyard/try", {"person": cast.ivo.id})
    )
    assert b"stopped sharing with Numberyard" in b"".join(behind.get("/audit.csv").streaming_content)  # type: ignore[attr-defined]

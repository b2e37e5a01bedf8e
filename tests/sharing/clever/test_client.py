"""An outside client, made from Clever's own description of version 3.0 by others, against a running server: every GET
comes back as the client's own objects, and a walk by the links meets every record once."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest

from rollbook.policy import unguarded
from rollbook.roster.models import Person
from tests.sharing.clever.conftest import known
from tests.sharing.oneroster.conftest import Erin

clever_client = pytest.importorskip("clever_client", reason="strongmind-clever-client is not installed")
pytestmark = pytest.mark.django_db(transaction=True)  # the server answers on connections of its own
APIS = (
    "CoursesApi",
    "DistrictsApi",
    "EventsApi",
    "ResourcesApi",
    "SchoolsApi",
    "SectionsApi",
    "TermsApi",
    "UsersApi",
)
KINDS = {"Courses": "course", "Schools": "org", "Sections": "class", "Terms": "session", "Users": "person"}


def client(erin: Erin, live_server: Any) -> Any:
    settings = clever_client.Configuration()
    settings.host = f"{live_server.url}/v3.0"
    settings.access_token = erin.token()
    return clever_client.ApiClient(settings)


def calls(api: str) -> list[str]:
    """The GET operations of one of its classes."""
    return sorted(
        name
        for name in dir(getattr(clever_client, api))
        if name.startswith("get_") and not name.endswith("_with_http_info")
    )


def id_for(erin: Erin, name: str) -> str | None:
    """The id that an operation asks for: of a course where it is about a course."""
    cast, key = erin.cast, erin
    rows = {
        "course": ("course", cast.course), "district": ("district", cast.tenant), "school": ("org", cast.school),
        "section": ("class", cast.kestrels), "term": ("session", cast.term), "user": ("person", cast.ada),
        "resource": ("class", cast.owls),
    }  # fmt: skip
    subject = name.rpartition("_for_")[2] if "_for_" in name else name.removeprefix("get_")
    return known(key, *rows[subject]) if subject in rows else None


@pytest.mark.commitment("CLEV-0.3")
@pytest.mark.parametrize("api", [a for a in APIS if a != "EventsApi"])
def test_every_answer_comes_back_as_the_clients_own_objects(erin: Erin, live_server: Any, api: str) -> None:
    found = getattr(clever_client, api)(client(erin, live_server))
    assert calls(api)
    for name in calls(api):
        id = id_for(erin, name)
        ask = partial(getattr(found, name), *([id] if id else []))
        if "resource" in name and name != "get_resources" and not name.startswith("get_resources_for"):
            with pytest.raises(clever_client.rest.ApiException, match="404"):
                ask()  # there are none
            continue
        answer = ask()
        assert type(answer).__name__.endswith("Response"), name
        data = answer.data if isinstance(answer.data, list) else [answer]
        for item in data:
            assert re.fullmatch("[0-9a-f]{24}", item.data.id), name


def test_a_walk_by_the_links_meets_every_record_once(erin: Erin, live_server: Any) -> None:
    with unguarded("a test counts"):
        there = Person.objects.filter(tenant=erin.cast.tenant, status="active").count()
    users = clever_client.UsersApi(client(erin, live_server))
    met: list[str] = []
    more: dict[str, str] = {}
    while True:
        page = users.get_users(limit=2, **more)
        met += [item.data.id for item in page.data]
        following = [link.uri for link in page.links if link.rel == "next"]
        if not following:
            break
        more = {"starting_after": following[0].rpartition("starting_after=")[2]}
    assert len(met) == len(set(met)) == there


def test_a_user_has_the_roles_that_the_school_gave(erin: Erin, live_server: Any) -> None:
    users = clever_client.UsersApi(client(erin, live_server))
    ada = users.get_user(known(erin, "person", erin.cast.ada)).data
    assert (ada.name.first, ada.roles.student.grade, ada.roles.teacher) == ("Ada", "2", None)
    [cleo] = users.get_contacts_for_user(ada.id).data
    assert cleo.data.roles.contact.student_relationships[0].student == ada.id


def test_events_come_back_as_the_kinds_that_the_client_knows(erin: Erin, live_server: Any) -> None:
    events = clever_client.EventsApi(client(erin, live_server))
    found = [item.data for item in events.get_events(limit=100).data]
    assert {type(e).__name__ for e in found} == {
        "TermsCreated", "SchoolsCreated", "CoursesCreated", "UsersCreated", "SectionsCreated",
    }  # fmt: skip
    user = next(e for e in found if type(e).__name__ == "UsersCreated")
    assert user.data.object.name.first and events.get_event(user.id).data == user
    erin.share({"people": {"classes": ["KES"]}, "fields": "all"})
    later = events.get_events(starting_after=found[-1].id).data
    assert "UsersDeleted" in {type(item.data).__name__ for item in later}

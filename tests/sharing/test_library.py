"""A teacher adds an app of the library to her own class, within the tenant's limits, and it gets what the library's rule
allows: first name, first letter of the last name, school year, class."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from rollbook.kernel import clock
from rollbook.policy import Audit, Disclosure, unguarded
from rollbook.roster.models import Enrollment, Person, Tenant
from rollbook.sharing.actions import agree, create_app, issue_token
from rollbook.sharing.models import SharingRule
from tests.cast import Cast
from tests.staff import desk, guardian, let_in, pupil

USERS = "/ims/oneroster/rostering/v1p2/users"
SCOPE = "https://purl.imsglobal.org/spec/or/v1p2/scope/roster.readonly"


class Wordyard:
    """An app with an agreement and no rule, and the desks of those who have to do with it."""

    def __init__(self, cast: Cast) -> None:
        self.cast, self.new = (
            cast,
            create_app(cast.tenant, "Wordyard", vendor="Duckpond", about="practise words"),
        )
        agree(self.new.app, purpose="learning-app", region="GB", retention_days=30, contact="x@app.example",
              read_policy=True, ends_on=clock.today() + timedelta(days=90))  # fmt: skip
        self.hana = desk(cast.tenant, "administrator")
        self.ben = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
        self.dov = desk(cast.tenant, "teacher", "Dov Next", person_id=cast.dov.id)

    def limits(self, **more: Any) -> Any:
        form = {"open": "on", "roles": "pupils", "most": "5", "apps": ["wordyard"], **more}
        return self.hana.post("/library", {k: v for k, v in form.items() if v is not None})

    def add(self, desk: Client, klass: Any) -> Any:
        return desk.post("/my-apps/library/wordyard", {"class": klass.id})

    def away(self, desk: Client, klass: Any) -> Any:
        return desk.post("/my-apps/library/wordyard/away", {"class": klass.id})

    def users(self, **asked: str) -> Any:
        token, _ = issue_token(self.new.client_id, self.new.client_secret, [SCOPE])
        tenants = Tenant.objects.filter(id=self.cast.tenant.id)  # as a sync leaves it
        tenants.update(roster_version=F("roster_version") + 1)
        return Client().get(USERS, asked, headers={"authorization": f"Bearer {token}"})

    def names(self) -> list[tuple[str, str]]:
        answer = self.users()
        if answer.status_code == 403:
            return []
        return [(u["givenName"], u["familyName"]) for u in answer.json()["users"] if u["status"] == "active"]


@pytest.fixture
def yard(cast: Cast) -> Wordyard:
    return Wordyard(cast)


def test_the_library_is_closed_until_the_administrator_opens_it(yard: Wordyard, cast: Cast) -> None:
    assert "Wordyard" not in yard.ben.get("/my-apps").content.decode()
    assert yard.ben.get("/my-apps/library/wordyard").status_code == 404
    assert yard.add(yard.ben, cast.kestrels).status_code == 404
    assert yard.limits(open=None).status_code == 302
    assert yard.add(yard.ben, cast.kestrels).status_code == 404
    assert yard.names() == []


def test_the_app_gets_first_name_initial_year_and_class_of_that_class_alone(
    yard: Wordyard, cast: Cast
) -> None:
    yard.limits()
    page = yard.ben.get(f"/my-apps/library/wordyard?class={cast.kestrels.id}").content.decode()
    assert "First letter of the last name" in page and "Adds 1 person: 1 pupil." in page
    assert yard.add(yard.ben, cast.kestrels).status_code == 302
    [user] = yard.users().json()["users"]
    assert (user["givenName"], user["familyName"], user["grades"]) == ("Ada", cast.ada.family_name[0], ["02"])
    assert not {"email", "username", "identifier", "phone", "middleName", "metadata"} & user.keys()
    assert cast.ada.family_name not in str(yard.users().json())
    with unguarded("look"):
        row = Disclosure.objects.filter(recipient_kind="app").latest("id")
    assert "roster_person.family_initial" in row.columns and "family_name" not in row.columns


def test_the_whole_last_name_is_not_found_by_a_filter(yard: Wordyard, cast: Cast) -> None:
    yard.limits()
    yard.add(yard.ben, cast.kestrels)
    for text in (cast.ada.family_name, cast.ada.family_name[:2]):
        assert yard.users(filter=f"familyName='{text}'").json()["users"] == []
        assert yard.users(filter=f"familyName~'{text}'").json()["users"] == []
    assert len(yard.users(filter=f"familyName='{cast.ada.family_name[0]}'").json()["users"]) == 1


def test_only_her_own_class_and_only_by_a_teacher(yard: Wordyard, cast: Cast) -> None:
    yard.limits()
    assert yard.add(yard.dov, cast.kestrels).status_code == 404
    assert yard.add(yard.ben, cast.owls).status_code == 404
    assert yard.add(yard.hana, cast.kestrels).status_code == 403
    assert yard.names() == []
    yard.add(yard.ben, cast.kestrels)
    assert yard.away(yard.dov, cast.kestrels).status_code == 404
    assert len(yard.names()) == 1


def test_two_teachers_each_add_it_and_one_takes_it_away(yard: Wordyard, cast: Cast) -> None:
    yard.limits()
    yard.add(yard.ben, cast.kestrels)
    yard.add(yard.dov, cast.owls)
    assert sorted(given for given, _ in yard.names()) == ["Ada", "Ivo"]
    assert (
        "Undo" in yard.ben.get(f"/my-apps?done=added&app=wordyard&class={cast.kestrels.id}").content.decode()
    )
    assert yard.away(yard.ben, cast.kestrels).status_code == 302
    assert [given for given, _ in yard.names()] == ["Ivo"]
    gone = [u for u in yard.users().json()["users"] if u["status"] == "tobedeleted"]
    assert len(gone) == 1 and gone[0]["givenName"] == gone[0]["familyName"] == ""
    yard.away(yard.dov, cast.owls)
    assert yard.names() == [] and yard.users().status_code == 403


def test_a_pupil_who_leaves_the_class_is_gone_from_the_app(yard: Wordyard, cast: Cast) -> None:
    yard.limits()
    yard.add(yard.ben, cast.kestrels)
    with unguarded("the school's system"):
        Enrollment.objects.filter(person_id=cast.ada.id).update(status="tobedeleted")
    assert yard.names() == []


def test_the_tenants_limits_hold_for_what_was_added_before(yard: Wordyard, cast: Cast) -> None:
    yard.limits(grades=["02"])
    yard.add(yard.ben, cast.kestrels)
    assert len(yard.names()) == 1
    yard.limits(grades=["05"])
    assert yard.names() == []
    yard.limits()
    assert len(yard.names()) == 1
    yard.limits(roles="teachers")
    assert sorted(given for given, _ in yard.names()) == ["Ada", "Ben"]
    yard.limits(open=None)
    assert yard.names() == []
    yard.limits()
    assert yard.names() == []  # opening it again brings nothing back by itself


def test_no_more_apps_at_a_class_than_the_tenant_allows(yard: Wordyard, cast: Cast) -> None:
    other = create_app(cast.tenant, "Sumyard").app
    agree(other, purpose="learning-app", region="GB", retention_days=30, contact="x@app.example", read_policy=True,
          ends_on=clock.today() + timedelta(days=90))  # fmt: skip
    yard.limits(most="1", apps=["wordyard", "sumyard"])
    assert yard.add(yard.ben, cast.kestrels).status_code == 302
    refused = yard.ben.post("/my-apps/library/sumyard", {"class": cast.kestrels.id})
    assert refused.status_code == 422 and "the most that your school allows" in refused.content.decode()
    assert yard.limits(most="0").status_code == 422


def test_an_app_without_an_agreement_or_with_a_rule_of_its_own_stays_out(yard: Wordyard, cast: Cast) -> None:
    create_app(cast.tenant, "Nothing Yet")
    assert yard.limits(apps=["nothing-yet"]).status_code == 422
    yard.limits()
    from rollbook.kernel.errors import Invalid
    from rollbook.sharing.actions import share

    with pytest.raises(Invalid, match="is in the library"):
        share(yard.new.app, {"people": "all", "fields": "all"})


def test_pupils_and_guardians_see_it_and_the_administrator_takes_it_away(yard: Wordyard, cast: Cast) -> None:
    let_in(cast.tenant)
    yard.limits()
    yard.add(yard.ben, cast.kestrels)
    seen = pupil(cast.tenant, cast.ada.id).get("/books/seen").content.decode()
    assert "Wordyard" in seen and "Your teacher added it for <bdi>Kestrels</bdi>" in seen
    family = guardian(cast.tenant, cast.cleo.id).get("/family").content.decode()
    assert "Wordyard" in family and "First letter of the last name" in family and ">Last name" not in family
    app = yard.hana.get("/apps/wordyard").content.decode()
    assert "Ben Thistlewick" in app and "Kestrels" in app
    assert yard.hana.post("/apps/wordyard/library", {"class": cast.kestrels.id}).status_code == 302
    assert yard.names() == []
    record = yard.hana.get("/audit").content.decode()
    for words in (
        "put Wordyard into the library",
        "added Wordyard to Kestrels",
        "took Wordyard away from Kestrels",
    ):
        assert words in record


def test_another_tenants_administrator_and_teacher_are_told_nothing(yard: Wordyard, cast: Cast) -> None:
    yard.limits()
    yard.add(yard.ben, cast.kestrels)
    stranger = desk(cast.other, "administrator", "Una Stranger")
    assert "Wordyard" not in stranger.get("/library").content.decode()
    assert stranger.post("/apps/wordyard/library", {"class": cast.kestrels.id}).status_code == 404
    assert desk(cast.tenant, "head", "Hal Head", org_id=cast.school.id).get("/library").status_code == 403
    assert len(yard.names()) == 1


def test_stopping_the_app_ends_it_at_every_class(yard: Wordyard, cast: Cast) -> None:
    yard.limits()
    yard.add(yard.ben, cast.kestrels)
    assert yard.hana.post("/apps/wordyard/stop", {}).status_code == 302
    yard.limits()
    assert yard.names() == []
    with unguarded("look"):
        assert not SharingRule.objects.filter(ended_at=None).exists()
        verbs = set(Audit.objects.values_list("verb", flat=True))
    assert {
        "library.set",
        "library.put_in",
        "library.added",
        "sharing.rule_changed",
        "sharing.stopped",
    } <= verbs


@pytest.mark.parametrize("name", ["Thistlewick", "Öztürk", "ورد", "李", ""])
def test_the_initial_is_the_first_letter_in_any_script(cast: Cast, name: str) -> None:
    with unguarded("look"):
        Person.objects.filter(id=cast.ada.id).update(family_name=name)
        assert Person.objects.get(id=cast.ada.id).family_initial == name[:1]

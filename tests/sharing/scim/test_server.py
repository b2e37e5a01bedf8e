"""`/scim/v2`: a directory reads what its rule shares, and writes accounts of its own, never the school's records."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from rollbook.policy import Audit, Disclosure, unguarded
from rollbook.sharing.models import ScimUser
from tests.cast import Cast
from tests.sharing.scim.conftest import GROUP, USER, Hallkeys

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
Sharing = Callable[..., Hallkeys]


def disclosures() -> list[Any]:
    with unguarded("a test reads the log"):
        return list(Disclosure.objects.order_by("id"))


# ---- Reading.


def test_a_person_of_the_roster_is_a_user(sharing: Sharing, cast: Cast) -> None:
    ada = sharing().named("ada.ada")
    assert (ada["name"]["givenName"], ada["active"]) == ("Ada", True)
    assert ada["roles"] == [{"value": "student"}]
    assert {g["display"] for g in ada["groups"]} == {"Puddlebrook", "Kestrels"}


def test_classes_and_schools_are_groups(sharing: Sharing, cast: Cast) -> None:
    directory = sharing()
    groups = {g["displayName"]: g for g in directory.get("/Groups")["Resources"]}
    ids = {directory.named(n)["id"] for n in ("ada.ada", "ben.ben")}
    assert {m["value"] for m in groups["Kestrels"]["members"]} == ids
    assert {"Puddlebrook", "Hollowell", "Owls"} <= set(groups)


@pytest.mark.commitment("CLEV-2.6")
def test_only_the_people_of_the_rule_are_there(sharing: Sharing, cast: Cast) -> None:
    directory = sharing(people={"orgs": ["S2"]})
    assert {u["userName"] for u in directory.get("/Users")["Resources"]} == {"dov.dov", "ivo.ivo"}


@pytest.mark.commitment("CLEV-2.6")
def test_only_the_fields_of_the_rule_are_there(sharing: Sharing, cast: Cast) -> None:
    directory = sharing(fields=[{"field": "users.givenName", "reason": "To greet them"}])
    shown = next(
        u for u in directory.get("/Users")["Resources"] if u.get("name", {}).get("givenName") == "Ada"
    )
    assert shown["userName"] == shown["id"]
    assert "emails" not in shown
    assert "familyName" not in shown["name"]


def test_what_is_not_shared_is_not_found_by_a_filter(sharing: Sharing, cast: Cast) -> None:
    directory = sharing(fields=[{"field": "users.givenName", "reason": "To greet them"}])
    for asked in ('userName eq "ada.ada"', 'name.familyName eq "Riverstone"', 'emails co "ada"'):
        assert directory.get(f"/Users?filter={asked}")["totalResults"] == 0


def test_what_was_read_is_in_the_disclosure_log(sharing: Sharing, cast: Cast) -> None:
    directory = sharing()
    directory.named("ada.ada")
    row = disclosures()[-1]
    assert (row.recipient, row.purpose, row.people_count, row.first_id) == (
        "Hallkeys",
        "directory",
        1,
        cast.ada.id,
    )
    assert "roster_person.username" in row.columns


def test_without_a_rule_it_sees_what_it_made_and_nothing_else(directory: Hallkeys, cast: Cast) -> None:
    directory.make("visitor")
    assert [u["userName"] for u in directory.get("/Users")["Resources"]] == ["visitor"]
    assert disclosures() == []


def test_without_an_agreement_nothing_is_answered(cast: Cast, counts: None) -> None:
    body = Hallkeys(cast).get("/Users", 403)
    assert body["schemas"] == [ERROR]
    assert body["status"] == "403"


def test_a_stranger_has_no_token(sharing: Sharing, cast: Cast) -> None:
    directory = sharing()
    directory.token = "made-up"  # not a secret
    answer = directory.ask("GET", "/Users")
    assert (answer.status_code, answer.json()["schemas"]) == (401, [ERROR])
    assert "invalid_token" in answer["WWW-Authenticate"]


def test_ids_of_another_directory_open_nothing(sharing: Sharing, cast: Cast) -> None:
    ada = sharing().named("ada.ada")["id"]
    other = Hallkeys(cast, "Otherkeys").agree().share()
    other.get(f"/Users/{ada}", 404)
    assert other.named("ada.ada")["id"] != ada


def test_pages_walk_every_user_once(sharing: Sharing, cast: Cast) -> None:
    directory = sharing()
    seen, start = [], 1
    while True:
        page = directory.get(f"/Users?startIndex={start}&count=2")
        if not page["Resources"]:
            break
        seen += [u["id"] for u in page["Resources"]]
        start += page["itemsPerPage"]
    assert len(seen) == len(set(seen)) == page["totalResults"] == 6  # Gus left


def test_users_are_filtered_and_sorted(sharing: Sharing, cast: Cast) -> None:
    directory = sharing()
    asked = (
        '/Users?filter=userType eq "student" and name.givenName pr&sortBy=name.givenName&sortOrder=descending'
    )
    assert [u["name"]["givenName"] for u in directory.get(asked)["Resources"]] == ["Ivo", "Ada"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/Users?filter=userName xx", "invalidFilter"), ("/Users?sortBy=colour", "invalidPath")],
)
def test_what_cannot_be_read_is_said_in_scims_words(directory: Hallkeys, path: str, kind: str) -> None:
    assert directory.get(path, 400)["scimType"] == kind


# ---- Writing.


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "name.familyName", "value": "Changed"},
        {"op": "replace", "path": "active", "value": False},
        {"op": "remove", "path": "emails"},
    ],
)
def test_what_the_school_says_is_read_only(sharing: Sharing, cast: Cast, operation: dict[str, Any]) -> None:
    directory = sharing()
    answer = directory.patch(f"/Users/{directory.named('ada.ada')['id']}", operation)
    assert (answer.status_code, answer.json()["scimType"]) == (400, "mutability")
    assert directory.named("ada.ada")["name"]["familyName"] == "Riverstone"


def test_a_person_of_the_roster_cannot_be_deleted(sharing: Sharing, cast: Cast) -> None:
    directory = sharing()
    path = f"/Users/{directory.named('ada.ada')['id']}"
    assert directory.ask("DELETE", path).status_code == 403
    directory.get(path)


def test_a_class_cannot_be_changed(sharing: Sharing, cast: Cast) -> None:
    directory = sharing()
    [kestrels] = directory.get('/Groups?filter=displayName eq "Kestrels"')["Resources"]
    answer = directory.patch(f"/Groups/{kestrels['id']}", {"op": "remove", "path": "members"})
    assert answer.status_code == 403


def test_a_directory_keeps_its_own_id_for_a_person(sharing: Sharing, cast: Cast) -> None:
    directory = sharing()
    path = f"/Users/{directory.named('ada.ada')['id']}"
    answer = directory.patch(path, {"op": "add", "path": "externalId", "value": "e-1"})
    assert (answer.status_code, answer.json()["externalId"]) == (200, "e-1")
    assert directory.get('/Users?filter=externalId eq "e-1"')["Resources"][0]["userName"] == "ada.ada"
    other = Hallkeys(cast, "Otherkeys").agree().share()
    assert "externalId" not in other.named("ada.ada")


def test_patch_answers_200_with_the_resource(directory: Hallkeys) -> None:
    made = directory.make("visitor", active=True)
    answer = directory.patch(f"/Users/{made['id']}", {"op": "Replace", "value": {"active": False}})
    assert (answer.status_code, answer.json()["active"]) == (200, False)


def test_a_user_name_is_taken_once(directory: Hallkeys) -> None:
    directory.make("visitor")
    answer = directory.ask("POST", "/Users", {"schemas": [USER], "userName": "Visitor"})
    assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")


def test_what_the_schema_does_not_name_is_not_stored(directory: Hallkeys) -> None:
    made = directory.make(
        "visitor", password="secret", phoneNumbers=[{"value": "07700 900123"}], title="Visitor", locale="en"
    )
    assert not {"password", "phoneNumbers", "title", "locale"} & set(made)
    with unguarded("a test looks at the row"):
        row = ScimUser.objects.values().get(user_name="visitor")
    assert "900123" not in json.dumps(row, default=str)
    assert "secret" not in json.dumps(row, default=str)


def test_a_group_of_its_own_names_people_of_the_roster(sharing: Sharing, cast: Cast) -> None:
    directory = sharing()
    ada = directory.named("ada.ada")["id"]
    body = {"schemas": [GROUP], "displayName": "Chess club", "members": [{"value": ada}]}
    assert directory.ask("POST", "/Groups", body).status_code == 201
    assert "Chess club" in {g["display"] for g in directory.named("ada.ada")["groups"]}


def test_accounts_of_one_directory_are_not_anothers(directory: Hallkeys, cast: Cast) -> None:
    made = directory.make("visitor")
    other = Hallkeys(cast, "Otherkeys").agree()
    other.get(f"/Users/{made['id']}", 404)
    assert other.get("/Users")["totalResults"] == 0
    other.make("visitor")  # names are unique within one directory


def test_a_change_is_made_only_to_what_was_read(directory: Hallkeys) -> None:
    made = directory.make("visitor")
    path, tag = f"/Users/{made['id']}", made["meta"]["version"]
    assert directory.ask("GET", path, headers={"if-none-match": tag}).status_code == 304
    body = {"schemas": [USER], "userName": "visitor", "displayName": "A visitor"}
    assert directory.ask("PUT", path, body, {"if-match": tag}).status_code == 200
    assert directory.ask("PUT", path, body, {"if-match": tag}).status_code == 412


def test_what_a_directory_wrote_is_in_the_audit(directory: Hallkeys) -> None:
    made = directory.make("visitor")
    directory.ask("DELETE", f"/Users/{made['id']}")
    with unguarded("a test reads the audit"):
        verbs = list(Audit.objects.filter(actor="Hallkeys").order_by("id").values_list("verb", flat=True))
    assert verbs == ["scim.user_created", "scim.user_deleted"]


def test_bulk_is_said_not_to_be_there(directory: Hallkeys) -> None:
    assert directory.get("/ServiceProviderConfig")["bulk"]["supported"] is False
    assert directory.ask("POST", "/Bulk", {}).status_code == 501


# ---- The token.


def test_the_command_line_shows_a_token_once(cast: Cast, counts: None) -> None:
    from rollbook.entrypoints.cli import cli, load

    load()
    made = CliRunner().invoke(
        cli, ["app", "create", "Hallkeys", "--tenant", "sevenhills", "--kind", "scim", "--json"]
    )
    directory = Hallkeys.__new__(Hallkeys)
    directory.token = json.loads(made.output)["token"]
    assert directory.get("/Users")["totalResults"] == 0
    renewed = CliRunner().invoke(cli, ["app", "token", "Hallkeys", "--tenant", "sevenhills", "--json"])
    assert directory.ask("GET", "/Users").status_code == 401
    directory.token = json.loads(renewed.output)["token"]
    assert directory.get("/Users")["totalResults"] == 0


def test_the_token_opens_no_other_door(sharing: Sharing, cast: Cast) -> None:
    from django.test import Client

    directory = sharing()
    answer = Client().get(
        "/ims/oneroster/rostering/v1p2/users", headers={"authorization": f"Bearer {directory.token}"}
    )
    assert answer.status_code == 403

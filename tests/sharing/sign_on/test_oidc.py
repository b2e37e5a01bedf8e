"""The provider refuses by the standard's own errors, tells only what is shared, and writes both down."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from authlib.oidc.discovery import OpenIDProviderMetadata
from django.test import Client
from django.urls import resolve

from rollbook.kernel import clock
from rollbook.policy import Restriction, unguarded
from rollbook.sharing import agree, create_app, share, stop
from rollbook.sharing.actions import keys
from rollbook.sharing.actions.sign_on import set_sign_on
from tests.sharing.sign_on.conftest import AFTER, BACK, Yard, back_of, disclosures, refusals, signed_in_pupil
from tests.staff import desk, plain

GIVEN = {"field": "users.givenName", "reason": "To greet the teacher"}


# ---- What the app is told.


@pytest.mark.commitment("CLEV-2.6")
def test_a_claim_that_is_not_shared_is_absent(yard: Yard, narrowed: Callable[..., None]) -> None:
    narrowed(fields=[GIVEN])
    told = yard.userinfo(yard.tokens()["access_token"]).json()
    assert set(told) == {"sub", "given_name", "roles"}


def test_a_scope_that_was_not_asked_for_tells_nothing(yard: Yard) -> None:
    assert set(yard.userinfo(yard.tokens(scope="openid")["access_token"]).json()) == {"sub"}


def test_the_app_knows_the_person_by_the_same_code_as_in_the_api(yard: Yard) -> None:
    sub = yard.userinfo(yard.tokens()["access_token"]).json()["sub"]
    body = {
        "grant_type": "client_credentials",
        "client_id": yard.made.client_id,
        "client_secret": yard.made.client_secret,
    }
    token = Client().post("/oauth/token", body).json()["access_token"]
    answer = Client().get(
        f"/ims/oneroster/rostering/v1p2/users/{sub}", headers={"authorization": f"Bearer {token}"}
    )
    assert answer.json()["user"]["givenName"] == "Ben"


def test_two_apps_know_one_person_by_two_codes(yard: Yard) -> None:
    one = yard.userinfo(yard.tokens()["access_token"]).json()["sub"]
    other = create_app(yard.cast.tenant, "Paint Tray")
    agree(
        other.app, purpose="learning-app", region="GB", retention_days=9, contact="a@b.example", read_policy=True,
        ends_on=clock.today(),
    )  # fmt: skip
    share(other.app, {"people": "all", "fields": "all"})
    set_sign_on(other.app, redirect_uris=[BACK])
    elsewhere = dataclasses.replace(yard, made=other)
    assert elsewhere.userinfo(elsewhere.tokens()["access_token"]).json()["sub"] != one


def test_each_answer_about_a_person_is_in_the_disclosure_log(yard: Yard) -> None:
    yard.userinfo(yard.tokens(scope="openid email")["access_token"])
    token, info = disclosures()
    assert (token.door, token.columns, token.people_count) == ("sign-in token", "roster_person.id", 1)
    assert (info.door, info.columns) == ("sign-in userinfo", "roster_person.email,roster_person.id")
    assert info.first_id == info.last_id == yard.cast.ben.id
    assert info.recipient == "Numberyard" and info.authorised_by


# ---- The address.


@pytest.mark.parametrize(
    "where",
    [
        BACK + "/", BACK + "?a=1", BACK.upper(), "https://evil.example/back", BACK + "/../x", "javascript:alert(1)",
        'https://numberyard.example/"back"', "", None,
    ],
)  # fmt: skip
def test_nobody_is_sent_to_an_address_that_is_not_the_apps(yard: Yard, where: str | None) -> None:
    answer = yard.ask(redirect_uri=where)
    assert answer.status_code == 400 and "Location" not in answer
    assert "This sign-in cannot go on" in plain(answer)
    assert refusals() == [("authorize", "invalid_request")]


def test_an_unknown_app_is_refused_on_a_page(yard: Yard) -> None:
    answer = yard.ask(client_id="nobody")
    assert answer.status_code == 400 and "invalid_client" in plain(answer)
    assert refusals() == [("authorize", "invalid_client")]


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://numberyard.example/r"}, "request_uri_not_supported"),
    ],
)
def test_a_wrong_request_is_answered_to_the_app_by_the_standards_error(
    yard: Yard, changed: dict[str, Any], error: str
) -> None:
    told = back_of(yard.ask(**changed))
    assert (told["error"], told["state"], told["iss"]) == (error, "s1", "http://localhost")
    assert refusals() == [("authorize", error)]


def test_a_parameter_given_twice_is_refused(yard: Yard) -> None:
    url = f"/oauth/authorize?response_type=code&client_id={yard.made.client_id}&redirect_uri={BACK}&scope=openid&scope=email"
    assert yard.ben.get(url, HTTP_HOST="localhost").status_code == 400


def test_without_https_nothing_is_answered(yard: Yard) -> None:
    answer = yard.ben.get("/oauth/authorize", {"client_id": yard.made.client_id}, HTTP_HOST="school.example")
    assert answer.status_code == 400 and "insecure_transport" in plain(answer)


# ---- Who.


def test_whoever_is_not_signed_in_signs_in_first_and_comes_back(yard: Yard) -> None:
    answer = yard.ask(Client(), prompt="login")
    parts = urlsplit(answer["Location"])
    assert (answer.status_code, parts.path) == (302, "/sign-in")
    [onward] = parse_qs(parts.query)["next"]
    page = yard.ben.get(onward, HTTP_HOST="localhost")
    [where] = [p.split('"')[0] for p in page.content.decode().split('content="0;url=')[1:]]
    assert set(back_of(yard.ben.get(where.replace("&amp;", "&"), HTTP_HOST="localhost"))) == {
        "code",
        "state",
        "iss",
    }


def test_without_a_prompt_nobody_is_asked(yard: Yard) -> None:
    assert back_of(yard.ask(Client(), prompt="none"))["error"] == "login_required"
    assert "code" in back_of(yard.ask(prompt="none"))


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "60"}])
def test_an_app_can_ask_for_a_fresh_sign_in(yard: Yard, asked: dict[str, Any]) -> None:
    with clock.at(clock.now() + timedelta(minutes=2)):
        assert yard.ask(**asked)["Location"].startswith("/sign-in?next=")
        assert yard.ben.get("/me").status_code == 302


def test_an_account_without_a_person_is_known_to_no_app(yard: Yard) -> None:
    answer = yard.ask(desk(yard.cast.tenant, "dpo", "Femi Inkwell"))
    assert answer.status_code == 403 and "not linked to a person" in plain(answer)


def test_somebody_of_another_school_cannot_open_it(yard: Yard) -> None:
    answer = yard.ask(desk(yard.cast.other, "teacher", "Zed", person_id=yard.cast.stranger.id))
    assert answer.status_code == 403 and "another school" in plain(answer)
    assert refusals() == [("authorize", "elsewhere")]


@pytest.mark.commitment("CLEV-2.23")
@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ("agreement over", "expired", "The agreement with Numberyard ended"),
        ("other region", "region", "keeps data in US"),
        ("other people", "person", "does not name this person"),
        ("restricted", "person", "does not name this person"),
    ],
)
def test_whom_the_school_does_not_share_is_told_why(
    yard: Yard, narrowed: Callable[..., None], change: str, code: str, says: str
) -> None:
    terms: dict[str, Any] = {
        "purpose": "learning-app",
        "retention_days": 9,
        "contact": "a@b.example",
        "read_policy": True,
    }
    day = clock.today()
    match change:
        case "agreement over":
            agree(
                yard.made.app, region="GB", begins_on=day - timedelta(9), ends_on=day - timedelta(1), **terms
            )
        case "other region":
            agree(yard.made.app, region="US", ends_on=day, **terms)
        case "other people":
            narrowed(people={"roles": ["student"]})
        case "restricted":
            with unguarded("a test restricts somebody", tenant=yard.cast.tenant.id):
                Restriction.objects.create(
                    tenant_id=yard.cast.tenant.id,
                    person_id=yard.cast.ben.id,
                    because="asked",
                    began_at=clock.now(),
                )
    answer = yard.ask()
    assert answer.status_code == 403 and says in plain(answer) and "Location" not in answer
    assert back_of(yard.ask(prompt="none"))["error"] == "access_denied"
    assert refusals() == [("authorize", code), ("authorize", "access_denied")]
    assert disclosures() == []


def test_a_stopped_app_is_unknown(yard: Yard) -> None:
    stop(yard.made.app)
    assert yard.ask().status_code == 400


# ---- Codes.


def test_a_code_lives_one_minute(yard: Yard) -> None:
    code = yard.code()
    with clock.at(clock.now() + timedelta(seconds=61)):
        answer = yard.swap(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert refusals() == [("token", "invalid_grant")]


def test_a_second_use_of_a_code_ends_what_the_first_gave(yard: Yard) -> None:
    code = yard.code(scope="openid offline_access")
    first = yard.swap(code).json()
    assert yard.userinfo(first["access_token"]).status_code == 200
    assert yard.swap(code).json()["error"] == "invalid_grant"
    assert yard.userinfo(first["access_token"]).status_code == 401
    assert yard.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"redirect_uri": BACK + "2"}, 400, "invalid_grant"),
        ({"redirect_uri": None}, 400, "invalid_grant"),
        ({"code_verifier": "x" * 50}, 400, "invalid_grant"),
        ({"code_verifier": None}, 400, "invalid_request"),
        ({"code": "made-up"}, 400, "invalid_grant"),
        ({"secret": "wrong"}, 401, "invalid_client"),
        ({"secret": None}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 400, "invalid_client"),
    ],
)
def test_a_code_is_bound_to_its_app_address_and_verifier(
    yard: Yard, changed: dict[str, Any], status: int, error: str
) -> None:
    code = yard.code()
    answer = yard.swap(changed.pop("code", code), **changed)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer["Cache-Control"] == "no-store"
    assert yard.swap(code).status_code == 200, "a mistake does not spend the code"


def test_another_apps_code_is_worth_nothing(yard: Yard) -> None:
    other = create_app(yard.cast.tenant, "Paint Tray")
    set_sign_on(other.app, redirect_uris=[BACK])
    thief = dataclasses.replace(yard, made=other)
    assert thief.swap(yard.code()).json()["error"] == "invalid_grant"


def test_a_public_app_must_use_pkce(yard: Yard) -> None:
    set_sign_on(yard.made.app, redirect_uris=[BACK], public=True)
    assert back_of(yard.ask(code_challenge=None, code_challenge_method=None))["error"] == "invalid_request"
    assert yard.swap(yard.code(), secret=None).status_code == 200


def test_a_code_tells_nothing_once_the_school_has_stopped(yard: Yard, narrowed: Callable[..., None]) -> None:
    code = yard.code()
    narrowed(people={"roles": ["student"]})
    assert yard.swap(code).json()["error"] == "invalid_grant"
    assert refusals() == [("token", "person"), ("token", "invalid_grant")]


# ---- Tokens.


def test_an_access_token_ends_after_an_hour_and_with_the_rule(
    yard: Yard, narrowed: Callable[..., None]
) -> None:
    token = yard.tokens()["access_token"]
    with clock.at(clock.now() + timedelta(minutes=61)):
        assert yard.userinfo(token).status_code == 401
    narrowed(people={"roles": ["student"]})
    answer = yard.userinfo(token)
    assert answer.status_code == 401 and 'error="invalid_token"' in answer["WWW-Authenticate"]


def test_a_persons_token_does_not_open_the_roster(yard: Yard) -> None:
    token = yard.tokens()["access_token"]
    answer = Client().get("/ims/oneroster/rostering/v1p2/users", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_a_refresh_token_is_for_whoever_asked_and_works_once(yard: Yard) -> None:
    assert "refresh_token" not in yard.tokens()
    first = yard.tokens(scope="openid offline_access")["refresh_token"]
    second = yard.refresh(first).json()
    assert second["id_token"] and second["refresh_token"] != first
    assert yard.refresh(first).json()["error"] == "invalid_grant"
    assert yard.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"


def test_after_many_wrong_secrets_an_address_has_to_wait(yard: Yard) -> None:
    with clock.at(clock.now().replace(second=20)):
        for _ in range(60):
            assert yard.swap("x", secret="wrong").status_code == 401
        answer = yard.swap(yard.code())
    assert (answer.status_code, answer["Retry-After"]) == (429, "40")


# ---- Leaving.


def test_without_a_token_of_ours_signing_out_is_asked_first(yard: Yard) -> None:
    answer = yard.ben.get("/oauth/logout", {"post_logout_redirect_uri": AFTER}, HTTP_HOST="localhost")
    assert answer.status_code == 200 and "asks to sign you out" in plain(answer)
    assert yard.ben.get("/me").status_code == 200


def test_signing_out_goes_only_to_an_address_of_the_app(yard: Yard) -> None:
    hint = yard.tokens()["id_token"]
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": "https://evil.example/"}
    answer = yard.ben.get("/oauth/logout", asked, HTTP_HOST="localhost")
    assert answer.status_code == 200 and "You are signed out" in plain(answer)
    assert yard.ben.get("/me").status_code == 302


def test_a_forged_token_signs_nobody_out(yard: Yard) -> None:
    head, body, _ = yard.tokens()["id_token"].split(".")
    answer = yard.ben.get("/oauth/logout", {"id_token_hint": f"{head}.{body}.AAAA"}, HTTP_HOST="localhost")
    assert answer.status_code == 400 and yard.ben.get("/me").status_code == 200


# ---- Discovery and keys.


def test_discovery_is_valid_and_every_address_in_it_answers(yard: Yard) -> None:
    found = Client().get("/.well-known/openid-configuration", HTTP_HOST="localhost", secure=True).json()
    OpenIDProviderMetadata(found).validate()
    for name in [n for n in found if n.endswith("_endpoint") or n == "jwks_uri"]:
        assert callable(resolve(urlsplit(found[name]).path).func)
    assert found["subject_types_supported"] == ["pairwise"] and found["response_types_supported"] == ["code"]


def test_keys_are_changed_before_they_sign_and_kept_after(db: None) -> None:
    def shown() -> list[str]:
        return [k["kid"] for k in keys.public_keys()]

    start = clock.now()
    first = keys.signing_key().kid
    with clock.at(start + timedelta(days=90, hours=1)):
        assert keys.signing_key().kid == first, (
            "apps keep our key set for a while, so a new key does not sign at once"
        )
        assert len(shown()) == 2
    with clock.at(start + timedelta(days=92)):
        second = keys.signing_key().kid
        assert second != first and set(shown()) == {first, second}
    with clock.at(start + timedelta(days=99)):
        assert shown() == [second]
    with clock.at(start + timedelta(days=400)):
        assert keys.signing_key().kid in shown()


def test_the_database_holds_no_secret_in_the_clear(yard: Yard) -> None:
    from rollbook.sharing.models import AppKey, SigningKey

    code = yard.code(scope="openid offline_access")
    made = yard.swap(code).json()
    with unguarded("a test looks for secrets"):
        rows = str(list(AppKey.objects.values())) + str(list(SigningKey.objects.values()))
    assert not any(
        secret in rows for secret in (code, made["access_token"], made["refresh_token"], "PRIVATE")
    )


def test_behind_the_second_wall_the_whole_flow_works(yard: Yard, settings: Any) -> None:
    """As the web process does it on PostgreSQL: by a role that owns nothing and sees one tenant at a time."""
    settings.ROLLBOOK_WEB_ROLE = "rollbook_web"
    first = yard.tokens(scope="openid email offline_access")
    again = yard.refresh(first["refresh_token"]).json()
    assert yard.userinfo(again["access_token"]).json()["email"] == "ben@puddlebrook.example"
    assert yard.refresh(first["refresh_token"]).status_code == 400
    assert yard.userinfo(again["access_token"]).status_code == 401
    yard.ben.get("/oauth/logout", {"id_token_hint": first["id_token"]}, HTTP_HOST="localhost")
    assert yard.ben.get("/me").status_code == 302


# ---- A pupil.


def test_a_pupil_of_low_trust_opens_the_app_and_it_keeps_no_key(yard: Yard) -> None:
    pupil = signed_in_pupil(yard.cast.tenant, yard.cast.ada)
    made = yard.swap(back_of(yard.ask(pupil, scope="openid profile school offline_access"))["code"]).json()
    assert "refresh_token" not in made, "a sign-in on a shared device opens the app for now, not for a month"
    told = yard.userinfo(made["access_token"]).json()
    assert (told["name"], told["roles"], told["grades"]) == ("Ada Riverstone", ["student"], ["02"])

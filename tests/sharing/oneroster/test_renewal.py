"""A new secret for an app: the old one ends at once, or works until the moment that the school chose."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from django.test import Client

from rollbook.entrypoints.cli import cli, load
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.policy import Audit, unguarded
from rollbook.sharing import create_app, renew_secret
from rollbook.sharing.actions.renewal import end_old_secrets
from rollbook.sharing.models import App, OldSecret, Token
from tests.sharing.oneroster.conftest import Erin

load()


def sign_in(erin: Erin, secret: str) -> tuple[int, int]:
    """(status, seconds that the token lives) of a sign-in with this secret; the token is Erin's from then on."""
    body = {"grant_type": "client_credentials", "client_id": erin.made.client_id, "client_secret": secret}
    answer = Client().post("/oauth/token", body)
    if answer.status_code == 200:
        erin.tokens[""] = answer.json()["access_token"]
    return answer.status_code, answer.json().get("expires_in", 0)


def test_a_secret_that_is_renewed_now_ends_with_its_tokens(erin: Erin) -> None:
    old = erin.made.client_secret
    assert erin.get("/users").status_code == 200
    made = renew_secret(erin.made.app)
    assert erin.get("/users").status_code == 401, "whoever has found it has nothing"
    assert sign_in(erin, old) == (401, 0)
    assert (made.client_id, sign_in(erin, made.client_secret)) == (erin.made.client_id, (200, 3600))
    assert erin.get("/users").status_code == 200, "agreement, rule and ids are as they were"


def test_the_old_secret_works_until_the_chosen_moment_and_its_tokens_no_longer(erin: Erin) -> None:
    old, now = erin.made.client_secret, clock.now()
    erin.token()
    made = renew_secret(erin.made.app, old_until=now + timedelta(days=1))
    assert erin.get("/users").status_code == 200, "tokens stay"
    assert sign_in(erin, old) == sign_in(erin, made.client_secret) == (200, 3600)
    with clock.at(now + timedelta(hours=23, minutes=50)):
        status, seconds = sign_in(erin, old)
        assert status == 200 and seconds <= 600
    with clock.at(now + timedelta(days=1, seconds=1)):
        assert erin.get("/users").status_code == 401
        assert sign_in(erin, old) == (401, 0)
        assert sign_in(erin, made.client_secret)[0] == 200


def test_a_token_that_lives_for_long_ends_with_the_secret_that_brought_it(erin: Erin) -> None:
    erin.token()
    now = clock.now()
    with unguarded("a token as a district has it"):
        Token.objects.filter(app=erin.made.app).update(expires_at=now + timedelta(days=900))
    renew_secret(erin.made.app, old_until=now + timedelta(days=1))
    with clock.at(now + timedelta(hours=23)):
        assert erin.get("/users").status_code == 200
    with clock.at(now + timedelta(days=1, seconds=1)):
        assert erin.get("/users").status_code == 401


def test_an_old_secret_can_be_ended_before_its_time(erin: Erin) -> None:
    old = erin.made.client_secret
    made = renew_secret(erin.made.app, old_until=clock.now() + timedelta(days=7))
    assert sign_in(erin, old)[0] == 200
    end_old_secrets(erin.made.app)
    assert (erin.get("/users").status_code, sign_in(erin, old)[0]) == (401, 401)
    assert sign_in(erin, made.client_secret)[0] == 200


def test_a_secret_renewed_now_ends_those_before_it_as_well(erin: Erin) -> None:
    first = erin.made.client_secret
    second = renew_secret(erin.made.app, old_until=clock.now() + timedelta(days=7)).client_secret
    renew_secret(erin.made.app)
    assert sign_in(erin, first)[0] == sign_in(erin, second)[0] == 401


@pytest.mark.parametrize("away", [timedelta(seconds=-1), timedelta(0), timedelta(days=31)])
def test_a_moment_that_has_passed_or_is_too_far_away_is_refused(erin: Erin, away: timedelta) -> None:
    with pytest.raises(Invalid, match="cannot work until then"):
        renew_secret(erin.made.app, old_until=clock.now() + away)
    assert sign_in(erin, erin.made.client_secret)[0] == 200


def test_an_app_that_signs_in_with_a_token_has_no_secret_to_renew(erin: Erin) -> None:
    made = create_app(erin.cast.tenant, "Directory", kind="scim")
    with pytest.raises(Invalid, match="with a token"):
        renew_secret(made.app)


def test_only_hashes_are_kept_and_the_audit_has_no_secret(erin: Erin) -> None:
    made = renew_secret(erin.made.app, old_until=clock.now() + timedelta(days=1))
    with unguarded("a test looks at everything that is kept"):
        kept = repr([list(m.objects.values()) for m in (App, OldSecret, Audit)])
        said = Audit.objects.get(verb="app.secret_renewed")
    assert made.client_secret not in kept and erin.made.client_secret not in kept
    assert said.details["old_until"].startswith(str((clock.now() + timedelta(days=1)).date()))


def test_the_command_prints_the_new_secret_once(erin: Erin) -> None:
    arguments = ["app", "rotate", "erin-s-sums", "--tenant", "sevenhills", "--json"]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    made = json.loads(done.stdout)
    assert (made["client_id"], made["old_until"]) == (erin.made.client_id, None)
    assert sign_in(erin, erin.made.client_secret)[0] == 401 and sign_in(erin, made["client_secret"])[0] == 200
    later = (clock.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    done = CliRunner().invoke(cli, [*arguments, "--old-until", later], catch_exceptions=False)
    assert json.loads(done.stdout)["old_until"].startswith(later)
    assert sign_in(erin, made["client_secret"])[0] == 200

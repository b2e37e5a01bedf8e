"""The command line: the fixed interfaces that checks from outside rely on, its messages and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rollbook.entrypoints.cli import cli, load
from rollbook.kernel.errors import Invalid, NotFound, Refused
from rollbook.roster.connectors.generate import generate_oneroster

load()
pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str, expect: int = 0) -> Any:
    """Run a command with --json: its JSON. What the command raises is raised."""
    done: Result = CliRunner().invoke(
        cli, [*arguments, *([] if "--json" in arguments else ["--json"])], catch_exceptions=False
    )
    assert done.exit_code == expect, done.output
    return json.loads(done.stdout)


@pytest.fixture
def oak() -> str:
    run("tenant", "create", "oak", "--name", "Oak", "--kind", "school", "--region", "GB")
    return "oak"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "bundle"
    generate_oneroster(out, students=40, schools=1, seed=4)
    return out


def test_a_tenant_is_made_once_and_named_in_the_list(oak: str) -> None:
    assert [t["slug"] for t in run("tenant", "list")] == ["oak"]
    with pytest.raises(Invalid, match="already"):
        run("tenant", "create", "oak", "--name", "Oak", "--kind", "school", "--region", "GB")


@pytest.mark.parametrize(
    ("slug", "region"), [("Oak Tree", "GB"), ("-oak", "GB"), ("oak", "uk"), ("oak", "Britain")]
)
def test_a_tenant_with_an_impossible_name_or_region_is_refused(slug: str, region: str) -> None:
    with pytest.raises(Invalid):
        run("tenant", "create", "--name", "Oak", "--kind", "school", "--region", region, "--json", "--", slug)


@pytest.mark.commitment("CLEV-3.1")
def test_a_tenant_whose_data_may_not_be_kept_here_is_refused(settings: Any) -> None:
    settings.ROLLBOOK_REGION = "GB"
    with pytest.raises(Refused, match="this deployment is in GB"):
        run("tenant", "create", "maple", "--name", "Maple", "--kind", "district", "--region", "US")
    settings.ROLLBOOK_REGION = "US"
    assert (
        run("tenant", "create", "maple", "--name", "Maple", "--kind", "district", "--region", "US")["region"]
        == "US"
    )


def test_a_sync_says_what_it_did_by_exit_code_and_json(oak: str, bundle: Path, tmp_path: Path) -> None:
    shown = run("sync", str(bundle), "--tenant", oak, "--dry-run")
    assert shown["state"] == "proposed"
    assert shown["counts"]["person"]["created"] > 40
    assert run("sync", str(bundle), "--tenant", oak)["state"] == "applied"
    assert run("sync", str(bundle), "--tenant", oak)["state"] == "unchanged"
    half = tmp_path / "half"
    half.mkdir()
    for file in bundle.iterdir():
        rows = file.read_text(encoding="utf-8").splitlines(keepends=True)
        keep = (
            len(rows)
            if file.name in ("manifest.csv", "orgs.csv", "academicSessions.csv", "courses.csv")
            else len(rows) // 2
        )
        (half / file.name).write_text("".join(rows[: keep + 1]), encoding="utf-8")
    held = run("sync", str(half), "--tenant", oak, expect=3)
    assert held["state"] == "held"
    assert held["holds"]
    (tmp_path / "nothing").mkdir()
    refused = run("sync", str(tmp_path / "nothing"), "--tenant", oak, expect=4)
    assert refused["state"] == "refused"
    assert refused["message"]
    assert run("sync", "--undo", "--tenant", oak)["state"] == "undone"


def test_an_app_is_made_with_its_secret_once_and_shares_by_the_smallest_rule(oak: str) -> None:
    made = run("app", "create", "Numberyard", "--tenant", oak)
    assert made["client_id"]
    assert made["client_secret"]
    assert made["agreement"]["region"] == "GB"
    assert run("app", "list", "--tenant", oak)[0]["shares"] is False
    assert (
        run("app", "share", "numberyard", "--tenant", oak, "--rule", '{"people": "all", "fields": "all"}')[
            "shares"
        ]
        is True
    )
    assert "client_secret" not in json.dumps(run("app", "list", "--tenant", oak))
    run("app", "stop", "numberyard", "--tenant", oak)
    assert run("app", "list", "--tenant", oak)[0]["shares"] is False


def test_a_rule_that_is_not_json_says_so_and_changes_nothing(oak: str) -> None:
    run("app", "create", "Numberyard", "--tenant", oak)
    with pytest.raises(Invalid, match="not JSON"):
        run("app", "share", "numberyard", "--tenant", oak, "--rule", "{people: all}")
    assert run("app", "list", "--tenant", oak)[0]["shares"] is False


def test_without_an_agreement_nothing_can_be_shared(oak: str) -> None:
    run("app", "create", "Paint Tray", "--tenant", oak, "--no-agreement")
    with pytest.raises(Invalid, match="no agreement"):
        run("app", "share", "paint-tray", "--tenant", oak, "--rule", '{"people": "all", "fields": "all"}')


def test_how_people_sign_in_to_an_app_is_said_when_it_is_made_and_later(oak: str) -> None:
    run("app", "create", "Numberyard", "--tenant", oak, "--redirect-uri", "https://numberyard.example/back")
    later = run(
        "app", "sign-in", "numberyard", "--tenant", oak, "--redirect-uri", "https://numberyard.example/b2"
    )
    assert later["redirect_uris"] == ["https://numberyard.example/b2"]
    lti = run(
        "app", "sign-in", "numberyard", "--tenant", oak, "--redirect-uri", "https://numberyard.example/lti",
        "--login-url", "https://numberyard.example/login", "--jwks-url", "https://numberyard.example/jwks",
    )  # fmt: skip
    assert lti["sign_in"] == "lti" and lti["for_the_app"]["deployment_id"].startswith("d")
    with pytest.raises(Invalid, match="not a safe web address"):
        run("app", "sign-in", "numberyard", "--tenant", oak, "--redirect-uri", "http://numberyard.example/b")


def test_an_unknown_tenant_or_app_says_which_there_are(oak: str) -> None:
    with pytest.raises(NotFound, match="There are: oak"):
        run("app", "list", "--tenant", "elm")
    with pytest.raises(NotFound, match="rollbook app list"):
        run("app", "stop", "nobody", "--tenant", oak)


def test_the_policy_shows_its_hash_profile_and_date() -> None:
    shown = run("policy", "show")
    assert (shown["profile"], shown["effective_from"]) == ("default", "2026-11-01")
    assert len(shown["hash"]) == 64
    assert run("policy", "check")["hash"] == shown["hash"]


def test_a_bundle_that_was_built_can_be_compared_years_later(tmp_path: Path) -> None:
    out = tmp_path / "bundle.json"
    built = run("policy", "build", "--out", str(out))
    assert run("policy", "diff", str(out), built["hash"][:12]) == []
    changed = tmp_path / "policy.toml"
    text = (Path(__file__).resolve().parents[2] / "policies" / "default" / "policy.toml").read_text(
        encoding="utf-8"
    )
    changed.write_text(
        text.replace(
            'allow = ["identity.name", "identity.preferred", "school.*", "attainment.*"]',
            'allow = ["identity.name", "identity.preferred", "school.*", "attainment.*", "contact.email"]',
        ).replace(
            'refuse = ["identity.code", "identity.other", "contact.*", "family.*"',
            'refuse = ["identity.code", "identity.other", "contact.phone", "family.*"',
        ),
        encoding="utf-8",
    )
    changes = run("policy", "diff", built["hash"][:12], str(changed))
    assert {"what": "teacher may now use “Email” for teaching", "material": True} in changes


def test_commitments_are_listed_with_the_tests_that_show_them() -> None:
    rows = {r["id"]: r for r in run("commitments")}
    assert len(rows) == 843
    assert rows["CLEV-2.6"]["enforce"] == "code"
    assert any("tests/" in t for t in rows["CLEV-2.6"]["tests"])


def test_commitments_are_counted_by_section() -> None:
    lines = run("commitments", "--sections")
    assert sum(line["promises"] for line in lines) == 843
    shown = [r for r in run("commitments") if r["tests"]]
    assert sum(line["shown"] for line in lines) == len(shown)
    clever = run("commitments", "--sections", "--ledger", "clever")
    assert [line["section"] for line in clever] == list(range(10))
    assert (clever[2]["title"], clever[2]["promises"]) == ("How We Share Your Information", 25)


@pytest.mark.commitment("CLEV-1.7")
def test_every_act_is_in_the_audit(oak: str) -> None:
    run("app", "create", "Numberyard", "--tenant", oak)
    verbs = [row["what"] for row in run("audit", "--tenant", oak)]
    assert verbs[:2] == ["sharing.agreed", "app.created"]
    assert "audit.read" in [row["what"] for row in run("audit", "--tenant", oak)]


def test_every_command_has_help_with_json() -> None:
    for name, command in cli.commands.items():
        shown = CliRunner().invoke(cli, [name, "--help"]).output
        if name not in ("serve", "worker") and not hasattr(command, "commands"):
            assert "--json" in shown, name

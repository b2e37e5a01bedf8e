"""`rollbook directory`: accounts in the school's own directories, over SCIM or LDAP."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollbook.entrypoints.cli import cli
from rollbook.entrypoints.cli.apps import _agree, agreement_options
from rollbook.entrypoints.cli.common import Bar, find_tenant, json_option, show, tenant_option

if TYPE_CHECKING:
    from rollbook.sharing import Directory, Push

EXIT = {"done": 0, "planned": 0, "failed": 1, "stopped": 1}


@cli.group()
def directory() -> None:
    """Accounts in the school's own directories: plan, approve, undo."""


@directory.command("create")
@click.argument("name")
@tenant_option
@click.option("--kind", type=click.Choice(["scim", "ldap"]), required=True)
@click.option("--url", required=True, help="https://... for SCIM; ldaps://... for LDAP.")
@click.option(
    "--base", default="", help="LDAP: the name below which accounts stand, such as dc=school,dc=example."
)
@click.option("--account", default="", help="LDAP: who we are there, such as cn=admin,dc=school,dc=example.")
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False),
    default=None,
    help="A file with the token or password; default: the environment's ROLLBOOK_DIRECTORY_SECRET.",
)
@click.option("--settings", "settings_", default="{}", metavar="JSON", help="How accounts are kept there.")
@agreement_options
@json_option
def create(
    name: str, slug: str, kind: str, url: str, base: str, account: str, secret_file: str | None, settings_: str,
    purpose: str | None, region: str | None, retention_days: int, until: datetime | None, contact: str,
    helpers: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Make a directory known and record the agreement about it. Nothing is written there before it has a rule,
    a plan, and somebody's yes.

    \b
    Example:
      rollbook directory create Hallkeys --tenant oakfield --kind scim --url https://hallkeys.example/scim/v2 \\
          --secret-file token.txt --settings '{"username": "{given}.{family}{n}"}'
      rollbook app share hallkeys --tenant oakfield --rule '{"people": {"roles": ["student"]}, "fields": "all"}'
      rollbook directory plan hallkeys --tenant oakfield
      rollbook directory run hallkeys --tenant oakfield
    """
    from django.db import transaction

    from rollbook.sharing import create_directory

    tenant = find_tenant(slug)
    secret = (
        Path(secret_file).read_text(encoding="utf-8").strip()
        if secret_file
        else os.environ.get("ROLLBOOK_DIRECTORY_SECRET", "")
    )
    with transaction.atomic():
        made = create_directory(
            tenant,
            name,
            kind=kind,
            url=url,
            base=base,
            account=account,
            secret=secret,
            settings=_json(settings_),
        )
        _agree(made.app, tenant.region, purpose, region, retention_days, until, contact, helpers)
    show(
        as_json, {"directory": made.app.slug, "kind": kind, "url": url},
        f"Known as {made.app.slug}.\nNext: rollbook app share {made.app.slug} --tenant {slug} --rule "
        f"'{{\"people\": \"all\", \"fields\": \"all\"}}'",
    )  # fmt: skip


@directory.command("settings")
@click.argument("name")
@tenant_option
@click.option("--settings", "settings_", default=None, metavar="JSON", help="Replace them.")
@json_option
def settings(name: str, slug: str, settings_: str | None, as_json: bool) -> None:
    """Show or replace how accounts are kept."""
    from rollbook.sharing import change_directory

    found = _find(slug, name)
    if settings_ is not None:
        change_directory(found, _json(settings_))
    show(as_json, found.settings, json.dumps(found.settings, indent=2))


@directory.command("list")
@tenant_option
@json_option
def list_(slug: str, as_json: bool) -> None:
    """List the directories of a tenant and their latest plan."""
    from rollbook.sharing import directories_of, directory_plans

    rows = []
    for found in directories_of(find_tenant(slug).id):
        states = [p.state for p in directory_plans(found, 1)]
        rows.append(
            {
                "directory": found.app.slug,
                "kind": found.kind,
                "url": found.url,
                "last": states[0] if states else "",
            }
        )
    show(
        as_json, rows,
        "\n".join(f"{r['directory']:<24} {r['kind']:<5} {r['last'] or 'never planned':<14} {r['url']}" for r in rows)
        or "No directories yet.",
    )  # fmt: skip


@directory.command("plan")
@click.argument("name")
@tenant_option
@click.option("--undo", is_flag=True, help="Plan to put back what the latest plan did.")
@click.option("--show", "shown", default=20, show_default=True, help="How many steps to print.")
@json_option
def plan(name: str, slug: str, undo: bool, shown: int, as_json: bool) -> None:
    """Say what would be written to a directory, for each person. Nothing is."""
    from rollbook.sharing import plan_directory, plan_directory_undo

    found = _find(slug, name)
    made = plan_directory_undo(found) if undo else plan_directory(found)
    _tell(made, as_json, shown, where=f"{name} --tenant {slug}")


@directory.command("run")
@click.argument("name")
@tenant_option
@click.option(
    "--plan",
    "number",
    type=int,
    default=None,
    help="This plan, also one that was cut off; default: make one now.",
)
@click.option("--show", "shown", default=20, show_default=True, help="How many errors to print.")
@json_option
def run(name: str, slug: str, number: int | None, shown: int, as_json: bool) -> None:
    """Plan, approve and write: whoever runs this says yes to the plan. Exit 1 when steps are left."""
    _run(_find(slug, name), number, undo=False, shown=shown, as_json=as_json)


@directory.command("undo")
@click.argument("name")
@tenant_option
@click.option("--show", "shown", default=20, show_default=True, help="How many errors to print.")
@json_option
def undo(name: str, slug: str, shown: int, as_json: bool) -> None:
    """Put back what the latest plan did."""
    _run(_find(slug, name), None, undo=True, shown=shown, as_json=as_json)


@directory.command("passwords")
@click.argument("name")
@tenant_option
@click.option("--group", required=True, help="A group there, such as a class: “Kestrels (Puddlebrook)”.")
@json_option
def passwords(name: str, slug: str, group: str, as_json: bool) -> None:
    """Make new passwords for the accounts of a group and print them, once, to be handed out. Nobody keeps them."""
    from rollbook.sharing import renew_directory_passwords

    rows = renew_directory_passwords(_find(slug, name), group)
    show(
        as_json, rows,
        "\n".join(f"{r['name']:<32} {r['username']:<32} {r['password'] or r['error']}" for r in rows),
    )  # fmt: skip
    sys.exit(1 if any(r["error"] for r in rows) else 0)


def _run(found: Directory, number: int | None, *, undo: bool, shown: int, as_json: bool) -> None:
    from rollbook.sharing import directory_plan, plan_directory, plan_directory_undo, push_directory

    made = (
        directory_plan(found, number)
        if number
        else plan_directory_undo(found)
        if undo
        else plan_directory(found)
    )
    bar = Bar()
    try:
        made = push_directory(found, made, progress=bar)
    finally:
        bar.close()
    _tell(made, as_json, shown, state="failed")
    sys.exit(EXIT.get(made.state, 1))


def _find(slug: str, name: str) -> Directory:
    from rollbook.sharing import find_directory

    return find_directory(find_tenant(slug).id, name)


def _json(text: str) -> Any:
    from rollbook.kernel.errors import Invalid

    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Invalid(f"The settings are not JSON: {error}.", "The smallest are {}.", "settings") from error


def _tell(made: Push, as_json: bool, shown: int, state: str = "", where: str = "") -> None:
    from rollbook.sharing import plan_differences, plan_step, plan_steps

    lines: list[dict[str, Any]] = []
    for row in plan_steps(made, **({"state": state} if state else {})):
        if not as_json and len(lines) == shown:
            break
        record = row.after or row.before or {}
        lines.append(
            {
                "kind": row.kind, "action": row.action, "state": row.state, "error": row.error, "mend": row.mend,
                "name": record.get("username") or record.get("name") or "/".join(record.get("path", [])),
                "person": record.get("display", ""),
                "changes": [{"what": w, "from": a, "to": b} for w, a, b in plan_differences(plan_step(row))],
            }
        )  # fmt: skip
    data = {
        "plan": made.id, "state": made.state, "counts": made.counts, "total": made.total, "done": made.done,
        "failed": made.failed, "message": made.message, "steps": lines,
    }  # fmt: skip
    show(as_json, data, _text(data, where))


def _text(data: dict[str, Any], where: str) -> str:
    lines = [data["message"]] if data["message"] else []
    for kind, actions in data["counts"].items():
        lines.append(
            f"{kind + 's':<8}" + ", ".join(f"{n:,} to {action}" for action, n in sorted(actions.items()))
        )
    for step in data["steps"]:
        changed = "; ".join(
            f"{c['what']}: {c['from']} → {c['to']}".replace(":  →", ":") for c in step["changes"]
        )
        told = f"{step['error']} {step['mend']}" if step["error"] else changed
        lines.append(f"  {step['action']:<8} {step['kind']:<6} {step['name']:<28} {told}")
    if not data["total"]:
        lines.append("Nothing to write: the directory is as the roster says.")
    elif data["state"] == "planned":
        lines.append(f"{data['total']:,} steps; nothing was written.")
        lines.append(f"Carry it out with: rollbook directory run {where} --plan {data['plan']}")
    else:
        left = data["total"] - data["done"]
        rest = f", {left:,} left." if left else "."
        lines.append(f"{data['state'].capitalize()}: {data['done']:,} of {data['total']:,} steps{rest}")
    return "\n".join(lines)

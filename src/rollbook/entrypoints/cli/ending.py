"""`rollbook tenant end`: a school's account ends. What would go is shown first; then it goes, and is looked for."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollbook.entrypoints.cli.common import find_tenant, json_option, show
from rollbook.entrypoints.cli.export import tables_of
from rollbook.entrypoints.cli.tenants import tenant as group

if TYPE_CHECKING:
    from rollbook.roster import Tenant

# What stays, and why. All other tables lose every row of the tenant.
KEPT = {
    "policy.Audit": "what staff and apps did, without the names of people of the roll",
    "policy.Disclosure": "that something was shown or sent, without whom it was about",
    "policy.HandedOver": "that something was handed over, without its evidence",
    "sharing.App": "so that the app can sign in to read what it must delete",
    "sharing.Agreement": "what the app’s maker promised about deletion, and whom to write to",
    "sharing.Duty": "what each app must delete by when, under ids that lead to nobody here",
    "sharing.Webhook": "where an app hears of it",
    "sharing.Delivery": "that it was told",
}
NAMELESS = ("app", "tenant", "sync", "directory", "handed")  # kinds of object whose name is nobody's
OF_THE_ROLL = ("student", "guardian")
FOLDERS = ("sync", "uploads")


@group.command("end")
@click.argument("slug")
@click.option("--because", default="", help="Who ended it, and when. It goes on record.")
@click.option("--yes", is_flag=True, help="Do it. Without this the plan is shown, and nothing changes.")
@json_option
def end(slug: str, because: str, yes: bool, as_json: bool) -> None:
    """End a tenant: apps are told to delete, everything held of its people goes at once and is looked for.

    It cannot be undone: export first (`rollbook tenant export`). What stays is the audit, without names, and what apps owe.
    Exit 3: the plan was shown, nothing changed. Exit 1: something that should be gone was found; run it again.

    \b
    Example:
      rollbook tenant end oakfield
      rollbook tenant end oakfield --yes --because "Ms Reed, letter of 3 May 2027"
    """
    from rollbook.kernel.errors import Invalid

    tenant = find_tenant(slug)
    plan = _plan(tenant)
    if not yes:
        show(as_json, {"tenant": slug, "done": False, **plan}, _in_words(tenant, plan))
        sys.exit(3)
    if not because.strip():
        raise Invalid(
            "Nobody has ended this.", "Say who did, and when: --because “Ms Reed, letter of 3 May”."
        )
    duties = _tell_apps(tenant, because.strip())
    needles = _needles(tenant)
    _delete(tenant, because.strip(), plan)
    found = _left(tenant, needles)
    receipt = {
        "tenant": slug,
        "done": not found,
        "because": because.strip(),
        **plan,
        "duties": duties,
        "found": found,
    }
    text = (
        f"{sum(plan['deleted'].values()):,} rows and {len(plan['folders'])} folders are gone. Looked for in every table: "
        + ("nothing is left." if not found else "FOUND: " + "; ".join(found))
        + f"\n{len(duties)} apps were told to delete what they received."
    )
    show(as_json, receipt, text)
    sys.exit(1 if found else 0)


def _plan(tenant: Tenant) -> dict[str, Any]:
    """What goes, what stays and until when, which folders, which apps are told."""
    from rollbook.policy import bundle_for, unguarded, word_of
    from rollbook.roster import kept_until
    from rollbook.sharing import apps_of

    categories = bundle_for(tenant.policy).categories
    deleted, kept = {}, {}
    with unguarded("what would go when a school's account ends", tenant=tenant.id):
        for model, rows in tables_of(tenant):
            if model._meta.label not in KEPT:
                deleted[model._meta.db_table] = rows.count()
                continue
            words = [word_of(f) for f in model._meta.concrete_fields]
            until = {
                kept_until(categories[w.category]["retention"])
                for w in words
                if w and w.category and w.category != "account.secret"
            }
            kept[model._meta.db_table] = {
                "rows": rows.count(),
                "what": KEPT[model._meta.label],
                "until": sorted(until),
            }
    return {
        "deleted": {name: count for name, count in deleted.items() if count},
        "kept": {name: k for name, k in kept.items() if k["rows"]},
        "folders": [f"{f.parent.name}/{f.name}" for f in _folders(tenant) if f.exists()],
        "apps": [app.name for app in apps_of(tenant.id)],
    }  # fmt: skip


def _in_words(tenant: Tenant, plan: dict[str, Any]) -> str:
    gone = "\n".join(f"  {name:<28} {n:>10,} rows" for name, n in plan["deleted"].items())
    stays = "\n".join(f"  {name:<28} {k['rows']:>10,} rows: {k['what']}" for name, k in plan["kept"].items())
    return (
        f"If {tenant.name} ends, this goes for good:\n{gone or '  nothing'}\nThis stays:\n{stays or '  nothing'}\n"
        f"Told to delete: {', '.join(plan['apps']) or 'no app'}.\n"
        "Nothing has changed. Export first; then run it again with --yes and --because."
    )


def has_ended(tenant: Tenant) -> bool:
    """Whether the tenant's account was ended: nothing may be brought in for it any more."""
    from rollbook.policy import Audit, unguarded

    with unguarded("whether a school's account has ended", tenant=tenant.id):
        return bool(Audit.objects.filter(tenant_id=tenant.id, verb="tenant.ended").exists())


def _folders(tenant: Tenant) -> list[Path]:
    from django.conf import settings

    return [Path(settings.ROLLBOOK_DATA_DIR) / name / str(tenant.id) for name in FOLDERS]


def _tell_apps(tenant: Tenant, because: str) -> list[dict[str, Any]]:
    """Stop every app, and write down what each must delete. Done again it changes nothing."""
    from rollbook.sharing import apps_of, find_duties, owing_after_end, stop

    for app in apps_of(tenant.id):
        if app.stopped_at is None:
            stop(app, because=because)
    find_duties(tenant.id)
    return [
        {"app": o.name, "people": o.people, "delete_by": o.due_on.isoformat()}
        for o in owing_after_end(tenant.id)
    ]


def _needles(tenant: Tenant) -> frozenset[str]:
    """What must be found nowhere afterwards: names, emails and user names of everybody who is or was a student."""
    from django.apps import apps

    from rollbook.entrypoints.cli.export import students_of
    from rollbook.policy import unguarded

    found: set[str] = set()
    with unguarded("what must be found nowhere after a school's account ended", tenant=tenant.id):
        rows = apps.get_model("roster", "Person").objects.filter(
            tenant_id=tenant.id, id__any=sorted(students_of(tenant))
        )
        for given, family, email, username in rows.values_list(
            "given_name", "family_name", "email", "username"
        ).iterator():
            found |= {" ".join(_words(f"{given} {family}"))} if given and family else set()
            found |= {text.lower() for text in (email, username) if len(text) > 3}
    return frozenset(found)


def _delete(tenant: Tenant, because: str, plan: dict[str, Any]) -> None:
    """All of it, in one transaction with its line in the audit; then the folders."""
    from django.apps import apps
    from django.db import transaction

    from rollbook.kernel import idset
    from rollbook.policy import audit, unguarded

    nobody = {"people": idset.pack([]), "first_id": 0, "last_id": 0, "reason": ""}
    with transaction.atomic(), unguarded("a school's account ends", tenant=tenant.id):
        # Sessions are found by the accounts that they belong to, so they go first.
        for model, rows in sorted(
            tables_of(tenant), key=lambda pair: pair[0]._meta.label != "identity.Session"
        ):
            if model._meta.label not in KEPT:
                rows.delete()
        acts = apps.get_model("policy", "Audit").objects.filter(tenant_id=tenant.id)
        acts.exclude(object_kind__in=NAMELESS).update(object="", details={})
        acts.filter(actor_kind__in=OF_THE_ROLL).update(actor="", details={})
        told = apps.get_model("policy", "Disclosure").objects.filter(tenant_id=tenant.id)
        told.update(**nobody)
        told.filter(recipient_kind__in=OF_THE_ROLL).update(recipient="")
        apps.get_model("policy", "HandedOver").objects.filter(tenant_id=tenant.id).update(
            evidence={}, why_corrected="", why_not_told=""
        )
        if plan["deleted"]:
            audit(
                tenant.id, None, "tenant.ended", "tenant", tenant.id, tenant.name, because=because,
                rows=sum(plan["deleted"].values()),
            )  # fmt: skip
    for folder in _folders(tenant):
        shutil.rmtree(folder, ignore_errors=True)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _left(tenant: Tenant, needles: frozenset[str]) -> list[str]:
    """What should be gone and is there: rows of a table, a folder, a student's name in what is kept."""
    from rollbook.policy import unguarded

    found = [f"the folder {f.parent.name}/{f.name}" for f in _folders(tenant) if f.exists()]
    with unguarded("what should be gone is looked for in every table", tenant=tenant.id):
        for model, rows in tables_of(tenant):
            table = model._meta.db_table
            if model._meta.label not in KEPT:
                if count := rows.count():
                    found.append(f"{count} rows of {table}")
                continue
            fields = [
                f.attname
                for f in model._meta.concrete_fields
                if f.get_internal_type() in ("TextField", "CharField", "JSONField")
            ]
            hits = sum(
                not needles.isdisjoint(_said(row))
                for row in rows.values_list(*fields).iterator(chunk_size=2000)
            )
            if hits:
                found.append(f"the name of a student in {hits} rows of {table}")
    return found


def _said(row: Iterable[Any]) -> Iterator[str]:
    """Each two words that stand side by side in a row, each pair turned too, and each piece between spaces."""
    for value in row:
        text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
        words = _words(text)
        for a, b in pairwise(words):
            yield f"{a} {b}"
            yield f"{b} {a}"
        yield from re.split(r"[\s\"',;:()<>\[\]{}]+", text.lower())

"""`rollbook tenant export`: everything that is held of a tenant, for the school that asked for it in writing."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollbook.entrypoints.cli.common import find_tenant, json_option, show, tenant_option
from rollbook.entrypoints.cli.tenants import tenant as group

if TYPE_CHECKING:
    from rollbook.roster import Tenant

STUDENT, RECORD = "Student Data", "educational record"
# Tables with personal columns that carry no tenant, and whose they are. One that is neither here nor of a staff account
# stops the export.
ELSEWHERE = {
    "identity.Account": "staff work for several tenants under one account",
    "identity.SignUpKey": "app developers who have not signed up yet",
    "sharing.SigningKey": "Rollbook's own",
}
# Rows of a source as text: whose they are is inside, so all count as a student's.
AS_TEXT = ("roster.SetAside", "roster.Before")


@group.command("export")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@tenant_option
@click.option(
    "--request", required=True, help="Who of the school asked in writing, and when. It goes on record."
)
@json_option
def export(out: Path, slug: str, request: str, as_json: bool) -> None:
    """Write everything held of a tenant into a zip: a CSV for each table, and an inventory of their columns.

    Secrets (hashes of keys and passwords) are left out: they open doors and say nothing about anybody. What is
    handed over is written down, with the request, before the file is there.

    \b
    Example:
      rollbook tenant export oakfield.zip --tenant oakfield --request "Ms Reed, letter of 3 May 2027"
    """
    from rollbook.kernel.errors import Invalid

    if not request.strip():
        raise Invalid(
            "Nobody has asked for this.", "Say who did, and when: --request “Ms Reed, letter of 3 May”."
        )
    if out.exists():
        raise Invalid(f"{out} is there already.", "Choose another name.")
    tenant = find_tenant(slug)
    draft = out.with_name(out.name + ".part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            counts = _write(tenant, file)
        _write_down(tenant, request.strip())
        draft.rename(out)
    finally:
        draft.unlink(missing_ok=True)
    text = "\n".join(f"{name:<28} {n:>10,} rows" for name, n in counts.items() if n)
    data = {"tenant": slug, "file": str(out), "owner": tenant.name, "request": request, "rows": counts}
    show(as_json, data, f"{text}\n{out} holds all of it. Hand it over safely and delete your copy.")


def _write(tenant: Tenant, file: Any) -> dict[str, int]:
    """The zip. Answers how many rows of each table are in it."""
    from rollbook.policy import bundle_for, unguarded, word_of

    counts: dict[str, int] = {}
    categories = bundle_for(tenant.policy).categories
    inventory: list[tuple[str, ...]] = []
    with unguarded("a school takes what is held of it", tenant=tenant.id):
        students = students_of(tenant)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as pack:
            for model, rows in tables_of(tenant):
                columns = [c for c in model._meta.concrete_fields if _kind(c, categories) != "secret"]
                for column in columns:
                    word = word_of(column)
                    category = (word and word.category) or ""
                    sort = categories.get(category, {})
                    inventory.append((
                        model._meta.db_table, column.column, category, sort.get("title", ""), sort.get("kind", ""),
                        tenant.name, str(sort.get("retention", "")),
                    ))  # fmt: skip
                with (
                    pack.open(f"{model._meta.db_table}.csv", "w") as raw,
                    io.TextIOWrapper(raw, "utf-8", newline="") as out,
                ):
                    counts[model._meta.db_table] = _rows(
                        csv.writer(out), tenant, model, columns, rows, students
                    )
            head = ("table", "column", "category", "title", "kind", "owner", "kept")
            with pack.open("inventory.csv", "w") as raw, io.TextIOWrapper(raw, "utf-8", newline="") as out:
                csv.writer(out).writerows([head, *inventory])
    return counts


def _kind(column: Any, categories: Any) -> str:
    from rollbook.policy import word_of

    word = word_of(column)
    return str(categories.get(word.category, {}).get("kind", "")) if word and word.category else ""


def students_of(tenant: Tenant) -> set[int]:
    """Ids of everybody who is or was a student."""
    from django.apps import apps

    roles = apps.get_model("roster", "Role").objects.filter(tenant_id=tenant.id, role="student")
    return set(roles.values_list("person_id", flat=True))


def tables_of(tenant: Tenant) -> Iterator[tuple[Any, Any]]:
    """Each guarded table with the tenant's rows. Raises LookupError for one that nobody has thought of."""
    from django.apps import apps

    from rollbook.policy import Guarded, word_of

    for model in apps.get_models():
        names = {f.attname for f in model._meta.concrete_fields}
        if not issubclass(model, Guarded):
            continue
        if "tenant_id" in names:
            yield model, model.objects.filter(tenant_id=tenant.id)
        elif model._meta.label == "identity.Session":
            accounts = apps.get_model("identity", "PersonAccount").objects.filter(tenant_id=tenant.id)
            yield model, model.objects.filter(kind="person", account_id__in=accounts.values_list("id"))
        elif not whose(model) and any((w := word_of(f)) and w.category for f in model._meta.concrete_fields):
            raise LookupError(
                f"{model._meta.label} holds personal data and no tenant: say whose in ELSEWHERE"
            )


def whose(model: Any) -> str:
    """Whose a table without a tenant is, when it is not the school's; empty when nobody has said."""
    of_staff = any(
        f.is_relation and f.related_model._meta.label == "identity.Account"
        for f in model._meta.concrete_fields
    )
    return ELSEWHERE.get(model._meta.label) or ("of staff accounts" if of_staff else "")


def _people_columns(model: Any) -> list[str]:
    """The columns that name somebody of the roster, as lookups."""
    if model._meta.label == "roster.Person":
        return ["id"]
    found = []
    for f in model._meta.concrete_fields:
        other = f.related_model if f.is_relation else None
        if f.attname == "person_id" or (other and other._meta.label == "roster.Person"):
            found.append(f.attname)
        elif other and any(o.attname == "person_id" for o in other._meta.concrete_fields):
            found.append(f"{f.name}__person_id")
    return found


def _rows(writer: Any, tenant: Tenant, model: Any, columns: Any, rows: Any, students: set[int]) -> int:
    """The table as CSV. A row about a student says what it is and whose: the school's."""
    from rollbook.entrypoints.pages import safe_cell

    people = _people_columns(model)
    writer.writerow(["label", "record_class", "owner", *(c.column for c in columns)])
    count = 0
    for row in (
        rows.order_by("pk").values_list(*(c.attname for c in columns), *people).iterator(chunk_size=2000)
    ):
        theirs = not students.isdisjoint(row[len(columns) :]) or model._meta.label in AS_TEXT
        mark = (STUDENT, RECORD, tenant.name) if theirs else ("", "", tenant.name)
        writer.writerow([*mark, *(_cell(v, safe_cell) for v in row[: len(columns)])])
        count += 1
    return count


def _cell(value: Any, safe: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return "" if value is None else safe(str(value))


def _write_down(tenant: Tenant, request: str) -> None:
    """Who received what: durable before the file has its name."""
    from django.apps import apps

    from rollbook.policy import Access, Actor, audit, bundle_for, disclose, unguarded, word_of

    operator = Actor("staff", "dpo", 0, "the command line")
    access = Access(
        operator, "protection", tenant.id, bundle_for(tenant.policy), reason=f"for the school: {request}"
    )
    with unguarded("a school takes what is held of it", tenant=tenant.id):
        people = list(
            apps.get_model("roster", "Person")
            .objects.filter(tenant_id=tenant.id)
            .values_list("id", flat=True)
        )
        shown = [
            (model, f.attname)
            for model, _ in tables_of(tenant)
            for f in model._meta.concrete_fields
            if _people_columns(model) and (w := word_of(f)) and w.category
        ]
    disclose(access, "command:tenant export", shown, people)
    audit(tenant.id, operator, "tenant.exported", "tenant", tenant.id, tenant.name, because=request)

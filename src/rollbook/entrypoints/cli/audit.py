"""`rollbook audit`: who did what, and who received or saw what."""

from __future__ import annotations

import click

from rollbook.entrypoints.cli import cli
from rollbook.entrypoints.cli.common import find_tenant, json_option, show, tenant_option


@cli.command()
@tenant_option
@click.option("--about", metavar="SOURCEDID", help="Only disclosures about this person.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def audit(slug: str, about: str | None, limit: int, as_json: bool) -> None:
    """The latest acts and disclosures of a tenant, newest first. Reading it is recorded too.

    \b
    Example: everybody who received or saw one child's data
      rollbook audit --tenant oakfield --about P-00417
    """
    from rollbook.policy import Access, Actor, Audit, Disclosure, bundle_for, disclosures_about
    from rollbook.policy import audit as record
    from rollbook.roster import find_by_sourced_id, one_and_the_same

    tenant = find_tenant(slug)
    operator = Actor("staff", "dpo", 0, "the command line")
    access = Access(operator, "protection", tenant.id, bundle_for(tenant.policy))
    if about:
        same = one_and_the_same(access, find_by_sourced_id(tenant, "person", about))
        disclosures = disclosures_about(access, same, limit=limit)
        acts = []
    else:
        disclosures = list(access.select(Disclosure).order_by("-id")[:limit])
        acts = list(access.select(Audit).order_by("-id")[:limit])
    rows = [
        {"id": d.id, "at": d.at, "kind": "disclosure", "who": d.recipient, "what": d.door, "scope": d.scope, "purpose": d.purpose,
         "people": d.people_count, "columns": d.columns, "bundle": d.bundle}
        for d in disclosures
    ] + [
        {"id": a.id, "at": a.at, "kind": "act", "who": a.actor, "what": a.verb, "object": a.object, "details": a.details}
        for a in acts
    ]  # fmt: skip
    rows = sorted(rows, key=lambda r: int(str(r["id"])), reverse=True)[:limit]
    record(tenant.id, operator, "audit.read", "tenant", tenant.id, tenant.name, about=about or "")
    text = "\n".join(
        f"{r['at']:%Y-%m-%d %H:%M:%S}  {r['who']:<24} {r['what']:<28} "
        + (f"{r['people']} people, {r['purpose']}" if r["kind"] == "disclosure" else str(r.get("object", "")))
        for r in rows
    )
    show(as_json, rows, text or "Nothing yet.")

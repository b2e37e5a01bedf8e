"""`rollbook disclosures`: the register of what was handed to somebody outside by hand."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from rollbook.entrypoints.cli import cli
from rollbook.entrypoints.cli.common import find_tenant, json_option, show, tenant_option

if TYPE_CHECKING:
    from rollbook.policy import Access


@cli.group()
def disclosures() -> None:
    """What was handed to a court, the police or others outside by hand: the register, and a new entry."""


def _access(tenant: Any) -> Access:
    from rollbook.policy import Access, Actor, bundle_for

    operator = Actor("staff", "dpo", 0, "the command line")
    return Access(operator, "protection", tenant.id, bundle_for(tenant.policy))


@disclosures.command("list")
@tenant_option
@json_option
def list_(slug: str, as_json: bool) -> None:
    """The latest 50 entries, newest first."""
    from rollbook.roster import handed_over

    tenant = find_tenant(slug)
    found, _ = handed_over(_access(tenant))
    rows: list[dict[str, Any]] = [
        {
            "id": e.id, "at": e.at, "released_on": e.released_on, "recipient": e.recipient, "ground": e.ground,
            "evidence": dict(e.raw_evidence), "details": e.details, "people": len(e.people), "approved_by": e.approved_by,
            "entered_by": e.entered_by, "told": e.told, "why_not_told": e.why_not_told, "corrects": e.corrects or None,
            "corrected_by": e.corrected_by or None,
        }
        for e in found
    ]  # fmt: skip
    text = "\n".join(
        f"{r['released_on']}  {r['recipient']:<32.32} {r['ground']:<12} {len(r['details'])} details of {r['people']} people"
        + ("  (corrected)" if r["corrected_by"] else "")
        for r in rows
    )
    show(as_json, rows, text or "Nothing was handed over.")


@disclosures.command()
@tenant_option
@click.option("--to", "recipient", required=True, help="Who receives it.")
@click.option("--ground", required=True, help="court-order, statute, terms or belief.")
@click.option("--evidence", multiple=True, metavar="NAME=TEXT", help="What the ground needs; once for each.")
@click.option(
    "--person", "people", multiple=True, required=True, metavar="SOURCEDID", help="Once for each person."
)
@click.option(
    "--detail", "columns", multiple=True, metavar="TABLE.COLUMN", help="Once for each: roster_person.email."
)
@click.option(
    "--on", "released_on", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The day of the release."
)
@click.option("--approved-by", required=True, help="Who approved it, by name.")
@click.option("--told/--not-told", default=None, help="Whether the people were told.")
@click.option("--why-not-told", default="", help="Why not.")
@click.option("--corrects", type=int, default=0, metavar="ID", help="The entry that this one puts right.")
@click.option("--why-corrected", default="", help="What was wrong.")
@json_option
def enter(
    slug: str, as_json: bool, people: tuple[str, ...], evidence: tuple[str, ...], released_on: datetime, **given: Any
) -> None:  # fmt: skip
    """Write an entry, before the information leaves. Nothing can change it afterwards.

    \b
    Example:
      rollbook disclosures enter --tenant oakfield --to "County Court at Hill" --ground court-order \\
        --evidence order=14/2026 --evidence authority="County Court at Hill" --evidence scope="Address of the pupil" \\
        --person P-00417 --detail roster_person.email --on 2026-11-21 --approved-by "Ms Reed" --told
    """
    from rollbook.roster import Entry, find_by_sourced_id, hand_over

    tenant = find_tenant(slug)
    said = dict(part.partition("=")[::2] for part in evidence)
    ids = [find_by_sourced_id(tenant, "person", p) for p in people]
    number = hand_over(
        _access(tenant), Entry(people=ids, evidence=said, released_on=released_on.date(), **given)
    )
    show(as_json, {"id": number}, f"Written down as {number}.")

"""`rollbook sync`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from rollbook.entrypoints.cli import cli
from rollbook.entrypoints.cli.common import Bar, find_tenant, json_option, show, tenant_option

EXIT = {
    "applied": 0,
    "unchanged": 0,
    "undone": 0,
    "discarded": 0,
    "proposed": 0,
    "held": 3,
    "refused": 4,
    "failed": 1,
}


@cli.command()
@click.argument("path", required=False)
@tenant_option
@click.option(
    "--format",
    "format_",
    default="auto",
    help="auto, oneroster-1.1, oneroster-1.2, sds-v1, sds-uk, sds-v2, sds-v2.1",
)
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@click.option("--yes", is_flag=True, help="Apply even if the change is large enough to be held.")
@click.option("--undo", is_flag=True, help="Undo the last sync that was applied.")
@click.option("--problems", type=int, default=10, show_default=True, help="How many set-aside rows to print.")
@json_option
def sync(
    path: str | None,
    slug: str,
    format_: str,
    dry_run: bool,
    yes: bool,
    undo: bool,
    problems: int,
    as_json: bool,
) -> None:
    """Bring the roster up to date from a bundle: OneRoster CSV 1.1 or 1.2, or Microsoft SDS; a folder or a zip.

    Exit 0: applied, or nothing to do. 3: held for a person to look. 4: refused.

    \b
    Examples:
      rollbook sync export.zip --tenant oakfield --dry-run
      rollbook sync export.zip --tenant oakfield
      rollbook sync --undo --tenant oakfield
    """
    from rollbook.entrypoints.cli.ending import has_ended
    from rollbook.kernel.errors import Refused
    from rollbook.roster import last_applied, set_aside_of, sync_path
    from rollbook.roster import undo as undo_sync

    tenant = find_tenant(slug)
    if has_ended(tenant):
        raise Refused(f"The account of {tenant.name} has ended.", "Nothing is brought in for it any more.")
    if not undo and not path:
        raise click.UsageError("Say which bundle: rollbook sync PATH --tenant SLUG (or --undo).")
    bar = Bar()
    try:
        made = (
            undo_sync(tenant, last_applied(tenant))
            if undo
            else sync_path(tenant, Path(str(path)), format=format_, dry_run=dry_run, yes=yes, progress=bar)
        )
    finally:
        bar.close()
    aside = set_aside_of(tenant, made, limit=max(0, problems))
    data: dict[str, Any] = {
        "sync": made.id, "state": made.state, "format": made.format, "counts": made.counts, "holds": made.holds,
        "plan": made.plan, "notices": made.notices, "message": made.message, "set_aside": aside,
    }  # fmt: skip
    show(as_json, data, _text(data))
    sys.exit(EXIT.get(made.state, 1))


def _text(data: dict[str, Any]) -> str:
    lines = []
    if data["message"]:
        lines.append(data["message"])
    if data["counts"]:
        parts = ("rows", "created", "changed", "removed", "unchanged", "set_aside")
        lines.append(f"{'':<18}" + "".join(f"{p.replace('_', ' '):>12}" for p in parts))
        lines += [
            f"{kind:<18}" + "".join(f"{c.get(p, 0):>12,}" for p in parts)
            for kind, c in data["counts"].items()
        ]
    lines += [f"Note: {n.get('message', n)}" for n in data["notices"]]
    for row in data["set_aside"]:
        where = f"{row['file']} row {row['row']}" + (f", {row['column']}" if row["column"] else "")
        lines.append(f"Set aside: {where}: {row['reason']} {row['mend']}")
    lines += [f"Held: {h.get('reason', h)}" for h in data["holds"]]
    ends = {
        "applied": "Applied. Undo with: rollbook sync --undo",
        "unchanged": "Nothing to do: the roster is as the bundle says.",
        "proposed": "Nothing was changed (dry run).",
        "held": "Held. Look at it on the sync page, or apply it with --yes.",
        "undone": "Undone.",
        "refused": "Refused. The roster is as it was.",
        "failed": "Failed. The roster is as it was.",
    }
    return "\n".join([*lines, ends.get(data["state"], data["state"])])

"""`rollbook policy`: check, build, show and compare policies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollbook.entrypoints.cli import cli
from rollbook.entrypoints.cli.common import json_option, show

if TYPE_CHECKING:
    from rollbook.policy import Bundle


@cli.group()
def policy() -> None:
    """The privacy policy that the code runs."""


profile_option = click.option(
    "--profile", default=None, help="A folder of policies/; default: ROLLBOOK_POLICY."
)


def _bundle(name: str | None) -> Bundle:
    """A bundle by profile name, path of a policy.toml, path of a built bundle, or a recorded hash."""
    from django.conf import settings

    from rollbook.kernel.errors import NotFound
    from rollbook.policy import bundle_for, compile_text, from_text, recorded_bundle

    name = name or settings.ROLLBOOK_POLICY
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return compile_text(path.read_text(encoding="utf-8"))
    if path.suffix == ".json" and path.is_file():
        return from_text(path.read_text(encoding="utf-8"))
    if len(name) >= 8 and all(c in "0123456789abcdef" for c in name):
        found = recorded_bundle(name)
        if found is None:
            raise NotFound(f"No policy with a hash that begins {name} was ever in force here.")
        return found
    return bundle_for(name)


@policy.command()
@profile_option
@json_option
def check(profile: str | None, as_json: bool) -> None:
    """Compile the policy against every column; list all that is missing. Exit 4 if it does not compile."""
    bundle = _bundle(profile)
    columns = sum(len(c) for c in bundle.data["inventory"].values())
    show(
        as_json, {"ok": True, "profile": bundle.profile, "hash": bundle.hash, "columns": columns},
        f"The policy “{bundle.profile}” compiles: {columns} columns, {len(bundle.categories)} categories, "
        f"{len(bundle.purposes)} purposes, {len(bundle.rules)} rules.\n{bundle.hash}",
    )  # fmt: skip


@policy.command()
@profile_option
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write the canonical JSON here.")
@json_option
def build(profile: str | None, out: Path | None, as_json: bool) -> None:
    """Compile to an immutable bundle (canonical JSON), record it as in force, print its SHA-256."""
    from rollbook.policy import record_bundle

    bundle = _bundle(profile)
    record_bundle(bundle)
    if out:
        out.write_text(bundle.text, encoding="utf-8")
    show(
        as_json,
        {"hash": bundle.hash, "profile": bundle.profile, "bytes": len(bundle.text), "out": out and str(out)},
        bundle.hash,
    )


@policy.command("show")
@profile_option
@json_option
def show_(profile: str | None, as_json: bool) -> None:
    """Who may use what, why, and how far it reaches."""
    bundle = _bundle(profile)
    lines = [f"{bundle.profile}, in force from {bundle.effective_from}", bundle.hash, ""]
    for (role, purpose), rule in sorted(bundle.rules.items()):
        lines += [
            f"{role}, to “{bundle.purposes[purpose]['title']}” ({bundle.purposes[purpose]['basis']}), reaches: {rule.reach}"
        ]
        lines += [f"    sees   {', '.join(bundle.categories[c]['title'] for c in sorted(rule.allow))}"]
        lines += (
            [f"    never  {', '.join(bundle.categories[c]['title'] for c in sorted(rule.refuse))}"]
            if rule.refuse
            else []
        )
    data = {
        "hash": bundle.hash,
        "profile": bundle.profile,
        "effective_from": bundle.effective_from,
        **bundle.data,
    }
    show(as_json, data, "\n".join(lines))


@policy.command()
@click.argument("old")
@click.argument("new", required=False)
@json_option
def diff(old: str, new: str | None, as_json: bool) -> None:
    """What a change of policy means. OLD and NEW: a profile, a policy.toml, a built bundle, or a recorded hash.

    \b
    Example:
      rollbook policy diff 3fa94c01 default
    """
    from rollbook.policy import diff as compare

    changes = compare(_bundle(old), _bundle(new))
    rows = [{"what": c.what, "material": c.material} for c in changes]
    text = (
        "\n".join(("material  " if c.material else "          ") + c.what for c in changes)
        or "Nothing differs."
    )
    show(as_json, rows, text)


@policy.command()
@click.option("--write", is_flag=True, help="Write docs/exemptions.md.")
@click.option("--check", "check_", is_flag=True, help="Fail if docs/exemptions.md is not up to date.")
@json_option
def exemptions(write: bool, check_: bool, as_json: bool) -> None:
    """Every place in the code that reads past the gate, with its reason."""
    from rollbook.policy import exemptions_page, list_exemptions

    root = Path(__file__).resolve().parents[4]
    rows = [{"file": f, "line": n, "reason": r} for f, n, r in list_exemptions(root / "src")]
    page = root / "docs" / "exemptions.md"
    text = exemptions_page(root / "src")
    if write:
        page.write_text(text, encoding="utf-8")
    if check_ and page.read_text(encoding="utf-8") != text:
        print("docs/exemptions.md is out of date: rollbook policy exemptions --write", file=sys.stderr)
        sys.exit(1)
    show(as_json, rows, text)


@policy.command()
@profile_option
@click.option(
    "--tenant",
    "slug",
    default=None,
    metavar="SLUG",
    help="Only what this tenant holds, and which app gets it.",
)
@json_option
def inventory(profile: str | None, slug: str | None, as_json: bool) -> None:
    """What is held, from where, for whom and how long: from the words beside the columns and policy.toml alone."""
    from rollbook.entrypoints.cli.common import find_tenant
    from rollbook.entrypoints.inventory import inventory as rows_of

    tenant = find_tenant(slug) if slug else None
    found = rows_of(_bundle(profile or (tenant.policy if tenant else None)), tenant)
    rows = [
        {
            "category": r.category, "title": r.title, "kind": r.kind, "label": r.label, "sources": list(r.sources),
            "given_by": sorted(r.given_by), "used": [{"role": role, "purpose": purpose} for role, purpose in r.uses],
            "apps": r.apps, "apps_now": list(r.apps_now), "kept": r.kept, "columns": list(r.columns),
        }
        for r in found
    ]  # fmt: skip
    text = "\n".join(
        f"{r.title}{f' ({r.label})' if r.label else ''}\n    from   {'; '.join(r.source_titles)}\n"
        f"    for    {', '.join(f'{role}: {purpose}' for role, purpose in r.uses) or 'nobody'}\n    kept   {r.kept}"
        for r in found
    )
    show(as_json, rows, text or "Nothing is held.")


@policy.command()
@json_option
def gaps(as_json: bool) -> None:
    """Questions that nobody has decided; each was refused."""
    from rollbook.policy import Gap, unguarded

    with unguarded("the operator lists the questions that are open"):
        rows = list(
            Gap.objects.order_by("-last_at").values("tenant_id", "what", "because", "times", "last_at")[:200]
        )
    show(
        as_json,
        rows,
        "\n".join(f"{r['times']:>5} x  {r['what']} {r['because']}" for r in rows) or "No open questions.",
    )

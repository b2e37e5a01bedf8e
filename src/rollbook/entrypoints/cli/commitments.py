"""`rollbook commitments`: which promises a test shows."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import click

from rollbook.entrypoints.cli import cli
from rollbook.entrypoints.cli.common import json_option, show

ROOT = Path(__file__).resolve().parents[4]


def ledger(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """Every promise by id, from commitments/*.toml."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((root / "commitments").glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["commitment"]:
            found[entry["id"]] = {**entry, "ledger": path.stem}
    return found


def marked(root: Path = ROOT) -> dict[str, list[str]]:
    """Promise id -> tests marked with it, as file::name."""
    found: dict[str, list[str]] = {}
    for path in sorted((root / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            for mark in node.decorator_list:
                if (
                    isinstance(mark, ast.Call)
                    and isinstance(mark.func, ast.Attribute)
                    and mark.func.attr == "commitment"
                ):
                    for arg in mark.args:
                        if isinstance(arg, ast.Constant):
                            found.setdefault(str(arg.value), []).append(
                                f"{path.relative_to(root)}::{node.name}"
                            )
    return found


def by_section(promises: dict[str, dict[str, Any]], marks: dict[str, list[str]]) -> list[dict[str, Any]]:
    """The ledgers' sections in their order, each with how many promises it has and how many a test shows."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for i, promise in promises.items():
        number = int(i.rpartition("-")[2].partition(".")[0])
        title = promise["section"].partition(" / ")[0].partition(";")[0]
        line = found.setdefault(
            (promise["ledger"], number),
            {"ledger": promise["ledger"], "section": number, "title": title, "promises": 0, "shown": 0},
        )
        line["promises"] += 1
        line["shown"] += bool(marks.get(i))
    return [found[key] for key in sorted(found)]


@cli.command()
@click.option("--ledger", "only", help="Only one ledger, such as clever.")
@click.option("--missing", "--open", "missing", is_flag=True, help="Only promises that no test shows.")
@click.option(
    "--sections", is_flag=True, help="Count by the sections of each policy instead of listing promises."
)
@json_option
def commitments(only: str | None, missing: bool, sections: bool, as_json: bool) -> None:
    """Count the promises that a test would show broken. A mark with an unknown id fails.

    \b
    Example:
      rollbook commitments --ledger clever --missing
      rollbook commitments --ledger clever --sections
    """
    promises, marks = ledger(), marked()
    unknown = sorted(set(marks) - set(promises))
    if unknown:
        raise click.ClickException(f"Tests are marked with ids that no ledger holds: {', '.join(unknown)}.")
    if sections:
        lines = [line for line in by_section(promises, marks) if not only or line["ledger"] == only]
        text = "\n".join(
            f"{line['ledger']:<22} {line['section']:>3}  {line['shown']:>4} of {line['promises']:<4} {line['title']}"
            for line in lines
        )
        show(as_json, lines, text)
        return
    rows = [
        {
            "id": i,
            "ledger": p["ledger"],
            "enforce": p["enforce"],
            "statement": p["statement"],
            "tests": marks.get(i, []),
        }
        for i, p in promises.items()
        if (not only or p["ledger"] == only) and not (missing and marks.get(i))
    ]
    counts = []
    for name in sorted({p["ledger"] for p in promises.values()}):
        all_of = [i for i, p in promises.items() if p["ledger"] == name]
        counts.append(
            f"{name:<24} {sum(1 for i in all_of if marks.get(i)):>4} of {len(all_of)} shown by a test"
        )
    if missing or only:
        counts += ["", *(f"{'✓' if r['tests'] else '·'} {r['id']:<12} {r['statement']}" for r in rows)]
    show(as_json, rows, "\n".join(counts))

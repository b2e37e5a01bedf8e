"""`rollbook generate`: bundles of made-up people, for trials and benchmarks."""

from __future__ import annotations

from pathlib import Path

import click

from rollbook.entrypoints.cli import cli
from rollbook.entrypoints.cli.common import Bar, json_option, show


@cli.group()
def generate() -> None:
    """Make bundles of invented people."""


@generate.command()
@click.option("--students", type=int, default=120, show_default=True)
@click.option("--schools", type=int, default=2, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same bundle.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="A new folder, or a file that ends in .zip"
)
@click.option(
    "--changed", type=click.FloatRange(0, 1), default=0.0, help="This share of people and places changed."
)
@click.option("--removed", type=click.FloatRange(0, 1), default=0.0, help="This share removed.")
@click.option("--added", type=click.FloatRange(0, 1), default=0.0, help="This share added.")
@click.option("--version", type=click.Choice(["1.1", "1.2"]), default="1.2", show_default=True)
@json_option
def oneroster(
    students: int,
    schools: int,
    seed: int,
    out: Path,
    changed: float,
    removed: float,
    added: float,
    version: str,
    as_json: bool,
) -> None:
    """Make a OneRoster CSV bundle: a trust with siblings, two families, leavers, names in several scripts.

    \b
    Example:
      rollbook generate oneroster --students 500 --schools 3 --seed 7 --out trial.zip
    """
    from rollbook.roster.connectors.generate import GenerateError, generate_oneroster

    bar = Bar()
    try:
        made = generate_oneroster(
            out, students=students, schools=schools, seed=seed, changed=changed, removed=removed, added=added,
            version=version, progress=lambda done, total: bar.step("writing", done, total),
        )  # fmt: skip
    except GenerateError as error:
        raise click.ClickException(str(error)) from error
    finally:
        bar.close()
    show(
        as_json,
        {"path": str(made.path), "files": made.counts},
        f"{made.path}: " + ", ".join(f"{n:,} {k}" for k, n in made.counts.items()),
    )

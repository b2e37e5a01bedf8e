"""What commands share: JSON output, finding a tenant, a progress bar."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rollbook.roster import Tenant

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """`--json`: one JSON value on standard output, for machines."""
    return click.option(
        "--json", "as_json", is_flag=True, help="One JSON value on standard output, for machines."
    )(command)


def tenant_option(command: F) -> F:
    """`--tenant SLUG`."""
    return click.option(
        "--tenant", "slug", required=True, metavar="SLUG", help="The tenant, by its short name."
    )(command)


def show(as_json: bool, data: Any, text: str) -> None:
    """Print the data as JSON, or the text."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2, default=str) if as_json else text)


def find_tenant(slug: str) -> Tenant:
    """The tenant of that short name. Raises NotFound saying which there are."""
    from rollbook.kernel.errors import NotFound
    from rollbook.roster import Tenant

    found = Tenant.objects.filter(slug=slug).first()
    if found is None:
        have = ", ".join(Tenant.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise NotFound(
            f"There is no tenant “{slug}”. "
            + (f"There are: {have}." if have else "Make one with `rollbook tenant create`.")
        )
    return found


class Bar:
    """Progress in the terminal, on standard error: a line that rewrites itself, or one line a step in a log."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.name, self.shown, self.began = "", 0.0, time.monotonic()

    def step(self, name: str, done: int, total: int | None) -> None:
        """Say that `done` of `total` parts of the step `name` are finished (total None: not known)."""
        now = time.monotonic()
        if not self.live:
            if name != self.name:
                click.echo(f"{name} ...", err=True)
            self.name = name
            return
        if name == self.name and now - self.shown < 0.1 and done != total:
            return
        if name != self.name and self.name:
            click.echo("", err=True)
        self.name, self.shown = name, now
        share = min(1.0, done / total) if total else 0.0
        filled = int(share * 24)
        drawn = f"{'█' * filled}{'·' * (24 - filled)} {share:4.0%}" if total else f"{done:,}"
        click.echo(f"\r{name:<28.28} {drawn}  {now - self.began:5.1f} s", nl=False, err=True)

    def close(self) -> None:
        """Leave the line."""
        if self.live and self.name:
            click.echo("", err=True)

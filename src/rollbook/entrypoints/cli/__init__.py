"""The `rollbook` command. Every command has `--help` with an example and `--json` for machines.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 held for a person, 4 refused.
"""

from __future__ import annotations

import os
import sys

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name=None, version="0.1.0", prog_name="rollbook")
def cli() -> None:
    """Rollbook: one roster, five services, one privacy promise that the code keeps.

    \b
    A first run:
      rollbook demo --serve
    Your own school:
      rollbook tenant create oakfield --name "Oakfield School" --kind school --region GB
      rollbook sync export.zip --tenant oakfield
      rollbook serve
    """


# Commands that bring the database up to date before they begin: a first command on a new database just works.
NEEDS_TABLES = frozenset({"tenant", "account", "sync", "app", "audit", "directory", "disclosures"})


def main() -> None:
    """The console script: sets Django up, runs a command, and turns what we refuse into a sentence and an exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rollbook.entrypoints.settings")
    from rollbook.kernel.errors import Invalid, NotFound, Refused
    from rollbook.policy import PolicyError

    broken: type[Exception] = PolicyError  # until Django is set up there is no database to break
    wants_help = {"-h", "--help", "--version"} & set(sys.argv[1:])
    try:
        if not wants_help:
            import django
            from django.conf import settings

            try:
                settings.INSTALLED_APPS  # noqa: B018  # reads the environment
            except ValueError as error:
                sys.exit(f"A setting cannot be used: {error}")
            django.setup()
            from django.db import DatabaseError

            broken = DatabaseError
            if sys.argv[1:2] and sys.argv[1] in NEEDS_TABLES:
                from rollbook.entrypoints.cli.serve import prepare

                prepare()
        load()
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit("Stopped. Nothing more was changed.")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except PolicyError as error:
        print(error, file=sys.stderr)
        sys.exit(4)
    except broken as error:
        print(
            f"The database did not do its part ({type(error).__name__}). `rollbook doctor` says why.",
            file=sys.stderr,
        )
        if os.environ.get("ROLLBOOK_DEBUG"):
            raise
        sys.exit(1)
    except Refused as error:
        print(f"Refused: {error}", file=sys.stderr)
        sys.exit(4)
    except Invalid as error:
        print(f"{error.what}\n{error.mend}".strip(), file=sys.stderr)
        sys.exit(1)
    except NotFound as error:
        print(str(error) or "There is no such thing.", file=sys.stderr)
        sys.exit(1)


def load() -> None:
    """Import the modules that add commands."""
    from rollbook.entrypoints.cli import (
        apps,
        audit,
        commitments,
        demo,
        directories,
        disclosures,
        ending,
        export,
        generate,
        policy,
        serve,
        sync,
        tenants,
    )

"""Put this checkout on the path of its environment, and the `rollbook` command into its bin.

A plain .pth file and a short launcher, not `pip install -e`: that would download a build backend, which the
hashed lock does not cover. Run it with the environment's own Python.
"""

import sys
import sysconfig
from pathlib import Path

LAUNCHER = """#!/bin/sh
# Written by tools/link.py.
main='import sys; sys.argv[0] = "rollbook"; from rollbook.entrypoints.cli import main; sys.exit(main())'
exec "$(dirname "$0")/python" -c "$main" "$@"
"""


def link(source: Path) -> None:
    """Make `import rollbook` and the command `rollbook` mean the package in `source`."""
    if sys.prefix == sys.base_prefix:
        raise SystemExit(
            "tools/link.py: run it with .venv/bin/python, so that it changes that environment only."
        )
    Path(sysconfig.get_path("purelib"), "rollbook.pth").write_text(f"{source}\n", encoding="utf-8")
    launcher = Path(sysconfig.get_path("scripts"), "rollbook")
    launcher.write_text(LAUNCHER, encoding="utf-8")
    launcher.chmod(0o755)


if __name__ == "__main__":
    link(Path(__file__).resolve().parents[1] / "src")

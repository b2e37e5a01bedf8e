"""import-linter holds the map, the shape, the front doors and the doors; each contract is shown a breach."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAP = "The map: a module imports only modules below it"
SHAPE = "The shape: doors over actions over queries over models over rules"
ENGINE = "The engine: records over models over gate over compiler over words"
DOORS = "Doors never touch tables"


@pytest.fixture
def package(tmp_path):
    """A copy of the package, beside the contracts, into which a breach may be written."""
    shutil.copy(ROOT / ".importlinter", tmp_path)
    shutil.copytree(
        ROOT / "src/rollbook", tmp_path / "rollbook", ignore=shutil.ignore_patterns("__pycache__", "static")
    )
    return tmp_path / "rollbook"


def broken(package: Path) -> set[str]:
    """Run lint-imports on the copy; answers the names of the contracts that it finds broken."""
    # `-c` puts the working directory first on the path: the copy is linted, not the installed checkout.
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    found = set(re.findall(r"^(.*\S) BROKEN", run.stdout, re.MULTILINE))
    assert found or run.returncode == 0, run.stdout + run.stderr
    return found


def write(package: Path, module: str, line: str) -> None:
    """Append a line to a module of the copy, whether it is a file, a package or not there yet."""
    path = package.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    with file.open("a", encoding="utf-8") as out:
        out.write(f"\n{line}\n")


def test_the_code_as_it_stands_keeps_every_contract(package):
    assert broken(package) == set()


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [
        (MAP, "kernel.ids", "import rollbook.policy"),
        (MAP, "policy.words", "import rollbook.roster"),
        (MAP, "roster.rules", "import rollbook.identity"),
        (MAP, "identity.rules", "import rollbook.sharing"),
        (MAP, "identity.pages", "import rollbook.learning"),
        (MAP, "learning.rules", "import rollbook.sharing"),
        (MAP, "sharing.rules", "import rollbook.entrypoints"),
        (MAP, "utils", ""),
        (SHAPE, "roster.rules", "import rollbook.roster.models"),
        (SHAPE, "roster.models", "import rollbook.roster.queries"),
        (SHAPE, "identity.queries", "import rollbook.identity.actions"),
        (SHAPE, "sharing.actions", "import rollbook.sharing.api"),
        (SHAPE, "roster.utils", ""),
        (ENGINE, "policy.words", "import rollbook.policy.compiler"),
        (ENGINE, "policy.gate", "import rollbook.policy.models"),
        (ENGINE, "policy.models", "import rollbook.policy.records"),
        (ENGINE, "policy.words", "import rollbook.policy"),
        (ENGINE, "policy.utils", ""),
        (
            "Front door: policy is imported by its own name only",
            "entrypoints.breach",
            "import rollbook.policy.words",
        ),
        (
            "Front door: roster is imported by its own name only",
            "sharing.queries",
            "import rollbook.roster.models",
        ),
        (
            "Front door: identity is imported by its own name only",
            "sharing.pages",
            "import rollbook.identity.apps",
        ),
        (
            "Front door: learning is imported by its own name only",
            "sharing.api",
            "import rollbook.learning.models",
        ),
        (
            "Front door: sharing is imported by its own name only",
            "entrypoints.breach",
            "import rollbook.sharing.models",
        ),
        (DOORS, "roster.pages", "import rollbook.roster.models"),
        (DOORS, "sharing.api", "from rollbook.sharing import models"),
        (DOORS, "roster.jobs", "import rollbook.roster.models"),
        (DOORS, "roster.connectors", "import rollbook.roster.models"),
    ],
)
def test_a_breach_is_caught(package, contract, module, line):
    for part in ("models", "queries", "actions", "api"):  # a breach must have something to reach for
        for name in ("roster", "identity", "sharing"):
            if not (package / name / part).is_dir():
                write(package, f"{name}.{part}", "")
    write(package, module, line)
    assert contract in broken(package)


def test_entrypoints_may_wire_doors(package):
    write(package, "roster.pages", "")
    found = broken(package)
    write(package, "entrypoints.wires", "import rollbook.roster.pages, rollbook.roster.connectors")
    assert broken(package) == found

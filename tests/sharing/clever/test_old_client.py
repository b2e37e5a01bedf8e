"""clever-python 3.0.2, Clever's own client of version 2.0, against a running server. It needs a Python before 3.7 (its
code uses a word that later ones keep for themselves); where none is, the test is skipped by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from rollbook.kernel import clock
from rollbook.policy import unguarded
from rollbook.roster.models import Role
from tests.sharing.clever.conftest import known
from tests.sharing.oneroster.conftest import Erin
from tests.sharing.oneroster.test_lists import roster_changed

pytestmark = pytest.mark.django_db(transaction=True)
SCRIPT = Path(__file__).with_name("clever_python_script.py")
NEEDS = (
    "clever-python==3.0.2",
    "six==1.16.0",
    "certifi==2021.10.8",
    "python-dateutil==2.8.2",
    "urllib3==1.26.9",
)


def clean() -> dict[str, str]:
    """An environment in which no other Python's packages are found."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}


def old_python() -> str:
    """A Python that can import the client, or a skip that says what is missing."""
    said = os.environ.get("ROLLBOOK_CLEVER_PYTHON", "")
    if said:
        return said
    folder = Path(tempfile.gettempdir()) / f"rollbook-clever-python-{os.getuid()}"
    made = folder / "bin/python"
    if not (folder / "installed").exists():
        pyenv = sorted(Path.home().glob(".pyenv/versions/3.[56].*/bin/python"))
        found = next((p for p in (*pyenv, shutil.which("python3.6"), shutil.which("python3.5")) if p), None)
        if found is None:
            pytest.skip(
                "clever-python 3.0.2 needs Python 3.5 or 3.6; none is here (ROLLBOOK_CLEVER_PYTHON may name one)"
            )
        for step in (
            [str(found), "-m", "venv", str(folder)],
            [str(made), "-m", "pip", "install", "--no-deps", *NEEDS],
        ):
            done = subprocess.run(step, capture_output=True, text=True, timeout=120, check=False, env=clean())
            if done.returncode:
                pytest.skip(f"clever-python 3.0.2 could not be installed: {done.stderr[-200:]}")
        (folder / "installed").touch()
    return str(made)


def test_every_operation_of_clevers_own_client_comes_back_as_its_objects(
    erin: Erin, live_server: Any
) -> None:
    python, cast = old_python(), erin.cast
    with unguarded("set-up"):  # so that there is a school's administrator
        row = {"tenant": cast.tenant, "date_last_modified": clock.now()}
        Role.objects.create(**row, sourced_id="p", person=cast.dov, org=cast.school2, role="principal")
    roster_changed(cast)
    rows = {
        "contact": ("person", cast.cleo), "course": ("course", cast.course), "district": ("district", cast.tenant),
        "district_admin": ("person", cast.hana), "school": ("org", cast.school), "school_admin": ("person", cast.dov),
        "section": ("class", cast.kestrels), "student": ("person", cast.ada), "teacher": ("person", cast.ben),
        "term": ("session", cast.term), "event": ("class", cast.owls),
    }  # fmt: skip
    said = {
        "host": f"{live_server.url}/v2.0", "token": erin.token(), "ids": {k: known(erin, *v) for k, v in rows.items()},
    }  # fmt: skip
    done = subprocess.run(
        [python, str(SCRIPT)], capture_output=True, text=True, timeout=120, check=False,
        env={**clean(), "SAID": json.dumps(said)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["wrong"] == [] and found["missing"] == [
        ["get_event", 404]
    ]  # asked with no event's id, then with one
    assert len(set(found["answered"])) == 53
    assert found["met"] == sorted(found["met"], key=found["met"].index) and len(set(found["met"])) == 2

"""`make test`: the suite on SQLite, then on PostgreSQL where there is one; says what it left out, and why.

PostgreSQL is `ROLLBOOK_TEST_POSTGRES` (a URL whose role may create databases), or a server that answers on
this machine. Arguments go to pytest: `make test ARGS="tests/kernel -x"`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[1]
# One database name a checkout: two checkouts that test at the same time must not drop each other's.
NAME = f"rollbook_{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"
PROGRAMS = {
    "chromium": "the browser tests",
    "slapd": "the LDAP tests",
    "ldapmodify": "the LDAP tests",
    "xmlsec1": "the SAML tests",
}
SHARED = {"ROLLBOOK_SPECS": "specs", "ROLLBOOK_SAMPLES": "samples"}


def answers(url: str) -> bool:
    """Whether a server answers at `url` with a role that may create databases."""
    may_create = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
    try:
        with psycopg.connect(url, dbname="postgres", connect_timeout=3) as connection:
            row = connection.execute(may_create).fetchone()
    except psycopg.Error:
        return False
    return bool(row and row[0])


def postgres() -> tuple[str | None, str]:
    """The URL to test PostgreSQL with, or None, and a sentence that says where it comes from."""
    given = os.environ.get("ROLLBOOK_TEST_POSTGRES")
    if given:
        if answers(given):
            return given, "PostgreSQL: the server of ROLLBOOK_TEST_POSTGRES"
        raise SystemExit(
            "ROLLBOOK_TEST_POSTGRES is set, but nothing answers there with a role that may create databases."
        )
    # The socket as oneself, as Debian sets it up; then TCP as the two usual roles.
    users = dict.fromkeys((os.environ.get("USER", "postgres"), "postgres"))
    for url in (f"postgresql:///{NAME}", *(f"postgresql://{user}@127.0.0.1:5432/{NAME}" for user in users)):
        if answers(url):
            return url, f"PostgreSQL: the local server, {url}"
    return (
        None,
        "PostgreSQL: SKIPPED. No local server answers; ROLLBOOK_TEST_POSTGRES may name another by URL",
    )


def environment() -> dict[str, str]:
    """The environment of the tests; says which programs and reference files are missing."""
    env = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"}
    for program, what in PROGRAMS.items():
        if shutil.which(program, path=env["PATH"]) is None:
            print(f"{program}: SKIPPED. It is not installed, and {what} need it")
    for variable, folder in SHARED.items():
        beside = ROOT.parent / "shared" / folder
        if variable not in env and beside.is_dir():
            env[variable] = str(beside)
        if variable not in env:
            print(f"{variable}: SKIPPED. Not set, and the tests that read those files need it")
    return env


def run(title: str, url: str, env: dict[str, str], arguments: list[str]) -> int:
    """Run pytest once against the database `url`; answers its exit code."""
    print(f"\n======== {title} ========", flush=True)
    spread = [] if any(a.startswith("-n") for a in arguments) else ["-n", "auto"]
    command = [sys.executable, "-m", "pytest", "-q", "-rs", *spread, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**env, "ROLLBOOK_DATABASE_URL": url}, check=False
    ).returncode


def main(arguments: list[str]) -> int:
    """Run both; answers 1 when either failed. No test at all is a failure too (pytest's exit code 5)."""
    url, sentence = postgres()
    print(sentence)
    env = environment()
    codes = {"SQLite": run("SQLite", "sqlite://", env, arguments)}
    if url:
        # The laws of the architecture read the code, not a database: once is enough.
        codes["PostgreSQL"] = run(sentence, url, env, arguments or ["--ignore=tests/architecture"])
    print()
    for name, code in codes.items():
        print(f"{name}: {'passed' if code == 0 else f'FAILED (pytest exit code {code})'}")
    if url is None:
        print(sentence)
    return 1 if any(codes.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The dependency lock: `lock.py write` makes it again with uv, `lock.py check` says if it can be believed.

The check needs no network: every name asked for is locked with a hash, what runs is a subset of what is
tested, and no file names a host, so that the lock works against whichever registry pip is set up for.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)")
NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)")
UV_OPTIONS = (
    "--universal",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-header",
    "--python-version",
    "3.11",
)


def canonical(name: str) -> str:
    """The name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, str]:
    """Name to version of each pinned distribution in the text of a lock file."""
    return {canonical(m[1]): m[2] for line in text.splitlines() if (m := PIN.match(line))}


def asked(text: str) -> set[str]:
    """The names in the text of an .in file; lines with options, such as `-r base.in`, are left out."""
    return {canonical(m[1]) for line in text.splitlines() if (m := NAME.match(line.strip()))}


def unhashed(text: str) -> set[str]:
    """Names whose pin is not followed by a hash."""
    found, current = set(), ""
    for line in text.splitlines():
        if match := PIN.match(line):
            current = canonical(match[1])
            found.add(current)
        if "--hash=sha256:" in line:
            found.discard(current)
    return found


def problems(folder: Path) -> list[str]:
    """What is wrong with the lock in `folder`; empty when nothing is."""
    text = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.*"))}
    base, dev = pins(text["base.txt"]), pins(text["dev.txt"])
    found = [f"{name}: names a host (`://`); locks must not" for name in text if "://" in text[name]]
    for kind, locked in (("base", base), ("dev", dev)):
        found += [
            f"{kind}.in asks for {name}, {kind}.txt lacks it"
            for name in sorted(asked(text[f"{kind}.in"]) - set(locked))
        ]
        found += [f"{kind}.txt: {name} has no hash" for name in sorted(unhashed(text[f"{kind}.txt"]))]
    found += [
        f"base.txt pins {name} {version}, dev.txt {dev.get(name, 'does not')}: tests would not test what runs"
        for name, version in sorted(base.items())
        if dev.get(name) != version
    ]
    return found


def write() -> int:
    """Compile both files; `dev` first, then `base` bound to the same versions. Answers uv's exit code."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        print("make lock needs uv: .venv/bin/python -m pip install uv", file=sys.stderr)
        return 1
    for kind, extra in (("dev", ()), ("base", ("-c", "requirements/dev.txt"))):
        command = [uv, "pip", "compile", f"requirements/{kind}.in", *extra, "-o", f"requirements/{kind}.txt"]
        code = subprocess.run([*command, *UV_OPTIONS, "--quiet"], cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


def main(arguments: list[str]) -> int:
    """Run `write` or `check`; answers the exit code."""
    if arguments == ["write"] and (code := write()):
        return code
    if arguments not in (["write"], ["check"]):
        print("usage: lock.py write | check", file=sys.stderr)
        return 2
    found = problems(ROOT / "requirements")
    print("\n".join(found) or "The lock holds all that is asked for, with hashes and without hosts.")
    if found:
        print("Mend: make lock")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

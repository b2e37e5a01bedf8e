"""Every place in the code that reads past the gate, found by reading the code: `unguarded(...)` and `raw(...)`."""

from __future__ import annotations

import ast
from pathlib import Path

CALLS = ("unguarded", "raw")


def exemptions(root: Path) -> list[tuple[str, int, str]]:
    """(file, line, reason) of each exemption in the Python files under `root`, in order.

    file: relative to `root`'s parent. A reason is a text, or a name that its file gives a text; anything else raises
    ValueError, for a reader must be able to see it.
    """
    found = []
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        named = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        name = path.relative_to(root.parent).as_posix()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _called(node) in CALLS:
                found.append((name, node.lineno, _reason(node, named, f"{name}:{node.lineno}")))
    return sorted(found)


def page(root: Path) -> str:
    """docs/exemptions.md: the places, by file."""
    lines = [
        "# Where the code reads past the gate",
        "",
        "Every read of a guarded table goes through `access.select(...)`, except at these places. Each says why. An exemption",
        "that reads nothing fails the tests. Written by `rollbook policy exemptions --write`.",
    ]
    last, seen = "", set[str]()
    for file, _, reason in exemptions(root):
        if file != last:
            lines += ["", f"## {file}", ""]
            last, seen = file, set()
        if reason not in seen:
            lines.append(f"- {reason}")
            seen.add(reason)
    return "\n".join(lines) + "\n"


def _called(node: ast.Call) -> str:
    """The name called: `unguarded(...)` or `policy.unguarded(...)`; methods of other things (`queryset.raw`) are not ours."""
    if isinstance(node.func, ast.Name):
        return node.func.id
    if (
        isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("policy", "gate")
    ):
        return node.func.attr
    return ""


def _reason(node: ast.Call, named: dict[str, str], where: str) -> str:
    given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "reason")]
    value = given[0] if given else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value.strip():
        return value.value
    if isinstance(value, ast.Name) and named.get(value.id, "").strip():
        return named[value.id]
    raise ValueError(f"{where} says no reason that a reader can see: write it as a text.")

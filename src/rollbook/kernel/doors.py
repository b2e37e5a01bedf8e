"""Front doors. A module's `__init__.py` lists, once, the names that others may use:

    if TYPE_CHECKING:
        from rollbook.policy.gate import Access as Access

    __getattr__ = front_door(__name__, __file__)

The names load at first use, because Django imports every package before any table may be defined.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any


def names(file: str) -> dict[str, tuple[str, str]]:
    """name -> (module, its name there), read from the `if TYPE_CHECKING:` block of a front door."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.parse(Path(file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for line in node.body:
                if isinstance(line, ast.ImportFrom) and line.module:
                    found.update({a.asname or a.name: (line.module, a.name) for a in line.names})
    return found


def front_door(package: str, file: str) -> Callable[[str], Any]:
    """The `__getattr__` of a front door: loads a listed name, refuses any other."""
    listed = names(file)

    def load(name: str) -> Any:
        if name not in listed:
            raise AttributeError(f"{name!r} is not at the front door of {package}; it lists {sorted(listed)}")
        module, theirs = listed[name]
        value = getattr(importlib.import_module(module), theirs)
        setattr(importlib.import_module(package), name, value)
        return value

    return load

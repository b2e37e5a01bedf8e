"""Rules of the house that no linter knows. Each check takes the root of a checkout and answers its breaches.

An answer is `path:line: what is wrong; what to do`. `tests/architecture` runs every check on this checkout,
and on a small tree with a breach written into it.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path("src/rollbook")
LONGEST = 520
DOORS = ("pages", "api", "jobs", "connectors")
TEXT = (".py", ".html", ".txt", ".css", ".js", ".svg", ".toml", ".xml", ".json", ".md")

INLINE = {
    re.compile(r"\sstyle\s*=", re.I): "an inline style, which browsers block here; use a class",
    re.compile(r"<style\b", re.I): "a <style> element, which browsers block here; use rollbook.css",
    re.compile(r"<script\b(?![^>]*\ssrc\s*=)", re.I): "a script without src=, which browsers block here",
    re.compile(r"<script\b[^>]*>\s*[^<\s]", re.I): "a script with a body, which browsers block here",
    re.compile(r"\s(?:on[a-z]+|hx-on[a-z:-]*)\s*=", re.I): "a handler in an attribute; listen in a script",
    re.compile(r"javascript:", re.I): "a javascript: address; make it a button and listen in a script file",
}  # fmt: skip
MACHINE = {
    re.compile(
        r"(?:pypi|pythonhosted|npmjs|yarnpkg|debian|rubygems|crates)\.(?:org|com|io)\b|proxy\.golang\.org"
    ): "names a package registry; name the package alone",
    re.compile(
        r"(?<![\w.~<>/-])/(?:work|tmp|root|home/\w+|Users/\w+)(?=[/\s\"'`),:;]|$)"
    ): "names a path of one machine; use a relative path or a setting",
}
SPRITE = SOURCE / "entrypoints/static/rollbook/icons.svg"
SYMBOL = re.compile(r'<symbol id="([^"]+)"')
ICON = re.compile(r"""icons\.svg[^#\n]*#([a-z][a-z0-9-]*)|\bicon(?:\s+|=)["']([a-z][a-z0-9-]*)["']""")
SIDE = r"(?:left|right|top|bottom)"
PHYSICAL = re.compile(
    rf"(?<![\w-])(?:(?:margin|padding|border|scroll-margin|scroll-padding)-{SIDE}(?:-[a-z-]+)?|{SIDE})\s*:"
    r"|(?<![\w-])(?:float|clear|text-align|caption-side)\s*:\s*(?:left|right)\b"
    r"|(?<![\w(-])(?:min-|max-)?(?:width|height)\s*:"
)


def read(path: Path) -> str | None:
    """The text of a file, or None when it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def ours(root: Path, *endings: str) -> list[Path]:
    """Files under src with one of the endings, in order; vendored ones are left out."""
    files = (root / SOURCE).rglob("*")
    return sorted(p for p in files if p.is_file() and p.suffix in endings and "vendor" not in p.parts)


def tracked(root: Path) -> list[Path]:
    """Every file that git knows; without git, every file."""
    if not (root / ".git").exists():
        return sorted(p for p in root.rglob("*") if p.is_file() and ".venv" not in p.parts)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True)
    return [root / name for name in listed.stdout.split("\0") if name and (root / name).is_file()]


def matches(
    root: Path, files: list[Path], patterns: dict[re.Pattern[str], str], blank: str = ""
) -> Iterator[str]:
    """A finding for each match of each pattern; what matches `blank`, such as comments, is not read."""
    for path in files:
        text = read(path)
        if text is None:
            continue
        if blank:
            text = re.sub(blank, lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.DOTALL)
        for pattern, message in patterns.items():
            for match in pattern.finditer(text):
                yield f"{path.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}: {message}"


def inline_code(root: Path) -> list[str]:
    """Styles, scripts and handlers written into templates: the content security policy blocks them."""
    templates = [p for p in ours(root, ".html", ".txt", ".svg", ".xml") if "templates" in p.parts]
    return list(matches(root, templates, INLINE, blank=r"\{#.*?#\}|\{% comment.*?endcomment %\}"))


def machine_names(root: Path) -> list[str]:
    """Tracked files that name a package registry or a path of one machine."""
    return list(matches(root, tracked(root), MACHINE))


def physical_css(root: Path) -> list[str]:
    """Style rules that name a side or an axis of the screen: right-to-left pages need the logical ones."""
    message = "a physical direction; use inline, block, start or end, so that right-to-left pages mirror"
    return list(matches(root, ours(root, ".css"), {PHYSICAL: message}, blank=r"/\*.*?\*/"))


def long_files(root: Path) -> list[str]:
    """Files under src that are too long to be read at one sitting."""
    found = []
    for path in ours(root, *TEXT):
        lines = len((read(path) or "").splitlines())
        written_by_hand = path.name != "icons.svg" and path.parent.name != "migrations"
        if lines > LONGEST and written_by_hand:
            found.append(
                f"{path.relative_to(root)}:{lines}: {lines} lines; make it a package of the same name"
            )
    return found


def door_of(path: Path, root: Path) -> str | None:
    """`pages`, `api`, `jobs` or `connectors` when the file is a door of a module, else None."""
    _module, *rest = path.relative_to(root / SOURCE).parts
    name = rest[0].removesuffix(".py") if rest else ""
    return name if name in DOORS else None


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import in a file; `from a import b` answers `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def doors_with_tables(root: Path) -> list[str]:
    """Doors that import `django.db`. The kernel, which has jobs of its own kind, is left out."""
    found = []
    for path in ours(root, ".py"):
        if path.is_relative_to(root / SOURCE / "kernel") or door_of(path, root) is None:
            continue
        for line, name in imports(ast.parse(path.read_text(encoding="utf-8"))):
            if f"{name}.".startswith("django.db."):
                found.append(
                    f"{path.relative_to(root)}:{line}: a door imports {name}; call a query or an action"
                )
    return found


def unknown_icons(root: Path) -> list[str]:
    """Icons that a template draws by name and the sprite does not hold: the page would show nothing there."""
    sprite = root / SPRITE
    held = set(SYMBOL.findall(sprite.read_text(encoding="utf-8"))) if sprite.is_file() else set()
    found = []
    for path in (p for p in ours(root, ".html") if "templates" in p.parts):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            names = {one or other for one, other in ICON.findall(line)} - held
            found += [
                f"{path.relative_to(root)}:{number}: no icon {name}; add it to tools/vendor.toml and refresh"
                for name in sorted(names)
            ]
    return found


def listed(door: Path) -> dict[str, int]:
    """The names that a front door lists under `if TYPE_CHECKING:`, each with its line."""
    return {
        alias.asname or alias.name: line.lineno
        for node in ast.parse(door.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for line in node.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }


def asked_for(path: Path) -> set[str]:
    """What a file asks of front doors, as `module.name`: imported by name, or read as an attribute."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    asked = {name.removeprefix("rollbook.") for _, name in imports(tree) if name.startswith("rollbook.")}
    attributes = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return asked | {name.removeprefix("rollbook.") for name in attributes}


def unused_names(root: Path) -> list[str]:
    """Names at a front door that no other module, benchmark or test asks for; a door lists what is used."""
    outside = [p for folder in ("tests", "bench") for p in sorted((root / folder).rglob("*.py"))]
    asked = {path: asked_for(path) for path in [*ours(root, ".py"), *outside]}
    found = []
    for door in sorted((root / SOURCE).glob("*/__init__.py")):
        module = door.parent.name
        used = set().union(*(names for p, names in asked.items() if not p.is_relative_to(door.parent)))
        for name, line in listed(door).items():
            if f"{module}.{name}" not in used:
                found.append(f"{door.relative_to(root)}:{line}: nobody asks for {name}; take it off the door")
    return found


CHECKS = {
    check.__name__: check
    for check in (
        inline_code,
        machine_names,
        physical_css,
        long_files,
        doors_with_tables,
        unknown_icons,
        unused_names,
    )
}

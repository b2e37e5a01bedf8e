"""The files that are not ours: `vendor.py verify` compares them with `vendor.toml`, `refresh` fetches them.

They are committed, with package, version, licence and SHA-256 in `tools/vendor.toml`, so that a clone needs
no Node and a page no other host. `refresh` packs each package at its version with npm (no install scripts
run), takes the files that the manifest names, draws the icon sprite, and writes the new hashes.
"""

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = Path("tools/vendor.toml")
WEIGHTS = ("bold", "duotone", "fill", "light", "thin")
DRAWING = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def packages(root: Path) -> list[dict[str, Any]]:
    """The packages of the manifest under `root`."""
    loaded: list[dict[str, Any]] = tomllib.loads((root / MANIFEST).read_text(encoding="utf-8"))["package"]
    return loaded


def problems(root: Path) -> list[str]:
    """Vendored files that are missing or changed, and files beside them that the manifest does not name."""
    found, named = [], set()
    for package in packages(root):
        for file in package["file"]:
            path = root / file["to"]
            named.add(path)
            if not path.is_file():
                found.append(f"{file['to']}: missing; run tools/vendor.py refresh")
            elif sha256(path) != file["sha256"]:
                found.append(
                    f"{file['to']}: is not the file of {package['name']} {package['version']} in {MANIFEST}"
                )
    for folder in sorted({path.parent for path in named if path.parent.name in ("vendor", "fonts")}):
        found += [
            f"{path.relative_to(root)}: not in {MANIFEST}"
            for path in sorted(folder.iterdir())
            if path not in named
        ]
    return found


def symbol(assets: Path, name: str) -> str:
    """One icon as a <symbol>; the weight is the end of its name, as in Phosphor's own file names."""
    weight = next((w for w in WEIGHTS if name.endswith(f"-{w}")), "regular")
    drawing = DRAWING.search((assets / weight / f"{name}.svg").read_text(encoding="utf-8"))
    if drawing is None:
        raise SystemExit(f"{name}.svg holds no drawing; is it an icon of this version?")
    return f'<symbol id="{name}" viewBox="0 0 256 256">{drawing[1].strip()}</symbol>'


def sprite(assets: Path, names: list[str]) -> str:
    """All icons in one SVG; a page draws one with <use href="icons.svg#name">."""
    symbols = "\n".join(symbol(assets, name) for name in sorted(names))
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{symbols}\n</svg>\n'


def fetch(name: str, version: str, folder: Path) -> Path:
    """Pack a package at a version with npm and unpack it; answers the folder that holds its files."""
    done = subprocess.run(
        ["npm", "pack", f"{name}@{version}", "--silent", "--pack-destination", str(folder)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    with tarfile.open(folder / done.stdout.strip().splitlines()[-1]) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    return folder / "unpacked" / "package"


ESBUILD = "0.28.1"


def bundle(source: Path, unpacked: Path, target: Path) -> None:
    """One script of ours and the package that it imports, as one small classic script."""
    modules = unpacked.parent / "node_modules"
    modules.mkdir(exist_ok=True)
    unpacked.rename(modules / source.stem.split("-")[0])
    entry = unpacked.parent / source.name
    entry.write_bytes(source.read_bytes())
    options = ["--bundle", "--minify", "--format=iife", "--target=es2020", "--legal-comments=inline"]
    subprocess.run(
        ["npx", "--yes", f"esbuild@{ESBUILD}", str(entry), *options, f"--outfile={target}"],
        check=True, cwd=unpacked.parent, capture_output=True,
    )  # fmt: skip
    (modules / source.stem.split("-")[0]).rename(unpacked)


def refresh(root: Path) -> None:
    """Write every vendored file again, and its hash into the manifest; `by_hand` files are only hashed."""
    text = (root / MANIFEST).read_text(encoding="utf-8")
    for package in packages(root):
        with tempfile.TemporaryDirectory() as temporary:
            by_hand = all("by_hand" in file for file in package["file"])
            unpacked = None if by_hand else fetch(package["name"], package["version"], Path(temporary))
            for file in package["file"]:
                target = root / file["to"]
                target.parent.mkdir(parents=True, exist_ok=True)
                if unpacked is not None and "symbols" in file:
                    target.write_text(sprite(unpacked / file["from"], file["symbols"]), encoding="utf-8")
                elif unpacked is not None and "bundle" in file:
                    bundle(root / file["bundle"], unpacked, target)
                elif unpacked is not None and "from" in file:
                    target.write_bytes((unpacked / file["from"]).read_bytes())
                entry = re.compile(rf'(to = "{re.escape(file["to"])}"\nsha256 = )"[0-9a-f]*"')
                text, replaced = entry.subn(rf'\g<1>"{sha256(target)}"', text)
                if replaced != 1:
                    raise SystemExit(f"{MANIFEST}: write `sha256` on the line below `to` for {file['to']}")
    (root / MANIFEST).write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Run `verify` or `refresh`; answers the exit code."""
    if arguments not in (["verify"], ["refresh"]):
        print("usage: vendor.py verify | refresh", file=sys.stderr)
        return 2
    if arguments == ["refresh"]:
        refresh(ROOT)
    found = problems(ROOT)
    print("\n".join(found) or f"Vendored files are those of {MANIFEST}.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

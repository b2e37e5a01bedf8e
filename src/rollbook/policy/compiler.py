"""From `policy.toml` and the words beside the columns to one immutable, hashed bundle.

No defaults: a category that a column uses and the file does not know, a purpose with no basis, a category with no
retention, a rule that reaches by an unknown relationship: each stops the compile, all of them are listed at once.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

from rollbook.policy.words import Word

Answer = Literal["allowed", "refused", "gap"]
RETENTION = re.compile(r"^[a-z_(), ]+ \+ \d+ (hours|days|working_days|months|years)$")
KINDS = ("ordinary", "special", "secret")
APPS = ("may", "named", "never")
# Where a detail can come from -> (in words, whose word it is: the school's, a parent's, a pupil's, a developer's, or nobody's).
SOURCES = {
    "sync": ("the school’s own system, by a sync", "school"),
    "hand": ("the school’s staff, by hand", "school"),
    "scim": ("the school’s directory, over SCIM", "school"),
    "parent": ("a parent or guardian", "parent"),
    "pupil": ("the pupil", "student"),
    "results": ("an app that sends results back", "developer"),
    "developer": ("the maker of an app", "developer"),
    "account": ("the person whose account it is", "account"),
    "use": ("made by using Rollbook", "use"),
}
# What no policy can allow, however it is written: each must be under `[never]`.
ALWAYS_NEVER = ("advertising", "marketing", "sale")


class PolicyError(Exception):
    """The policy cannot be compiled. `problems` lists everything that is wrong, a sentence each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("The policy does not compile:\n" + "\n".join(f"  - {p}" for p in problems))


@dataclass(frozen=True)
class Rule:
    """What one role may use for one purpose, and whose rows it reaches."""

    role: str
    purpose: str
    reach: str
    allow: frozenset[str]
    refuse: frozenset[str]
    because: str


@dataclass(frozen=True)
class Decision:
    """An answer with its reason. A gap (nobody has decided) refuses too."""

    answer: Answer
    because: str

    @property
    def allowed(self) -> bool:
        return self.answer == "allowed"


@dataclass(frozen=True)
class Bundle:
    """A compiled policy. `text` is its canonical JSON; `hash` the SHA-256 of that."""

    text: str
    hash: str

    @cached_property
    def data(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.text)
        return loaded

    @property
    def profile(self) -> str:
        return str(self.data["profile"])

    @property
    def effective_from(self) -> str:
        return str(self.data["effective_from"])

    @property
    def categories(self) -> dict[str, dict[str, Any]]:
        return dict(self.data["categories"])

    @property
    def purposes(self) -> dict[str, dict[str, Any]]:
        return dict(self.data["purposes"])

    @cached_property
    def rules(self) -> dict[tuple[str, str], Rule]:
        return {
            (r["role"], r["purpose"]): Rule(
                r["role"],
                r["purpose"],
                r["reach"],
                frozenset(r["allow"]),
                frozenset(r["refuse"]),
                r["because"],
            )
            for r in self.data["rules"]
        }

    @property
    def roles(self) -> list[str]:
        return sorted({role for role, _ in self.rules})

    def decide(self, role: str, purpose: str, category: str | None) -> Decision:
        """May `role` use `category` for `purpose`? A category of None asks about what is not personal."""
        never = self.data["never"]
        if purpose in never["purposes"]:
            return Decision("refused", never["because"])
        if purpose not in self.data["purposes"]:
            return Decision(
                "gap", f"Nobody has decided what “{purpose}” is for: the policy has no such purpose."
            )
        title = self.data["purposes"][purpose]["title"]
        rule = self.rules.get((role, purpose))
        if rule is None:
            return Decision("gap", f"Nobody has decided what a {role} may see to “{title}”.")
        if category is None or category in rule.allow:
            return Decision("allowed", rule.because)
        name = self.data["categories"].get(category, {}).get("title", category)
        if category in rule.refuse:
            return Decision("refused", f"“{name}” is not for a {role} who wants to “{title}”.")
        return Decision("gap", f"Nobody has decided whether a {role} may see “{name}” to “{title}”.")

    def regions_for(self, region: str) -> list[str]:
        """Where a recipient may keep the data of a tenant in `region` (ISO 3166 codes)."""
        listed = self.data["residency"].get(region, self.data["residency"].get("default", []))
        return [region if r == "same" else r for r in listed]


def compile_bundle(
    source: str, inventory: Mapping[str, Mapping[str, Word]], reaches: frozenset[str]
) -> Bundle:
    """Compile the text of a `policy.toml` against the words in force.

    inventory: table -> column -> word. reaches: names of the registered relationships.
    Raises PolicyError with every problem found.
    """
    try:
        raw = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError([f"policy.toml is not TOML: {error}"]) from error
    problems: list[str] = []
    for key in ("profile", "version", "effective_from"):
        if not raw.get(key):
            problems.append(f"`{key}` is missing at the top of policy.toml.")
    unknown = set(raw) - {
        "profile",
        "version",
        "effective_from",
        "categories",
        "purposes",
        "never",
        "rule",
        "residency",
    }
    problems += [f"`{key}` is not a part of a policy; is it misspelt?" for key in sorted(unknown)]
    categories, purposes = raw.get("categories", {}), raw.get("purposes", {})
    used = {w.category for columns in inventory.values() for w in columns.values() if w.category}
    problems += [
        f"Columns hold “{c}”, but policy.toml does not list that category."
        for c in sorted(used - set(categories))
    ]
    problems += [
        f"Category “{c}” is in policy.toml, but no column holds it." for c in sorted(set(categories) - used)
    ]
    for name, category in sorted(categories.items()):
        if category.get("kind") not in KINDS:
            problems.append(f"Category “{name}” needs `kind`, one of {', '.join(KINDS)}.")
        if category.get("apps") not in APPS:
            problems.append(f"Category “{name}” needs `apps`, one of {', '.join(APPS)}.")
        if not category.get("title"):
            problems.append(f"Category “{name}” needs a `title` that a parent can read.")
        if not RETENTION.match(str(category.get("retention", ""))):
            problems.append(
                f"Category “{name}” promises no time: `retention` must be an event + a number and a unit."
            )
        sources = category.get("source")
        if not isinstance(sources, list) or not sources:
            problems.append(f"Category “{name}” does not say where it comes from: `source` is a list.")
        problems += [
            f"Category “{name}” comes from “{s}”, which is no source; there are {', '.join(SOURCES)}."
            for s in (sources if isinstance(sources, list) else [])
            if s not in SOURCES
        ]
        if category.get("kind") == "secret" and category.get("apps") != "never":
            problems.append(f'Category “{name}” is secret, so `apps` must be "never".')
    for name, purpose in sorted(purposes.items()):
        if not purpose.get("basis"):
            problems.append(f"Purpose “{name}” has no lawful `basis`.")
        if not purpose.get("title"):
            problems.append(f"Purpose “{name}” needs a `title` that a parent can read.")
    never = raw.get("never", {})
    if not never.get("purposes") or not never.get("because"):
        problems.append("`[never]` must list the purposes that no setting can allow, and say why.")
    problems += [
        f"`[never]` must list “{p}”: no policy can allow it. Call a purpose that is something else by another name."
        for p in ALWAYS_NEVER
        if p not in never.get("purposes", [])
    ]
    both = [p for p in never.get("purposes", []) if p in purposes]
    problems += [f"Purpose “{p}” is under `[never]`, so it cannot be a purpose too." for p in both]
    rules, seen = [], set()
    for n, rule in enumerate(raw.get("rule", []), start=1):
        where = f"Rule {n} ({rule.get('role', '?')}, {rule.get('purpose', '?')})"
        if (rule.get("role"), rule.get("purpose")) in seen:
            problems.append(
                f"{where}: one role has one rule for a purpose. Give the second a purpose of its own."
            )
        seen.add((rule.get("role"), rule.get("purpose")))
        for key in ("role", "purpose", "reach", "because"):
            if not rule.get(key):
                problems.append(f"{where} has no `{key}`.")
        if rule.get("purpose") not in purposes:
            problems.append(f"{where}: the policy has no purpose “{rule.get('purpose')}”.")
        if rule.get("reach") not in reaches:
            known = ", ".join(sorted(reaches))
            problems.append(
                f"{where}: nobody registered a relationship “{rule.get('reach')}”; there are {known}."
            )
        allow = _expand(rule.get("allow", []), categories, where, problems)
        refuse = _expand(rule.get("refuse", []), categories, where, problems)
        problems += [f"{where} both allows and refuses “{c}”." for c in sorted(allow & refuse)]
        if rule.get("role") == "app":
            kept = [c for c in sorted(allow) if categories[c].get("apps") == "never"]
            problems += [f"{where} allows “{c}”, which apps never get." for c in kept]
        rules.append({**rule, "allow": sorted(allow), "refuse": sorted(refuse)})
    if not raw.get("residency", {}).get("default"):
        problems.append("`[residency]` needs a `default`: unknown regions must have an answer.")
    if problems:
        raise PolicyError(problems)
    data = {
        "profile": raw["profile"],
        "version": raw["version"],
        "effective_from": str(raw["effective_from"]),
        "categories": categories,
        "purposes": purposes,
        "never": never,
        "rules": sorted(rules, key=lambda r: (r["role"], r["purpose"])),
        "residency": raw["residency"],
        "inventory": {
            table: {
                column: f"{word.category} about {word.about}" if word.category else f"({word.because})"
                for column, word in columns.items()
            }
            for table, columns in inventory.items()
        },
    }
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Bundle(text, hashlib.sha256(text.encode()).hexdigest())


def _expand(patterns: list[str], categories: Mapping[str, Any], where: str, problems: list[str]) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        stem = pattern.removesuffix("*")
        matched = {c for c in categories if (c.startswith(stem) if pattern.endswith(".*") else c == pattern)}
        if not matched:
            problems.append(f"{where} names “{pattern}”, which is no category.")
        found |= matched
    return found


@dataclass(frozen=True)
class Change:
    """One difference between two bundles. `material` means that people must be told before it takes effect."""

    what: str
    material: bool


def diff(old: Bundle, new: Bundle) -> list[Change]:
    """What a change of policy means: roles, purposes, categories, columns, retention, residency."""
    changes: list[Change] = []
    for (role, purpose), rule in sorted(new.rules.items()):
        before = old.rules.get((role, purpose))
        title = new.categories
        gained = rule.allow - (before.allow if before else frozenset())
        changes += [
            Change(f"{role} may now use “{title[c]['title']}” for {purpose}", True) for c in sorted(gained)
        ]
        if before:
            lost = sorted(before.allow - rule.allow)
            changes += [Change(f"{role} may no longer use “{c}” for {purpose}", False) for c in lost]
            if before.reach != rule.reach:
                changes.append(
                    Change(f"{role}, for {purpose}, reaches “{rule.reach}” instead of “{before.reach}”", True)
                )
    gone = sorted(set(old.rules) - set(new.rules))
    changes += [Change(f"{role} may no longer do anything for {purpose}", False) for role, purpose in gone]
    for part, material in (("purposes", True), ("categories", True), ("residency", True), ("never", True)):
        before_part, after_part = old.data[part], new.data[part]
        for key in sorted(set(before_part) | set(after_part)):
            if before_part.get(key) != after_part.get(key):
                verb = (
                    "is new"
                    if key not in before_part
                    else "is gone"
                    if key not in after_part
                    else "is changed"
                )
                changes.append(Change(f"{part}: “{key}” {verb}", material))
    for table in sorted(set(old.data["inventory"]) | set(new.data["inventory"])):
        columns_old = old.data["inventory"].get(table, {})
        columns_new = new.data["inventory"].get(table, {})
        for column in sorted(set(columns_old) | set(columns_new)):
            was, now = columns_old.get(column), columns_new.get(column)
            if was != now:
                personal = not str(now or was).startswith("(")
                changes.append(
                    Change(f"column {table}.{column}: {was or 'did not exist'} -> {now or 'gone'}", personal)
                )
    return changes


def policies_dir() -> Path:
    """The folder that holds a folder for each profile."""
    return Path(__file__).resolve().parents[3] / "policies"


@lru_cache(maxsize=8)
def read_profile(profile: str) -> str:
    """The text of a profile's policy.toml. Raises PolicyError if there is no such profile."""
    path = policies_dir() / profile / "policy.toml"
    if "/" in profile or profile.startswith(".") or not path.is_file():
        have = ", ".join(sorted(p.name for p in policies_dir().iterdir() if (p / "policy.toml").is_file()))
        raise PolicyError([f"There is no profile “{profile}”. There are: {have}."])
    return path.read_text(encoding="utf-8")

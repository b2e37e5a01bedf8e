"""What must be done at a destination so that it holds what it should: steps, their order, and how to undo them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from rollbook.sharing.rules.accounts import Key, Record, Settings

ACTIONS = ("create", "enable", "rename", "move", "update", "disable", "archive", "delete")
_FIELDS = {
    "username": "user name", "given": "first name", "family": "last name", "display": "shown name", "email": "email",
    "role": "role", "school": "school", "grade": "grade", "unit": "org unit", "name": "name", "state": "state",
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One thing to do: make it from `before` to `after`; None is absence. kind: unit, user or group."""

    kind: str
    key: str
    before: Record | None
    after: Record | None

    @property
    def action(self) -> str:
        """What people call it: one of ACTIONS."""
        before, after = self.before, self.after
        if before is None:
            return "create"
        if after is None:
            return "delete"
        if self.kind == "user":
            if before["state"] != after["state"]:
                return {"active": "enable", "disabled": "disable", "archived": "archive"}[after["state"]]
            if before["username"] != after["username"]:
                return "rename"
            if before.get("unit") != after.get("unit"):
                return "move"
        elif self.kind == "group" and before["name"] != after["name"]:
            return "rename"
        return "update"

    @property
    def phase(self) -> tuple[int, int, str]:
        """Where it stands in the order: units, users, groups; what goes, goes last and from the leaf."""
        depth = self.key.count("\n")
        if self.kind == "unit":
            return (5, -depth, self.key) if self.after is None else (0, depth, self.key)
        if self.kind == "group":
            return (3 if self.after is None else 2, 0, self.key)
        return (4 if self.after is None else 1, 0, self.key)


def plan(
    desired: Mapping[Key, Record], kept: Mapping[Key, Record], settings: Settings, today: date
) -> list[Step]:
    """The steps from what a destination holds to what it should hold, in order; none when it does already."""
    steps = []
    for key in {*desired, *kept}:
        before = kept.get(key)
        after = desired.get(key)
        if after is None and before is not None and key[0] == "user":
            after = _leaver(before, settings, today)
        if before != after:
            steps.append(Step(*key, before, after))
    return sorted(steps, key=lambda s: s.phase)


def _leaver(record: Record, settings: Settings, today: date) -> Record | None:
    """What becomes of an account whose person is no longer named: disabled, after a while archived, then deleted."""
    if record["state"] == "active":
        return {**record, "state": "disabled", "left": today.isoformat()}
    left = date.fromisoformat(record["left"])
    if settings.delete_days is not None and left + timedelta(days=settings.delete_days) <= today:
        return None
    if record["state"] == "disabled" and left + timedelta(days=settings.archive_days) <= today:
        return {**record, "state": "archived"}
    return record


def undo(done: Iterable[Step]) -> list[Step]:
    """The steps that put back what these did."""
    return sorted((Step(s.kind, s.key, s.after, s.before) for s in done), key=lambda s: s.phase)


def apply(kept: Mapping[Key, Record], steps: Iterable[Step]) -> dict[Key, Record]:
    """What a destination holds when these steps are done."""
    made = dict(kept)
    for step in steps:
        if step.after is None:
            made.pop((step.kind, step.key), None)
        else:
            made[step.kind, step.key] = step.after
    return made


def counts(steps: Iterable[Step]) -> dict[str, dict[str, int]]:
    """How many steps of each kind and action."""
    found: dict[str, dict[str, int]] = {}
    for step in steps:
        of = found.setdefault(step.kind, {})
        of[step.action] = of.get(step.action, 0) + 1
    return found


def differences(step: Step) -> list[tuple[str, str, str]]:
    """What changes, for people: (what, before, after). A group's members as who joins and who leaves, in numbers."""
    before, after = step.before or {}, step.after or {}
    found = [
        (title, _text(before.get(name)), _text(after.get(name)))
        for name, title in _FIELDS.items()
        if _text(before.get(name)) != _text(after.get(name))
    ]
    if step.kind == "group":
        joined, left = membership(step)
        if joined or left:
            found.append(
                ("members", f"{len(left)} leave" if left else "", f"{len(joined)} join" if joined else "")
            )
    return found


def membership(step: Step) -> tuple[list[Any], list[Any]]:
    """Who joins a group and who leaves it."""
    old, new = ({_hashed(m): m for m in (r or {}).get("members", [])} for r in (step.before, step.after))
    return [m for k, m in new.items() if k not in old], [m for k, m in old.items() if k not in new]


def _hashed(ref: Any) -> Any:
    return tuple(ref) if isinstance(ref, list) else ref


def _text(value: Any) -> str:
    return " / ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)

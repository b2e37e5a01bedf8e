"""The query of a request to a list, and the links of its answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from rollbook.kernel.errors import Invalid
from rollbook.sharing.connectors.clever.operations import ROLES

DEFAULT_LIMIT, MOST = 100, 10_000
_NUMBER = re.compile(r"[0-9]{1,6}")
_FLAG = {"": False, "false": False, "undefined": False, "true": True}


@dataclass(frozen=True)
class Parameters:
    """What a list request asks for. kept: the parameters that its links repeat."""

    limit: int = DEFAULT_LIMIT
    after: str = ""
    before: str = ""
    count: bool = False
    role: str = ""
    primary: bool = False
    school: str = ""
    types: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()


NOTHING = Parameters()


def read_parameters(query: Mapping[str, Sequence[str]]) -> Parameters:
    """Read the query (name -> values); Clever ignores names that it does not know. Raises Invalid naming the parameter."""
    if not query:
        return NOTHING
    one: dict[str, str] = {}
    for name in ("limit", "starting_after", "ending_before", "count", "role", "primary", "school"):
        values = query.get(name, ())
        if len(values) > 1:
            raise Invalid(f"{name} is given {len(values)} times.", "Give it once.", name)
        if values:
            one[name] = values[0]
    limit = one.get("limit", str(DEFAULT_LIMIT))
    if not _NUMBER.fullmatch(limit) or not 1 <= int(limit) <= MOST:
        raise Invalid(
            f"limit is not a whole number from 1 to {MOST}.", f"It is {DEFAULT_LIMIT} when left out.", "limit"
        )
    after, before = one.get("starting_after", ""), one.get("ending_before", "")
    if after and before:
        raise Invalid(
            "starting_after and ending_before are both given.", "Give one of them.", "starting_after"
        )
    flags = {}
    for name in ("count", "primary"):
        if one.get(name, "") not in _FLAG:
            raise Invalid(f"{name} is neither true nor false.", "It is false when left out.", name)
        flags[name] = _FLAG[one.get(name, "")]
    role = one.get("role", "")
    if role and role not in ROLES:
        raise Invalid(f"There is no role {role[:40]!r}.", f"Roles are {', '.join(ROLES)}.", "role")
    kept: list[tuple[str, str]] = [
        (name, one[name]) for name in ("limit", "count", "role", "primary", "school") if name in one
    ]
    types = tuple(query.get("record_type", ()))
    kept += [("record_type", value) for value in types]
    return Parameters(
        int(limit),
        after,
        before,
        flags["count"],
        role,
        flags["primary"],
        one.get("school", ""),
        types,
        tuple(kept),
    )


def links(
    path: str, asked: Parameters, first: str, last: str, more: bool, earlier: bool
) -> list[dict[str, str]]:
    """The links of a page: itself, the next where there is more, the one before. first, last: ids on the page."""

    def uri(*place: tuple[str, str]) -> str:
        query = urlencode([*asked.kept, *((name, value) for name, value in place if value)])
        return f"{path}?{query}" if query else path

    made = [{"rel": "self", "uri": uri(("starting_after", asked.after), ("ending_before", asked.before))}]
    if more and last:
        made.append({"rel": "next", "uri": uri(("starting_after", last))})
    if earlier and first:
        made.append({"rel": "prev", "uri": uri(("ending_before", first))})
    return made

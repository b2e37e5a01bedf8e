"""The query of a request, read strictly, and the cursor that keeps a walk steady while the roster changes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote, urlencode

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from rollbook.kernel.errors import Invalid
from rollbook.sharing.queries.collections import Filter, Listing, read_filter

DEFAULT_LIMIT, MOST = 100, 10_000
_NUMBER = re.compile(r"[0-9]{1,18}")
_SORT = re.compile(r"[A-Za-z][A-Za-z0-9_:-]*(\.[A-Za-z0-9_:-]+)*")
_ONCE = ("limit", "offset", "sort", "orderBy", "filter", "cursor")


@dataclass(frozen=True)
class Parameters:
    """What a list request asks for. fields: names, or None for all. kept: the parameters that its links repeat."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: str = ""
    filter: Filter | None = None
    sort: tuple[str, ...] = ()
    descending: bool = False
    fields: frozenset[str] | None = None
    kept: tuple[tuple[str, str], ...] = ()


NONE = Parameters()


def read_parameters(
    query: Mapping[str, Sequence[str]], properties: frozenset[str], single: bool
) -> Parameters:
    """Read the query (name -> values). properties: the fields of the object. Raises Invalid that names the parameter."""
    if not query:
        return NONE
    fields = read_fields(query["fields"], properties) if "fields" in query else None
    if single:
        return Parameters(fields=fields)
    one: dict[str, str] = {}
    for name in _ONCE:
        values = query.get(name, ())
        if len(values) > 1:
            raise Invalid(f"{name} is given {len(values)} times.", "Give it once.", name)
        if values:
            one[name] = values[0]
    order = one.get("orderBy", "asc")
    if order not in ("asc", "desc"):
        raise Invalid("orderBy is neither asc nor desc.", "Write one of them.", "orderBy")
    sort = one.get("sort", "")
    if "sort" in one and not _SORT.fullmatch(sort):
        raise Invalid(
            f"There is no field {sort[:40]!r} to sort by.", "Name a field as it is in the answer.", "sort"
        )
    kept: list[tuple[str, str]] = [(name, one[name]) for name in ("filter", "sort", "orderBy") if name in one]
    if fields is not None:
        kept.append(("fields", ",".join(sorted(fields))))
    return Parameters(
        _number(one, "limit", DEFAULT_LIMIT, 1, MOST), _number(one, "offset", 0, 0, 2**31 - 1), one.get("cursor", ""),
        read_filter(one["filter"]) if "filter" in one else None,
        tuple(sort.split(".")) if sort else (), order == "desc", fields, tuple(kept),
    )  # fmt: skip


def _number(one: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = one.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise Invalid(
            f"{name} is not a whole number from {least} to {most}.", f"It is {default} when left out.", name
        )
    return int(text)


def read_fields(values: Sequence[str], properties: frozenset[str]) -> frozenset[str]:
    """The names in `fields`, repeated or separated by commas. Raises Invalid for one that the object does not have."""
    names = [name.strip() for value in values for name in value.split(",")]
    unknown = [name for name in names if name not in properties]
    if unknown:
        said = repr(unknown[0][:40]) if unknown[0] else "an empty name"
        raise Invalid(
            f"fields holds {said}, which is no field of this object.",
            f"Fields are {', '.join(sorted(properties))}.",
            "fields",
        )
    return frozenset(names)


# ---- The cursor: encrypted, because a sort key may be a name and addresses end up in logs; bound to its list.


@lru_cache(maxsize=4)
def _box(secret: str) -> AESGCM:
    return AESGCM(sha256(b"rollbook.oneroster.cursor:" + secret.encode()).digest())


def _list_of(app: int, path: str, kept: Sequence[tuple[str, str]]) -> bytes:
    return sha256(orjson.dumps([app, path, [pair for pair in kept if pair[0] != "fields"]])).digest()


def make_cursor(app: int, path: str, asked: Parameters, key: str, id: int) -> str:
    """A text that marks the place after this row in this list of this app."""
    nonce = os.urandom(12)
    sealed = _box(settings.SECRET_KEY).encrypt(
        nonce, orjson.dumps([key, id]), _list_of(app, path, asked.kept)
    )
    return (nonce + sealed).hex()


def read_cursor(app: int, path: str, asked: Parameters) -> tuple[str, int]:
    """(sort key, id) of the row before the place. Raises Invalid for a cursor that was not made for this list."""
    try:
        data = bytes.fromhex(asked.cursor)
        plain = _box(settings.SECRET_KEY).decrypt(data[:12], data[12:], _list_of(app, path, asked.kept))
    except (ValueError, InvalidTag):
        raise Invalid(
            "The cursor does not belong to this list.",
            "Follow a link of the answer before, or use offset.",
            "cursor",
        ) from None
    key, id = orjson.loads(plain)
    return str(key), int(id)


def links(url: str, path: str, app: int, asked: Parameters, found: Listing, start: int, served: int) -> str:
    """The Link header: first, prev, next, last. `next` carries the cursor; all are absolute."""
    total, made = len(found.ids), []
    more = "&" + urlencode(asked.kept, quote_via=quote) if asked.kept else ""
    head = f"<{url}?limit={asked.limit}&offset="
    if start + served < total and served:
        last = start + served - 1
        cursor = make_cursor(app, path, asked, found.key_at(last), found.ids[last])
        made.append(f'{head}{start + served}{more}&cursor={cursor}>; rel="next"')
    made.append(f'{head}0{more}>; rel="first"')
    if start > 0:
        made.append(f'{head}{max(0, start - asked.limit)}{more}>; rel="prev"')
    made.append(f'{head}{max(0, (total - 1) // asked.limit * asked.limit)}{more}>; rel="last"')
    return ", ".join(made)

"""Whether an app gets anything now, and what: the agreement and the rule in force, or the reason why not."""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from django.apps import apps
from django.db.models import Q

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.policy import Access, Actor, Bundle, bundle_for, raw, unguarded, word_of
from rollbook.sharing.models import App
from rollbook.sharing.queries.reach import own_work, reaches, values
from rollbook.sharing.rules import (
    FIELDS,
    RESULTS,
    STANDS_IN,
    STRUCTURAL,
    People,
    Rule,
    parse_rule,
    together,
)


class Withheld(Exception):
    """Nothing leaves. `code` for programs, `reason` for the administrator; the app is told neither in detail.

    caller: whose token it was (tenant, app, name, scopes), for the record; None when nobody showed one.
    """

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        self.caller: tuple[int, int, str, str] | None = None
        super().__init__(reason)


@dataclass(frozen=True)
class Grant:
    """What an app gets now. `access` reads rows in force; `gone` reads rows that left, without personal columns.

    earlier: rules that ended within the life of a tombstone, so that people whom a narrower rule leaves out are
    shown as deleted. since: the moment after which the app may have seen anything at all.
    """

    app_id: int
    app_name: str
    tenant_id: int
    rule_id: int
    agreement_id: int
    roster_version: int
    id_key: bytes
    tombstone_days: int
    people: People
    earlier: tuple[People, ...]
    since: datetime
    fields: frozenset[str]
    scopes: frozenset[str]
    access: Access
    gone: Access

    @property
    def takes_results(self) -> bool:
        """Whether the school lets this app send results. Its rule must name them: "all" does not."""
        return RESULTS in self.fields

    @property
    def version(self) -> tuple[Hashable, ...]:
        """Equal for as long as everything stands that decides what the app gets: key of whatever is worked out from it."""
        return (self.app_id, self.rule_id, self.agreement_id, self.roster_version, self.access.bundle.hash)


_SELECT = """
SELECT a.id, a.name, a.tenant_id, a.id_key, a.stopped_at, a.created_at, n.slug, n.policy, n.region, n.roster_version,
       n.tombstone_days, g.id, g.purpose, g.region, g.begins_on, g.ends_on, g.sub_processors, r.id, r.people, r.fields,
       {scopes}
       EXISTS (SELECT 1 FROM sharing_sharingrule o WHERE o.app_id = a.id AND o.ended_at IS NOT NULL)
  FROM sharing_app a
  JOIN roster_tenant n ON n.id = a.tenant_id
  LEFT JOIN sharing_agreement g ON g.app_id = a.id AND g.ended_at IS NULL
  LEFT JOIN sharing_sharingrule r ON r.app_id = a.id AND r.ended_at IS NULL
"""
_BY_ID = _SELECT.format(scopes="'', ") + " WHERE a.id = %s ORDER BY g.id DESC, r.id DESC LIMIT 1"
_BY_TOKEN = (
    _SELECT.format(scopes="t.scopes, ")
    + " JOIN sharing_token t ON t.app_id = a.id WHERE t.digest = %s AND t.expires_at > %s ORDER BY g.id DESC, r.id DESC LIMIT 1"
)


def grant_for(app_id: int) -> Grant:
    """What this app gets now. Raises Withheld with the reason why it gets nothing."""
    found = _one(_BY_ID, [app_id])
    if found is None:
        raise Withheld("unknown", "There is no such app.")
    return _grant(found, _minute())


def grant_as_if(app_id: int, people: Any, fields: Any) -> Grant:
    """What the app would get if a rule of these people and fields were saved now; nothing is. Raises Withheld.

    Saving a rule begins a stopped app again, so a stop does not count. The rule's id is 0.
    """
    found = _one(_BY_ID, [app_id])
    if found is None:
        raise Withheld("unknown", "There is no such app.")
    row = list(found)
    row[_STOPPED], row[_RULE : _RULE + 3] = None, [0, json.dumps(people), json.dumps(fields)]
    return _grant(tuple(row), _minute())


_STOPPED, _RULE, _SCOPES = 4, 17, 20  # where they stand in _SELECT


def token_grant(token: str) -> Grant | None:
    """The grant behind an access token, or None when no such token lives. Raises Withheld. One query."""
    found = _one(_BY_TOKEN, [sha256(token.encode()).hexdigest(), clock.now()])
    if found is None:
        return None
    try:
        return _grant(found, _minute())
    except Withheld as withheld:
        withheld.caller = (found[2], found[0], found[1], found[_SCOPES])
        raise


@dataclass(frozen=True)
class Standing:
    """An app that keeps records of its own here. `grant` is None while no rule shares anything with it."""

    app_id: int
    app_name: str
    tenant_id: int
    id_key: bytes
    scopes: frozenset[str]
    grant: Grant | None


def token_standing(token: str) -> Standing | None:
    """The standing of the app behind a token, or None when no such token lives. Raises Withheld, but not for want of
    a rule: without one the app sees what it wrote itself, and nothing of the school's. One query."""
    found = _one(_BY_TOKEN, [sha256(token.encode()).hexdigest(), clock.now()])
    if found is None:
        return None
    try:
        grant = _grant(found, _minute())
    except Withheld as withheld:
        if withheld.code != "no_rule":
            withheld.caller = (found[2], found[0], found[1], found[_SCOPES])
            raise
        grant = None
    scopes = frozenset(str(found[_SCOPES]).split())
    return Standing(found[0], found[1], found[2], bytes.fromhex(found[3]), scopes, grant)


def _minute() -> datetime:
    return clock.now().replace(second=0, microsecond=0)


def _one(sql: str, params: list[Any]) -> tuple[Any, ...] | None:
    with (
        unguarded("an app shows its token before its tenant is known"),
        raw("token, app, agreement and rule at once") as cursor,
    ):
        cursor.execute(sql, params)
        row: tuple[Any, ...] | None = cursor.fetchone()
        return row and tuple(json.dumps(value) if isinstance(value, dict | list) else value for value in row)


@lru_cache(maxsize=512)
def _grant(row: tuple[Any, ...], minute: datetime) -> Grant:
    """What the row of this very request comes to. The row is read each time; only the same row in the same minute is
    not worked out again."""
    (app_id, name, tenant_id, id_key, stopped_at, created_at, slug, policy, region, version, days, agreement_id, purpose,
     kept_in, begins_on, ends_on, helpers, rule_id, people, fields, scopes, has_history) = row  # fmt: skip
    if stopped_at is not None:
        raise Withheld("stopped", f"Sharing with {name} was stopped.")
    if agreement_id is None:
        raise Withheld("no_agreement", f"There is no agreement with {name}.")
    today = minute.date()
    if _day(begins_on) > today:
        raise Withheld("not_begun", f"The agreement with {name} begins on {_day(begins_on):%d %B %Y}.")
    if _day(ends_on) < today:
        raise Withheld("expired", f"The agreement with {name} ended on {_day(ends_on):%d %B %Y}.")
    bundle = bundle_for(policy)
    allowed = bundle.regions_for(region)
    for who, where in [
        (name, kept_in),
        *((h.get("name", "a helper"), h.get("region", "")) for h in _json(helpers)),
    ]:
        if where not in allowed:
            said = f"keeps data in {where}" if where else "does not say where it keeps data"
            raise Withheld(
                "region", f"{who} {said}. The policy does not allow that for a school in {region}."
            )
    decision = bundle.decide("app", purpose, None)
    if not decision.allowed:
        raise Withheld("purpose", decision.because)
    if rule_id is None:
        raise Withheld("no_rule", f"No rule says what {name} gets.")
    rule, limit, granted = _rule(json.dumps(_json(people)), json.dumps(_json(fields)), bundle, purpose)
    actor = Actor("app", "app", app_id, name)
    since = minute - timedelta(days=days)
    since = max(since, _moment(created_at))
    live, asked = {**reaches(rule.people), **own_work(rule.people)}, values(rule.people)
    access = Access(actor, purpose, tenant_id, bundle, limit=limit, live=live, values=asked)
    gone = Access(
        actor,
        purpose,
        tenant_id,
        bundle,
        limit=_STRUCTURAL_COLUMNS,
        live=_anything(),
        values=asked,
        bare=True,
    )
    return Grant(
        app_id, name, tenant_id, rule_id, agreement_id, version, bytes.fromhex(id_key), days, rule.people,
        _earlier(app_id, since) if has_history else (), since, granted, frozenset(str(scopes).split()), access, gone,
    )  # fmt: skip


_STRUCTURAL_COLUMNS = frozenset(c for name in STRUCTURAL for c in FIELDS[name].columns)


@lru_cache(maxsize=1)
def _anything() -> Any:
    """Reaches of the `gone` access: rows are named by id, from `audience`, so the tenant and the wall suffice."""
    return dict.fromkeys(reaches(People()))


@lru_cache(maxsize=512)
def _rule(
    people: str, fields: str, bundle: Bundle, purpose: str
) -> tuple[Rule, frozenset[str], frozenset[str]]:
    """The parsed rule, the columns it grants and the fields they make. "all" is what the policy lets any app have."""
    try:
        rule = parse_rule({"people": json.loads(people), "fields": json.loads(fields)}, common_reason="-")
    except Invalid as error:
        raise Withheld("no_rule", f"The rule cannot be read: {error}") from error
    granted = frozenset(shareable(bundle, purpose) if rule.all_fields else set(rule.fields) | STRUCTURAL)
    granted = frozenset(name for name in granted if may(bundle, purpose, name) != "never")
    return rule, frozenset(c for name in granted for c in FIELDS[name].columns), granted


def category_of(name: str) -> str:
    """The data category of a field, from the word beside its column."""
    app, model, attribute = FIELDS[name].columns[0].split(".")
    word = word_of(apps.get_model(app, model)._meta.get_field(attribute))
    return (word.category if word else None) or "undeclared"


def may(bundle: Bundle, purpose: str, name: str) -> str:
    """May an app get this field: may | named | never? From the category's word in the policy and the app's rule."""
    category = category_of(name)
    if not bundle.decide("app", purpose, category).allowed:
        return "never"
    return str(bundle.categories[category]["apps"])


def shareable(bundle: Bundle, purpose: str) -> set[str]:
    """The fields that "all" stands for: those an app may get without being named one by one. What stands in for a
    field is not among them, for the field itself is."""
    return {name for name in FIELDS if name not in STANDS_IN.values() and may(bundle, purpose, name) == "may"}


def _earlier(app_id: int, since: datetime) -> tuple[People, ...]:
    with unguarded("rules that an app stood under before"), raw("earlier rules of one app") as cursor:
        cursor.execute(
            "SELECT people FROM sharing_sharingrule WHERE app_id = %s AND ended_at > %s ORDER BY id",
            [app_id, since],
        )
        found = [row[0] for row in cursor.fetchall()]
    # A library's app has a rule for each class that was added: as one, they cost one question.
    return tuple(together(parse_rule({"people": _json(p), "fields": "all"}).people for p in found))


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _day(value: Any) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _moment(value: Any) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value if value.tzinfo else value.replace(tzinfo=clock.now().tzinfo)


def find_app(tenant_id: int, name: str) -> Any:
    """The app of a tenant by its short name or name. Raises NotFound."""
    with unguarded("an administrator names an app", tenant=tenant_id):
        found = App.objects.filter(tenant_id=tenant_id).filter(Q(slug=name) | Q(name=name)).first()
    if found is None:
        raise NotFound(f"There is no app “{name}”.")
    return found


def apps_getting(tenant_id: int) -> dict[str, frozenset[str]]:
    """Name of each app that gets something now -> the categories that it gets."""
    found = {}
    for app in apps_of(tenant_id):
        try:
            found[str(app.name)] = frozenset(map(category_of, grant_for(app.id).fields))
        except Withheld:
            continue
    return found


def apps_of(tenant_id: int) -> list[Any]:
    """The apps a tenant knows, by name."""
    with unguarded("an administrator lists the apps", tenant=tenant_id):
        return list(App.objects.filter(tenant_id=tenant_id).order_by("name"))

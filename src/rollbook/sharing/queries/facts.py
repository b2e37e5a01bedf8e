"""What stands on an app's page: who it reaches, each detail with its reason and last use, what was promised.

Counts are live; those that read whole tables are kept for as long as the roster's version and the rule stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db.models import Count, Max, Q, Value
from django.db.models.functions import NullIf

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.recent import Recent
from rollbook.policy import Access, Bundle, Disclosure, unguarded
from rollbook.roster import Tenant, explains_authority
from rollbook.sharing.models import Agreement, App, FieldRequest, SharingRule
from rollbook.sharing.queries.audience import audience
from rollbook.sharing.queries.grants import Grant, Withheld, category_of, grant_for, may, shareable
from rollbook.sharing.rules import (
    FIELDS,
    GROUPS,
    SENSITIVE,
    STRUCTURAL,
    Field,
    People,
    Rule,
    covered,
    parse_rule,
)

RECENT = timedelta(days=30)
SOON = timedelta(days=60)
FAMILY_ROLES = ("guardian", "parent", "relative")
# What the school holds about a child that no rule can name: title and category.
NEVER_FIELDS = (("Needs and entitlements", "special.need"),)
NAMING = ("identity.name", "identity.preferred")


# ---- Which app.


def app_named(access: Access, slug: str) -> App:
    """The tenant's app of that name in an address. Raises NotFound, for another tenant's too."""
    found: App | None = access.select(App).filter(slug=slug).first()
    if found is None:
        raise NotFound("There is no such app.")
    return found


def agreement_of(access: Access, app: App) -> Agreement | None:
    """The agreement in force or to come, if there is one."""
    found: Agreement | None = (
        access.select(Agreement).filter(app_id=app.id, ended_at=None).order_by("-id").first()
    )
    return found


def rule_of(access: Access, app: App) -> SharingRule | None:
    """The rule in force, if there is one."""
    found: SharingRule | None = (
        access.select(SharingRule).filter(app_id=app.id, ended_at=None).order_by("-id").first()
    )
    return found


def purpose_of(bundle: Bundle, agreement: Agreement | None) -> str:
    """The agreement's purpose, or the first that the policy has for apps."""
    known = [purpose for role, purpose in sorted(bundle.rules) if role == "app"]
    return agreement.purpose if agreement and ("app", agreement.purpose) in bundle.rules else known[0]


# ---- How many.


@dataclass(frozen=True)
class Reached:
    """People whom an app sees now: all, and the pupils, families and staff among them; schools where pupils are."""

    people: int = 0
    pupils: int = 0
    families: int = 0
    staff: int = 0
    schools: int = 0


_kept: Recent[Any] = Recent(500)  # counts, each of one version of the roster


def reached(grant: Grant) -> Reached:
    """How many people this grant reaches."""
    found: Reached = _kept.get(("reached", *grant.version), lambda: _reached(grant))
    return found


def _reached(grant: Grant) -> Reached:
    pupil, family = Q(role="student"), Q(role__in=FAMILY_ROLES)
    counts = grant.access.select(apps.get_model("roster", "Role")).aggregate(
        pupils=Count("person_id", distinct=True, filter=pupil),
        families=Count("person_id", distinct=True, filter=family),
        staff=Count("person_id", distinct=True, filter=~pupil & ~family),
        schools=Count("org_id", distinct=True, filter=pupil),
    )
    return Reached(people=len(audience(grant, "person").active), **counts)


def held(tenant: Tenant) -> Mapping[str, int]:
    """Field, or category that no rule can name -> how many rows of the roster have a value. No value is read."""
    found: dict[str, int] = _kept.get(("held", tenant.id, tenant.roster_version), lambda: _held(tenant.id))
    return found


def _held(tenant: int) -> dict[str, int]:
    by_model: dict[str, list[Field]] = {}
    for found in FIELDS.values():
        by_model.setdefault(found.columns[0].rsplit(".", 1)[0], []).append(found)
    counts: dict[str, int] = {}
    with unguarded("how many rows have a value, for counts on the apps pages", tenant=tenant):
        for label, fields in by_model.items():
            model = apps.get_model(label)
            wanted: dict[str, Any] = {f"n{n}": Count(filled(f)) for n, f in enumerate(fields)}
            row = model.objects.filter(tenant_id=tenant, status="active").aggregate(**wanted)
            counts.update({f.name: row[f"n{n}"] for n, f in enumerate(fields)})
        flags = apps.get_model("roster.Flag").objects.filter(tenant_id=tenant, status="active")
        counts["special.need"] = flags.count()
    return counts


def filled(found: Field) -> Any:
    """An expression on a field's main column that is null where the column says nothing."""
    label, attribute = found.columns[0].rsplit(".", 1)
    kind = apps.get_model(label)._meta.get_field(attribute).get_internal_type()
    return NullIf(attribute, Value("")) if kind in ("TextField", "CharField") else attribute


# ---- Use, as the disclosure log has it.


@dataclass(frozen=True)
class Use:
    """An app's answers in the last 30 days: how many, and when each column ("roster_person.given_name") was last in one."""

    answers: int = 0
    columns: Mapping[str, datetime] = field(default_factory=dict)

    def last(self, found: Field) -> datetime | None:
        """When a field was last in an answer."""
        moments = [self.columns[c] for c in log_columns(found) if c in self.columns]
        return max(moments) if moments else None


def log_columns(found: Field) -> list[str]:
    """The field's columns as the disclosure log writes them."""
    named = []
    for column in found.columns:
        label, attribute = column.rsplit(".", 1)
        meta = apps.get_model(label)._meta
        named.append(f"{meta.db_table}.{meta.get_field(attribute).column}")
    return named


def use_of(access: Access, app: App) -> Use:
    """What the app has read in the last 30 days."""
    rows = access.select(Disclosure).filter(
        recipient_kind="app", recipient_id=app.id, at__gte=clock.now() - RECENT
    )
    answers, columns = 0, dict[str, datetime]()
    for text, last, count in rows.order_by().values_list("columns").annotate(last=Max("at"), n=Count("id")):
        answers += count
        for column in text.split(","):
            columns[column] = max(columns.get(column, last), last)
    return Use(answers, columns)


def last_used(access: Access, app: App) -> datetime | None:
    """When the app last read anything."""
    rows = access.select(Disclosure).filter(recipient_kind="app", recipient_id=app.id)
    found: datetime | None = rows.order_by("-id").values_list("at", flat=True).first()
    return found


# ---- The list of apps.


@dataclass(frozen=True)
class AppLine:
    """One app in the list. reason: why nothing leaves, or a word on what soon ends."""

    app: App
    leaves: bool
    reason: str
    code: str
    reached: Reached
    details: int
    last_used: datetime | None
    ends_on: date | None
    asks: int

    @property
    def ends_soon(self) -> bool:
        return self.ends_on is not None and clock.today() <= self.ends_on <= clock.today() + SOON


def grant_or_why(app: App) -> tuple[Grant | None, Withheld | None]:
    """The app's grant, or why it has none."""
    try:
        return grant_for(app.id), None
    except Withheld as withheld:
        return None, withheld


def app_lines(access: Access) -> list[AppLine]:
    """Every app of the tenant by name, with what it gets now."""
    ends = dict(
        access.select(Agreement).filter(ended_at=None).order_by("id").values_list("app_id", "ends_on")
    )
    asks = dict(
        access.select(FieldRequest).filter(answer="").order_by().values_list("app_id").annotate(n=Count("id"))
    )
    lines = []
    for app in access.select(App).order_by("name"):
        grant, withheld = grant_or_why(app)
        lines.append(
            AppLine(
                app, grant is not None, withheld.reason if withheld else "", withheld.code if withheld else "",
                reached(grant) if grant else Reached(), len(grant.fields) if grant else 0, last_used(access, app),
                ends.get(app.id), asks.get(app.id, 0),
            )
        )  # fmt: skip
    return lines


# ---- One app.


@dataclass(frozen=True)
class Detail:
    """One field on an app's page. state: shared | held (named by the rule, but nothing leaves) | asked | none | locked."""

    field: Field
    state: str
    why: str
    used: datetime | None = None
    sensitive: bool = False
    young: bool = False  # the rule is younger than the time that use is measured over

    @property
    def example(self) -> str:
        value = "Kestrels" if self.field.name == "enrollments.role" else self.field.example
        if isinstance(value, list):
            value = ", ".join(v["identifier"] if isinstance(v, dict) else str(v) for v in value)
        elif isinstance(value, dict):
            value = ", ".join(f"{k}: {v}" for k, v in value.items())
        return str(value)

    @property
    def used_words(self) -> str:
        if self.used:
            return f"used {day_word(self.used)}"
        if self.field.sent:
            return "the app sends it"
        return "not used yet" if self.young else "not used in 30 days"


def day_word(moment: datetime) -> str:
    """ "today", "yesterday", "on 3 November"."""
    days = (clock.today() - moment.date()).days
    return (
        "today"
        if days <= 0
        else "yesterday"
        if days == 1
        else f"on {moment.day} {moment:%B}{'' if days < 300 else f' {moment.year}'}"
    )


@dataclass(frozen=True)
class Group:
    """The details of one group: those to show a row each, and those that are not shared, told in one row."""

    title: str
    rows: tuple[Detail, ...]
    rest: tuple[Detail, ...]
    locked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Everything that an app's page says about what it sees."""

    app: App
    agreement: Agreement | None
    rule: SharingRule | None
    grant: Grant | None
    withheld: Withheld | None
    reached: Reached
    use: Use
    details: tuple[Detail, ...]
    requests: tuple[FieldRequest, ...]
    purpose: Mapping[str, Any]
    held: Mapping[str, int]

    @property
    def shared(self) -> list[Detail]:
        return [d for d in self.details if d.state == "shared"]

    @property
    def naming(self) -> int:
        """How many shared details name the child."""
        return sum(category_of(d.field.name) in NAMING for d in self.shared)

    @property
    def sensitive(self) -> int:
        return sum(d.sensitive for d in self.shared)

    @property
    def unused(self) -> list[Detail]:
        """Shared for 30 days, and in no answer since."""
        old = self.rule is not None and self.rule.made_at < clock.now() - RECENT
        return (
            [d for d in self.shared if d.used is None and not (d.field.structural or d.field.sent)]
            if old
            else []
        )

    @property
    def unseen(self) -> list[str]:
        """Titles of what the school holds and this app cannot see."""
        got = {d.field.name for d in self.shared}
        titles = [
            f.title
            for n, f in FIELDS.items()
            if self.held.get(n) and n not in got and not f.sent and not covered(n, got)
        ]
        return titles + [title for title, category in NEVER_FIELDS if self.held.get(category)]

    @property
    def groups(self) -> list[Group]:
        found = []
        for title in GROUPS:
            mine = [d for d in self.details if d.field.group == title]
            rest = tuple(d for d in mine if d.state == "none")
            rows = tuple(d for d in mine if d.state != "none")
            found.append(
                Group(title, rows, rest, tuple(t for t, _ in NEVER_FIELDS) if title == SENSITIVE else ())
            )
        return found


def facts_of(access: Access, tenant: Tenant, app: App) -> Facts:
    """What an app sees, and everything that is said about it."""
    agreement, rule = agreement_of(access, app), rule_of(access, app)
    grant, withheld = grant_or_why(app)
    purpose = purpose_of(access.bundle, agreement)
    requests = tuple(access.select(FieldRequest).filter(app_id=app.id, answer="").order_by("id"))
    use = use_of(access, app)
    named = read_rule(rule)
    shared = grant.fields if grant else frozenset()
    wanted = set(named.fields) | set(STRUCTURAL if rule else ())
    if named.all_fields:
        wanted = shareable(access.bundle, purpose)
    asked = {r.field: r for r in requests}
    young = rule is not None and rule.made_at > clock.now() - RECENT
    details = []
    for name, found in FIELDS.items():
        if covered(name, shared):
            continue
        allowed = may(access.bundle, purpose, name)
        why = named.fields.get(name) or (
            str(access.bundle.purposes[purpose]["title"]) if named.all_fields else ""
        )
        if name in shared:
            state = "shared"
        elif allowed == "never":
            state, why = "locked", locked_because(access.bundle, purpose, name)
        elif name in asked:
            state, why = "asked", asked[name].reason
        elif name in wanted:
            state = "held"
        else:
            state, why = "none", ""
        category = access.bundle.categories[category_of(name)]
        used = use.last(found) if state == "shared" else None
        details.append(Detail(found, state, why, used, category["kind"] == "special", young))
    return Facts(
        app, agreement, rule, grant, withheld, reached(grant) if grant else Reached(), use, tuple(details), requests,
        access.bundle.purposes[purpose], held(tenant),
    )  # fmt: skip


def read_rule(rule: SharingRule | None) -> Rule:
    """A stored rule as read; no rule names nothing."""
    if rule is None:
        return Rule(People(), {})
    try:
        return parse_rule({"people": rule.people, "fields": rule.fields}, common_reason="-")
    except Invalid:  # a field that this version no longer knows: nothing leaves, and the page says why
        return Rule(People(), {})


def locked_because(bundle: Bundle, purpose: str, name: str) -> str:
    """Why no app gets a field."""
    category = category_of(name)
    decision = bundle.decide("app", purpose, category)
    return (
        decision.because
        if not decision.allowed
        else f"“{bundle.categories[category]['title']}” is never for an app."
    )


@explains_authority
def authorities(access: Access, rules: set[int]) -> dict[int, str]:
    """The sharing rules that an app's answers rested on, in words."""
    rows = access.select(SharingRule).filter(id__any=sorted(rules)).values_list("id", "made_by", "made_at")
    return {i: f"the rule that {by} made on {at.day} {at:%B %Y}" for i, by, at in rows}


# ---- People in words.


def in_words(access: Access, people: People) -> str:
    """Whom a rule names, as a person says it."""
    if people.everyone:
        return "Everyone on the roll"
    roles = [role_word(r) for r in people.roles]
    words = _some(roles).capitalize() if roles else "Everyone"
    if people.grades:
        years = _some([g.lstrip("0") or g for g in people.grades], 12)
        words += f" in school year{'s' if len(people.grades) > 1 else ''} {years}"
    if people.orgs:
        words += f" at {_some(_names(access, 'Org', 'name', people.orgs))}"
    if people.courses:
        words += f" on {_some(_names(access, 'Course', 'title', people.courses))}"
    if people.classes:
        words += f" in {_some(_names(access, 'Class', 'title', people.classes))}"
    return words


ROLE_WORDS = {
    "student": "pupils", "teacher": "teachers", "aide": "classroom helpers", "guardian": "guardians", "parent": "parents",
    "relative": "relatives", "siteAdministrator": "school administrators", "districtAdministrator": "trust administrators",
    "systemAdministrator": "system administrators", "principal": "heads", "counselor": "counsellors", "proctor": "invigilators",
}  # fmt: skip


def role_word(role: str) -> str:
    """A OneRoster role as a person says it, for several of them."""
    return ROLE_WORDS.get(role, role)


def _names(access: Access, model: str, column: str, ids: Iterable[str]) -> list[str]:
    wanted = list(ids)
    known = dict(
        access.select(apps.get_model("roster", model))
        .filter(sourced_id__in=wanted[:50])
        .values_list("sourced_id", column)
    )
    return [known.get(i) or i for i in wanted]


def _some(words: list[str], most: int = 4) -> str:
    """Words in a row: "a, b and c", with a count of those beyond `most`."""
    if len(words) > most:
        words = [*words[:most], f"{len(words) - most} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def shown_to(access: Access, grant: Grant) -> tuple[frozenset[str], frozenset[str]]:
    """The fields of a grant that this member of staff may see too, and the columns ("roster.Person.email") they make."""
    allowed: dict[str, frozenset[str]] = {}
    fields = set()
    for name in grant.fields:
        for column in FIELDS[name].columns:
            label, attribute = column.rsplit(".", 1)
            if label not in allowed:
                allowed[label] = frozenset(access.columns(apps.get_model(label)))
            if attribute not in allowed[label]:
                break
        else:
            fields.add(name)
    return frozenset(fields), frozenset(c for name in fields for c in FIELDS[name].columns)

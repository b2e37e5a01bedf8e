"""One person as an access may see them, with what each detail is for, and who has seen or received it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Q

from rollbook.kernel.errors import NotFound
from rollbook.policy import Access, Disclosure, disclosures_about, word_of
from rollbook.roster.models import (
    AcademicSession,
    Class,
    ClassTerm,
    Demographics,
    Enrollment,
    Ethnicity,
    Flag,
    Guardianship,
    Identity,
    Person,
    Role,
)
from rollbook.roster.queries.handed import corrected
from rollbook.roster.queries.ids import one_and_the_same
from rollbook.roster.queries.people import NAMES, granted, names_of, org_names
from rollbook.roster.rules.details import GROUPS, LABELS, SILENT, door_name, in_words, kept_until
from rollbook.roster.rules.handed import ground_title
from rollbook.roster.rules.people import full_name, listed, role_name

DISCLOSURES = 20  # on one page


@dataclass(frozen=True)
class Detail:
    """One detail: its name, its value, and the roles of the policy that may use it."""

    label: str
    value: str
    users: str


@dataclass(frozen=True)
class Group:
    """Details of one sort, and how long they are kept."""

    title: str
    special: bool
    rows: tuple[Detail, ...]
    kept: str


@dataclass(frozen=True)
class Hidden:
    """A category that this role does not see, and why."""

    title: str
    because: str


@dataclass(frozen=True)
class RoleLine:
    org: str
    role: str
    primary: bool
    left: bool
    begins: date | None
    ends: date | None


@dataclass(frozen=True)
class Place:
    """A class that the person is in."""

    id: int
    title: str
    role: str
    terms: str
    left: bool


@dataclass(frozen=True)
class Relative:
    """A guardian or a child of the person. id is None where their own page is not for this role."""

    id: int | None
    name: str
    relationship: str


@dataclass(frozen=True)
class IdentityLine:
    """One thing that happened to a person's ids."""

    id: int
    kind: str
    sourced_id: str
    other: int | None
    other_name: str
    at: datetime
    by: str
    reason: str
    undone_at: datetime | None
    mine: bool  # it happened to this person's own id; else another's id came here or went from here


@dataclass(frozen=True)
class OnePerson:
    """Everything that an access may see of one person."""

    id: int
    name: str
    official: str
    code: str
    left: bool
    merged_into: int | None
    by_hand: bool
    changed: datetime
    groups: tuple[Group, ...]
    hidden: tuple[Hidden, ...]
    roles: tuple[RoleLine, ...]
    classes: tuple[Place, ...]
    guardians: tuple[Relative, ...]
    children: tuple[Relative, ...]
    identities: tuple[IdentityLine, ...]
    columns: tuple[tuple[Any, str], ...]
    others: tuple[int, ...]  # whose names are on the page too

    @property
    def people(self) -> list[int]:
        return [self.id, *self.others]

    @property
    def student(self) -> bool:
        """Whether they are a student somewhere now."""
        return any(r.role == role_name("student") and not r.left for r in self.roles)


def person(access: Access, person_id: int) -> OnePerson:
    """One person. Raises NotFound for somebody who is not there or not for this role: the two look the same."""
    row = access.select(Person).filter(id=person_id).first()
    if row is None:
        raise NotFound("There is no such person.")
    columns: list[tuple[Any, str]] = []
    values: list[tuple[str, str, str]] = []  # category, label, value
    for model, found in ((Person, row), *_details(access, person_id)):
        for name in access.columns(model):
            category = _category(model, name)
            if category is None or (model._meta.db_table, name) in SILENT:
                continue
            columns.append((model, name))
            shown = _show(getattr(found, name))
            if shown:
                values.append((category, LABELS[model._meta.db_table].get(name, name), shown))
    roles = _roles(access, person_id)
    places = _places(access, person_id)
    guardians, children, kin = _family(access, person_id)
    history, others = _history(access, person_id)
    columns += [(Role, c) for c in granted(access, Role, ("role", "begin_date", "end_date"))]
    columns += [(Enrollment, c) for c in granted(access, Enrollment, ("role",))] if places else []
    columns += [(Guardianship, "relationship")] if kin else []
    columns += (
        [(Identity, c) for c in granted(access, Identity, ("sourced_id", "by", "reason"))] if history else []
    )
    v = {n: getattr(row, n) for n in granted(access, Person, (*NAMES, "sourced_id"))}
    official = full_name(v.get("given_name", ""), v.get("family_name", ""))
    name = full_name(
        v.get("given_name", ""),
        v.get("family_name", ""),
        v.get("preferred_first_name", ""),
        v.get("preferred_last_name", ""),
    )
    into = next((h.other for h in history if h.kind == "merged" and h.undone_at is None and h.mine), None)
    return OnePerson(
        row.id, name, official if official != name else "", v.get("sourced_id", ""), row.status != "active", into,
        v.get("sourced_id", "").startswith("hand:"), row.date_last_modified, _groups(access, values), _hidden(access),
        roles, places, guardians, children, history, tuple(columns), tuple({*kin, *others} - {person_id}),
    )  # fmt: skip


def name_columns(access: Access) -> list[tuple[Any, str]]:
    """The columns that make up a name, for the disclosure log."""
    return [(Person, c) for c in granted(access, Person, NAMES)]


def _category(model: Any, name: str) -> str | None:
    word = word_of(model._meta.get_field(name))
    return word.category if word else None


def _details(access: Access, person_id: int) -> Iterable[tuple[Any, Any]]:
    """Rows of the other tables that hold details of a person, where the access may see them."""
    for model in (Demographics, Ethnicity, Flag):
        if access.decide(model).allowed:
            for found in access.select(model).filter(person_id=person_id, status="active"):
                yield model, found


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return f"{value.day} {value:%B %Y}"
    return "" if value in (None, "", "{}") else str(value)


def _groups(access: Access, values: list[tuple[str, str, str]]) -> tuple[Group, ...]:
    bundle, found = access.bundle, []
    users = {
        name: listed(
            dict.fromkeys(
                USERS.get(role, role)
                for (role, _), rule in sorted(bundle.rules.items())
                if name in rule.allow
            )
        )
        for name in bundle.categories
    }
    for sort, title in GROUPS.items():
        mine = [(c, label, value) for c, label, value in values if c.split(".")[0] == sort]
        kept = listed(dict.fromkeys(kept_until(bundle.categories[c]["retention"]) for c, _, _ in mine))
        if mine:
            found.append(
                Group(
                    title,
                    sort == "special",
                    tuple(Detail(label, value, users[c]) for c, label, value in mine),
                    kept,
                )
            )
    return tuple(found)


# Roles of the policy as the column of users says them.
USERS = {"app": "apps your school names", "dpo": "data protection officer"}


def purposes(access: Access) -> list[tuple[str, str]]:
    """What each role of the policy works for: (who, to do what)."""
    bundle = access.bundle
    found: dict[str, list[str]] = {}
    for role, purpose in sorted(bundle.rules):
        found.setdefault(USERS.get(role, role), []).append(bundle.purposes[purpose]["title"])
    return [(who, listed(titles)) for who, titles in found.items()]


def _hidden(access: Access) -> tuple[Hidden, ...]:
    """The categories about people in the roster that this role does not see, with the policy's reason."""
    about: set[str] = set()
    for model in (Person, Demographics, Ethnicity, Flag, Guardianship):
        about |= {c for c in (_category(model, f.attname) for f in model._meta.concrete_fields) if c}
    found = []
    for name in access.bundle.categories:
        if name in about:
            decision = access.bundle.decide(access.actor.role, access.purpose, name)
            if not decision.allowed:
                found.append(Hidden(access.bundle.categories[name]["title"], decision.because))
    return tuple(found)


def _roles(access: Access, person_id: int) -> tuple[RoleLine, ...]:
    rows = list(access.select(Role).filter(person_id=person_id).order_by("-status", "role_type", "id"))
    rows = [r for r in rows if r.status == "active"] or rows
    orgs = org_names(access, (r.org_id for r in rows))
    return tuple(
        RoleLine(
            orgs.get(r.org_id, ""),
            role_name(r.role),
            r.role_type == "primary",
            r.status != "active",
            r.begin_date,
            r.end_date,
        )
        for r in rows
    )


def _places(access: Access, person_id: int) -> tuple[Place, ...]:
    rows = list(
        access.select(Enrollment).filter(person_id=person_id).values_list("klass_id", "role", "status")
    )
    rows = [r for r in rows if r[2] == "active"] or rows
    ids = [r[0] for r in rows]
    titles = dict(access.select(Class).filter(id__any=ids).values_list("id", "title"))
    terms = list(access.select(ClassTerm).filter(klass_id__any=ids).values_list("klass_id", "session_id"))
    sessions = dict(
        access.select(AcademicSession).filter(id__any=[s for _, s in terms]).values_list("id", "title")
    )
    found = [
        Place(
            k,
            titles[k],
            role_name(role),
            ", ".join(sorted(sessions[s] for c, s in terms if c == k and s in sessions)),
            status != "active",
        )
        for k, role, status in rows
        if k in titles
    ]
    return tuple(sorted(found, key=lambda p: (p.title, p.id)))


def _family(access: Access, person_id: int) -> tuple[tuple[Relative, ...], tuple[Relative, ...], set[int]]:
    if not access.decide(Guardianship).allowed:
        return (), (), set()
    rows = list(
        access.select(Guardianship)
        .filter(Q(guardian_id=person_id) | Q(child_id=person_id), status="active")
        .values_list("guardian_id", "child_id", "relationship")
    )
    names = names_of(access, {i for g, c, _ in rows for i in (g, c)})

    def relative(i: int, relationship: str) -> Relative:
        return Relative(i if i in names else None, names.get(i, "somebody outside your school"), relationship)

    guardians = tuple(relative(g, how) for g, c, how in rows if c == person_id)
    children = tuple(relative(c, how) for g, c, how in rows if g == person_id)
    return guardians, children, {i for g, c, _ in rows for i in (g, c) if i in names}


def _history(access: Access, person_id: int) -> tuple[tuple[IdentityLine, ...], set[int]]:
    """What happened to the ids of a person, newest first, for those who may see it."""
    if not access.decide(Identity).allowed or "sourced_id" not in access.columns(Identity):
        return (), set()
    rows = list(
        access.select(Identity).filter(Q(person_id=person_id) | Q(other_id=person_id)).order_by("-id")
    )
    names = names_of(access, {i for r in rows for i in (r.person_id, r.other_id) if i and i != person_id})
    found = []
    for r in rows:
        other = r.other_id if r.person_id == person_id else r.person_id
        found.append(
            IdentityLine(
                id=r.id,
                kind=r.kind,
                sourced_id=r.sourced_id,
                other=other,
                other_name=names.get(other or 0, ""),
                at=r.at,
                by=r.by,
                reason=r.reason,
                undone_at=r.undone_at,
                mine=r.person_id == person_id,
            )
        )
    return tuple(found), set(names)


def editable(access: Access, person_id: int, columns: Iterable[str]) -> dict[str, str]:
    """The present values of columns of a person on the roll, for a form. Raises NotFound."""
    names = granted(access, Person, columns)
    row = access.select(Person).filter(id=person_id, status="active").values_list(*names).first()
    if row is None:
        raise NotFound("There is no such person.")
    return dict(zip(names, row, strict=True))


def columns_of(names: Iterable[str]) -> list[tuple[Any, str]]:
    """Columns of a person, for the disclosure log."""
    return [(Person, name) for name in names]


# ---- Who has seen or received it.

Authority = Callable[[Access, set[int]], dict[int, str]]
_authorities: list[Authority] = []


def explains_authority(function: Authority) -> Authority:
    """Register what says, in words, on which rule and agreement an app's answer rested (ids -> words)."""
    _authorities.append(function)
    return function


@dataclass(frozen=True)
class DisclosureLine:
    """One time that somebody saw or received a person's details."""

    id: int
    at: datetime
    recipient: str
    kind: str
    what: tuple[str, ...]
    why: str
    where: str
    authority: str
    reason: str
    with_others: int

    @property
    def app(self) -> bool:
        return self.kind == "app"

    @property
    def icon(self) -> str:
        return {"app": "plugs-connected", "outside": "scroll"}.get(self.kind, "user")


def told_about(
    access: Access, person_id: int, before: int | None = None
) -> tuple[list[DisclosureLine], int | None]:
    """Who saw or received this person's details, newest first, and the id to go on before. Empty for roles without
    the record. What was told of a record that is merged with this one was told of the same human."""
    if not access.decide(Disclosure).allowed:
        return [], None
    same = one_and_the_same(access, person_id)
    rows = disclosures_about(access, same, before=before, limit=DISCLOSURES + 1)
    shown = rows[:DISCLOSURES]
    rules = {r.authorised_by for r in shown if r.authorised_by}
    words: dict[int, str] = {}
    for authority in _authorities if rules else ():
        words |= authority(access, rules)
    purposes = access.bundle.purposes
    by_hand = [r.id for r in shown if r.recipient_kind == "outside"]
    wrong = corrected(access, by_hand) if by_hand else {}
    lines = [
        DisclosureLine(
            r.id, r.at, r.recipient, r.recipient_kind, tuple(in_words(r.columns)),
            purposes.get(r.purpose, {}).get("title") or ground_title(r.purpose), door_name(r.door),
            f"Corrected on {wrong[r.id].day} {wrong[r.id]:%B %Y}, in a later entry" if r.id in wrong
            else words.get(r.authorised_by, ""),
            r.reason, r.people_count - 1,
        )
        for r in shown
    ]  # fmt: skip
    return lines, shown[-1].id if len(rows) > DISCLOSURES else None


Deletions = Callable[[Access, Collection[int]], list[tuple[str, str]]]
_deletions: list[Deletions] = []


def explains_deletion(function: Deletions) -> Deletions:
    """Register what says of each app that received somebody's data where its deletion stands: (state, sentence)."""
    _deletions.append(function)
    return function


def deletions_of(access: Access, person_id: int) -> list[tuple[str, str]]:
    """Where the deletion of this person's data stands at each app that received it: (state, sentence)."""
    same = one_and_the_same(access, person_id)
    return [line for function in _deletions for line in function(access, same)]


def sees_record(access: Access) -> bool:
    """Whether the access may read who has seen whom."""
    return access.decide(Disclosure).allowed

"""What the home and audit pages read, through the gate: the record merged by time, and what waits for somebody.

The record is two tables that only grow: what was done (Audit) and what was shown or sent (Disclosure). Ids of both grow
with time, so they merge by id, newest first, and a page goes on before the last id of the page above.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any

from django.apps import apps
from django.db.models import Count

from rollbook.kernel import idset
from rollbook.kernel.errors import NotFound
from rollbook.policy import Access, Audit, Disclosure, Gap, held
from rollbook.roster import columns_in_words, door_name, ground_title, one_and_the_same
from rollbook.sharing import App

PAGE = 50
BATCH = 200
KINDS = {
    "look": "Somebody looked",
    "received": "Apps received",
    "handed": "Handed over by hand",
    "asked": "Other calls of apps",
    "did": "Something was done",
}
RECIPIENTS = {"app": "received", "outside": "handed"}  # kinds of recipient; whoever is neither looked
ASKED = ("app.called", "app.refused")  # verbs of the kind "asked"
NAME_COLUMNS = "roster_person.family_name,roster_person.given_name"

DOES = {"look": "looked at", "received": "received", "handed": "was handed"}
OF_THE_ROLL = {"student": "A pupil", "guardian": "A guardian"}  # kinds of actor that Home does not name
ROLE_TITLES = {"dpo": "data protection officer"}
# verb of the audit -> what the actor did. {object} is its name, {x} a detail.
VERBS = {
    "app.called": "asked for {operation} ({scope}) and got it: it is about nobody",
    "app.created": "added the app {object}",
    "app.old_secret_ended": "ended the old secret of {object}",
    "app.refused": "asked for {operation} ({scope}) and got nothing: {status}",
    "app.secret_renewed": "gave {object} a new secret; the old one ends: {old_until}",
    "app.signed_in": "signed in with its secret",
    "app.token_renewed": "gave {object} a new token",
    "app.tried": "tried {object} from the developer’s page",
    "audit.exported": "exported this record",
    "audit.read": "read this record at the command line",
    "badge.issued": "gave {count} badges",
    "badge.printed": "printed {count} badges of {object}",
    "badge.refused": "noted a badge that opens nothing",
    "badge.rotated": "stopped every badge",
    "badge.stopped": "stopped {count} badges",
    "directory.approved": "approved the plan for {object}",
    "directory.changed": "changed how accounts are kept at {object}",
    "directory.discarded": "put the plan for {object} away",
    "directory.done": "wrote to {object}: {done} steps",
    "directory.failed": "could not finish writing to {object}: {done} steps done, {failed} failed",
    "directory.passwords_renewed": "made {count} new passwords at {object}",
    "directory.planned": "planned what to write to {object}",
    "directory.stopped": "stopped writing to {object}",
    "disclosure.corrected": "corrected what stood about information handed to {object}",
    "disclosure.entered": "wrote down that information was handed to {object}",
    "duty.chased": "reminded {object} of a deletion that is overdue",
    "duty.confirmed": "confirmed that data about {people} people is deleted",
    "duty.made": "told {object} to delete data about {people} people by {due}",
    "duty.read": "read whose data it must delete",
    "identity.account_closed": "closed the account of {object}",
    "identity.accounts_made": "made {count} accounts for people of the roll",
    "identity.developer_joined": "opened this sandbox for {object}",
    "identity.directory_set": "said whether people of the directory sign in",
    "identity.factors_removed": "took the passkeys and codes of {object} away",
    "identity.idp_refused": "refused a sign-in by the school’s own provider",
    "identity.idp_set": "said which provider signs people of {object} in",
    "identity.idp_stopped": "stopped the school’s own provider: nobody of {object} signs in by it",
    "identity.idp_tried": "tried the school’s own provider",
    "identity.link_sent": "sent a one-time link to a guardian",
    "identity.new_device": "signed in on a device that was new to them: {browser}",
    "identity.not_me": "said that it was not their badge",
    "identity.passkey_added": "added a passkey",
    "identity.passkey_removed": "took a passkey away",
    "identity.password_set": "set the password of {object}",
    "identity.place_chosen": "went on as {role}",
    "identity.recovery_code_refused": "gave a recovery code that does not fit",
    "identity.recovery_code_used": "used a recovery code",
    "identity.recovery_codes_made": "took new recovery codes",
    "identity.renamed": "changed their name",
    "identity.reset_link_made": "made a one-time link for {object}",
    "identity.role_ended": "took the role {role} from {object}",
    "identity.role_given": "gave {object} the role {role}",
    "identity.second_step_put_off": "put off the second step",
    "identity.session_ended": "ended one of their sign-ins",
    "identity.sign_in_directed": "directed how people of the roll sign in",
    "identity.sign_in_failed": "noted a failed sign-in as {object}",
    "identity.signed_in": "signed in",
    "identity.signed_out": "signed out",
    "identity.signed_out_everywhere": "signed out everywhere",
    "identity.troubleshot": "looked at why {object} cannot sign in",
    "learning.line_item_added": "added the work {object} to a class",
    "learning.line_item_changed": "changed the work {object}",
    "learning.line_item_removed": "took the work {object} away, with its results",
    "learning.score_received": "sent a result for {object}",
    "library.added": "added {object} to {klass}",
    "library.put_in": "put {object} into the library",
    "library.set": "set the limits of the library",
    "library.taken_away": "took {object} away from {klass}",
    "library.taken_out": "took {object} out of the library and away from {count} classes",
    "person.changed": "changed the record of {object}",
    "person.entered": "entered {object} by hand",
    "person.merged": "made two records of {object} one",
    "person.merged_undone": "undid a merge for {object}",
    "person.removed": "took {object} off the roll by hand",
    "person.split": "split an id off {object}",
    "person.split_undone": "undid a split for {object}",
    "picture_code.given": "gave a child a picture code",
    "picture_code.refused": "noted a picture code that did not fit",
    "sandbox.day_asked": "let a day pass in {object}",
    "sandbox.new_asked": "made the people of {object} new again",
    "scim.person_named": "gave a person an id of its own",
    "sharing.agreed": "recorded the agreement with {object}",
    "sharing.field_answered": "answered a request of {object}",
    "sharing.field_asked": "asked for one more detail",
    "sharing.maker_named": "named who makes {object}: {maker}",
    "sharing.maker_taken_away": "took away who makes {object}",
    "sharing.rule_changed": "changed what {object} may see",
    "sharing.stopped": "stopped sharing with {object}",
    "sharing.webhook_added": "named an address where {object} is told of events",
    "sharing.webhook_ended": "ended an address where {object} was told of events",
    "sharing.webhook_resent": "sent {object} a message again",
    "sign_on.begun": "opened {object}, signed in",
    "sign_on.cleared": "said that nobody signs in to {object} any more",
    "sign_on.ended": "ended a sign-in",
    "sign_on.links_chosen": "took what was chosen there",
    "sign_on.refused": "refused a sign-in to an app ({error})",
    "sign_on.set": "said how people sign in to {object}",
    "sync.applied": "applied the sync {object}",
    "sync.apply_asked": "asked to apply the sync {object}",
    "sync.discarded": "discarded the sync {object}",
    "sync.failed": "could not finish the sync {object}",
    "sync.settings_changed": "changed the limits of syncs",
    "sync.undo_asked": "asked to undo the sync {object}",
    "sync.undone": "undid the sync {object}",
    "sync.uploaded": "brought in the file {object}",
    "tenant.changed": "changed the settings of {object}",
    "tenant.created": "set up {object}",
    "tenant.ended": "ended the account of {object}: {rows} rows are deleted",
    "tenant.exported": "handed everything held of {object} to the school",
}  # fmt: skip


@dataclass(frozen=True)
class Narrow:
    """What the record is narrowed to. person, school: ids. who: a part of a name. kind: of KINDS.

    since, until: days, both within.
    """

    person: int | None = None
    who: str = ""
    kind: str = ""
    since: date | None = None
    until: date | None = None
    school: int | None = None


@dataclass(frozen=True)
class Event:
    """One line of the record. about: ids of people to name (at most two); count: how many people in all."""

    id: int
    at: datetime
    kind: str
    who: str
    does: str
    count: int = 0
    about: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    purpose: str = ""
    place: str = ""
    reason: str = ""
    href: str = ""
    names: tuple[str, ...] = ()
    unnamed: tuple[str, str] = ("", "")  # who and does, where a page may name nobody of the roster

    @property
    def whom(self) -> str:
        """The people it is about, in words."""
        if self.names and len(self.names) == self.count:
            return " and ".join(self.names)
        return f"{self.count:,} {'person' if self.count == 1 else 'people'}" if self.count else "nobody"

    @property
    def sentence(self) -> str:
        """ "Ms Larkspur looked at Juno Fernweh’s email", "Numberyard received first name of 100 people"."""
        if self.kind in ("did", "asked"):
            return f"{self.who} {self.does}"
        details = list(self.columns)
        shown = _listed([*details[:4], f"{len(details) - 4} more"] if len(details) > 5 else details)
        shown = shown[:1].lower() + shown[1:] if shown else "place on the roll"
        if self.count == len(self.names) == 1:
            return f"{self.who} {self.does} {self.whom}’s {shown}"
        return f"{self.who} {self.does} {shown} of {self.whom}"


def _listed(words: list[str]) -> str:
    words = [w if n == 0 else w[:1].lower() + w[1:] for n, w in enumerate(words)]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def record(access: Access, narrow: Narrow, before: int | None = None) -> Iterator[Event]:
    """The record, newest first, a batch at a time. before: only ids below this one. Names are not filled in."""
    members = people_at(access, narrow.school) if narrow.school else None
    feeds = []
    if narrow.kind not in ("did", "asked"):
        feeds.append(_disclosures(access, narrow, before, members))
    if narrow.kind in ("", "did", "asked"):
        feeds.append(_audits(access, narrow, before, members))
    yield from heapq.merge(*feeds, key=lambda event: -event.id)


def page_of(
    access: Access, narrow: Narrow, before: int | None = None, limit: int = PAGE
) -> tuple[list[Event], int | None]:
    """One page with names, and the id to go on before."""
    found = list(islice(record(access, narrow, before), limit + 1))
    return named(access, found[:limit]), found[limit - 1].id if len(found) > limit else None


def named(access: Access, events: list[Event]) -> list[Event]:
    """The same events with the names of the people they are about, as far as the role may see names."""
    wanted = {i for event in events for i in event.about}
    if not wanted:
        return events
    rows = access.select(apps.get_model("roster", "Person")).filter(id__any=sorted(wanted))
    names = {
        i: f"{given} {family}".strip()
        for i, given, family in rows.values_list("id", "given_name", "family_name")
    }
    return [replace(e, names=tuple(names[i] for i in e.about if names.get(i))) for e in events]


def _batches(rows: Any, before: int | None) -> Iterator[Any]:
    """Rows by falling id. Each batch is a query of its own, so that a long download holds no transaction open."""
    while True:
        found = list((rows.filter(id__lt=before) if before else rows).order_by("-id")[:BATCH])
        yield from found
        if len(found) < BATCH:
            return
        before = found[-1]["id"]


def _timed(rows: Any, narrow: Narrow) -> Any:
    if narrow.since:
        rows = rows.filter(at__gte=datetime.combine(narrow.since, time(), UTC))
    if narrow.until:
        rows = rows.filter(at__lt=datetime.combine(narrow.until + timedelta(days=1), time(), UTC))
    return rows


def _disclosures(
    access: Access, narrow: Narrow, before: int | None, members: set[int] | None
) -> Iterator[Event]:
    rows = _timed(access.select(Disclosure), narrow)
    if narrow.kind == "look":
        rows = rows.exclude(recipient_kind__in=list(RECIPIENTS))  # pupils and guardians look too
    elif narrow.kind:
        rows = rows.filter(recipient_kind__in=[r for r, kind in RECIPIENTS.items() if kind == narrow.kind])
    if narrow.who:
        rows = rows.filter(recipient__icontains=narrow.who)
    same = one_and_the_same(access, narrow.person) if narrow.person else frozenset()
    if same:
        rows = rows.filter(held(same))
    columns = [
        "id",
        "at",
        "recipient_kind",
        "recipient",
        "purpose",
        "door",
        "columns",
        "people_count",
        "first_id",
        "last_id",
        "reason",
    ]
    exact = narrow.person is not None or members is not None
    purposes = access.bundle.purposes
    for row in _batches(rows.values(*columns, *(["people"] if exact else [])), before):
        count, about = row["people_count"], (row["first_id"], row["last_id"])[: row["people_count"]]
        if exact:
            people = set(idset.unpack(bytes(row["people"])))
            if same and same.isdisjoint(people):
                continue
            if members is not None:
                mine = sorted(people & members)
                if not mine:
                    continue
                count, about = len(mine), tuple(mine[:2])
        kind = RECIPIENTS.get(row["recipient_kind"], "look")
        yield Event(
            row["id"], row["at"], kind, row["recipient"], DOES[kind], count, about if count <= 2 else (),
            tuple(columns_in_words(row["columns"])),
            str(purposes.get(row["purpose"], {}).get("title") or ground_title(row["purpose"])),
            door_name(row["door"]), row["reason"], "/disclosures" if kind == "handed" else "",
        )  # fmt: skip


def _audits(access: Access, narrow: Narrow, before: int | None, members: set[int] | None) -> Iterator[Event]:
    rows = _timed(access.select(Audit), narrow)
    if narrow.who:
        rows = rows.filter(actor__icontains=narrow.who)
    if narrow.kind:
        rows = rows.filter(verb__in=ASKED) if narrow.kind == "asked" else rows.exclude(verb__in=ASKED)
    if narrow.person:
        same = one_and_the_same(access, narrow.person)
        rows = rows.filter(object_kind="person", object_id__any=sorted(same))
    if members is not None:
        rows = rows.filter(object_kind="person")
    slugs = dict(access.select(App).values_list("id", "slug"))
    for row in _batches(
        rows.values(
            "id", "at", "actor_kind", "actor", "verb", "object_kind", "object_id", "object", "details"
        ),
        before,
    ):
        if members is not None and row["object_id"] not in members:
            continue
        yield Event(
            row["id"], row["at"], "asked" if row["verb"] in ASKED else "did", row["actor"], _did(row),
            reason=_why(row["details"]), href=_href(row, slugs), count=1 if row["object_kind"] == "person" else 0,
            unnamed=(
                OF_THE_ROLL.get(row["actor_kind"], ""),
                _did({**row, "object": "one person"}) if row["object_kind"] == "person" else "",
            ),
        )  # fmt: skip


class _Details(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


def _did(row: Any) -> str:
    words = VERBS.get(row["verb"])
    if words is None:
        verb = row["verb"].replace(".", ": ").replace("_", " ")
        return f"did “{verb}”{' to ' + row['object'] if row['object'] else ''}"
    details = {**row["details"], "object": row["object"]}
    details["role"] = ROLE_TITLES.get(str(details.get("role")), details.get("role"))
    return words.format_map(_Details(details))


def _why(details: Any) -> str:
    return str(details.get("because") or details.get("reason") or "") if isinstance(details, dict) else ""


def _href(row: Any, slugs: dict[int, str]) -> str:
    kind, number = row["object_kind"], row["object_id"]
    if kind == "app" and number in slugs:
        return f"/apps/{slugs[number]}"
    return (
        f"/{'sync' if kind == 'sync' else 'people'}/{number}" if kind in ("sync", "person") and number else ""
    )


# ---- Narrowing to a person or a school.


def person_called(access: Access, person: int) -> str:
    """The name of one person of the tenant. Raises NotFound."""
    rows = access.select(apps.get_model("roster", "Person")).filter(id=person)
    for given, family in rows.values_list("given_name", "family_name"):
        return f"{given} {family}".strip()
    raise NotFound("There is no such person.")


def schools(access: Access) -> list[tuple[int, str]]:
    """(id, name) of the tenant's orgs."""
    rows = access.select(apps.get_model("roster", "Org")).filter(status="active")
    return list(rows.order_by("name", "id").values_list("id", "name"))


def people_at(access: Access, org: int) -> set[int]:
    """Ids of everybody who has or had a role at an org or below it. Raises NotFound for another tenant's."""
    rows = access.select(apps.get_model("roster", "Org"))
    level = set(rows.filter(id=org).values_list("id", flat=True))
    if not level:
        raise NotFound("There is no such school.")
    orgs: set[int] = set()
    while level - orgs:
        orgs |= level
        level = set(rows.filter(parent_id__any=sorted(level)).values_list("id", flat=True))
    roles = access.select(apps.get_model("roster", "Role")).filter(org_id__any=sorted(orgs))
    return set(roles.order_by().values_list("person_id", flat=True).distinct())


# ---- Home.


def gaps(access: Access, limit: int = 6) -> tuple[list[Gap], int]:
    """Questions that nobody has decided, the latest first, and how many there are."""
    rows = access.select(Gap)
    return list(rows.order_by("-last_at")[:limit]), rows.count()


@dataclass(frozen=True)
class Taught:
    """A class on its teacher's home page."""

    id: int
    title: str
    grades: str
    pupils: int


def classes_of(access: Access) -> list[Taught]:
    """The classes that the access reaches, by title, with how many pupils are in each."""
    rows = access.select(apps.get_model("roster", "Class")).filter(status="active")
    places = access.select(apps.get_model("roster", "Enrollment")).filter(status="active", role="student")
    counts = dict(places.order_by().values_list("klass_id").annotate(n=Count("person_id", distinct=True)))
    return [
        Taught(i, title, grades, counts.get(i, 0))
        for i, title, grades in rows.order_by("title", "id").values_list("id", "title", "grades")[:200]
    ]


def without_names(events: Iterable[Event]) -> list[Event]:
    """Events for a page that names nobody of the roster, neither whom they are about nor which child signed in."""
    return [replace(e, who=e.unnamed[0] or e.who, does=e.unnamed[1] or e.does) for e in events]

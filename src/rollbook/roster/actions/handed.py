"""Write down what people of the school handed to somebody outside: before it leaves, with its ground, for good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.db import transaction

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound, Refused
from rollbook.kernel.ids import new_id
from rollbook.policy import Access, HandedOver, audit, disclose_by_hand, unguarded
from rollbook.roster.queries.handed import details_offered, present
from rollbook.roster.rules.handed import GROUNDS, evidence_in_words

MOST_PEOPLE = 1000  # of one entry: who wants more wants a school's export, which has a door of its own
LONGEST = 2000
AHEAD = timedelta(days=31)  # an entry is written before the release, but not long before


@dataclass(frozen=True)
class Entry:
    """What is written down. columns: "roster_person.email", ... people: ids of the roster.

    told: whether the people were told; None when nobody has said. corrects: the entry that this one puts right, or 0.
    """

    recipient: str = ""
    ground: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)
    columns: Sequence[str] = ()
    people: Sequence[int] = ()
    released_on: date | None = None
    approved_by: str = ""
    told: bool | None = None
    why_not_told: str = ""
    corrects: int = 0
    why_corrected: str = ""


def hand_over(access: Access, entry: Entry) -> int:
    """Write an entry into the register and the disclosure log. Returns the register's id; nothing can change it after.

    Only for a role to which the policy opens the record. Raises Refused for others and for what the policy forbids;
    Invalid when the ground is not of the list, or its evidence is missing; NotFound for people who are not the actor's.
    """
    may = access.bundle.decide(access.actor.role, access.purpose, "record.disclosure")
    if not may.allowed:
        raise Refused("You cannot enter what was handed over.", may.because, may.answer)
    evidence = _checked(access, entry)
    here = present(access, entry.people)
    if here != set(entry.people):
        raise NotFound("There is no such person.")
    number, moment = new_id(), clock.now()
    reason = evidence_in_words(entry.ground, evidence)
    reason += f" Approved by {entry.approved_by.strip()}."
    if entry.corrects:
        reason += f" Corrects an earlier entry: {entry.why_corrected.strip()}"
    with transaction.atomic(), unguarded("what was handed over is written down", tenant=access.tenant):
        if entry.corrects:
            _still_stands(access, entry.corrects)
        disclosure = disclose_by_hand(
            access, entry.recipient.strip(), number, entry.ground, ",".join(sorted(set(entry.columns))), entry.people, reason
        )  # fmt: skip
        HandedOver.objects.create(
            id=number, tenant_id=access.tenant, disclosure_id=disclosure, corrects=entry.corrects,
            why_corrected=entry.why_corrected.strip(), at=moment, released_on=entry.released_on, ground=entry.ground,
            evidence=evidence, told=entry.told, why_not_told="" if entry.told else entry.why_not_told.strip(),
            approved_by=entry.approved_by.strip(), entered_by=access.actor.name, entered_by_id=access.actor.id,
        )  # fmt: skip
        verb = "disclosure.corrected" if entry.corrects else "disclosure.entered"
        audit(
            access.tenant, access.actor, verb, "handed", number, entry.recipient.strip(), ground=entry.ground
        )
    return number


def _still_stands(access: Access, number: int) -> None:
    """Raises NotFound for an entry that is not there, Invalid for one that was corrected already."""
    mine = HandedOver.objects.filter(tenant_id=access.tenant)
    if not mine.filter(id=number).exists():
        raise NotFound("There is no such entry.")
    if mine.filter(corrects=number).exists():
        raise Invalid("This entry was corrected already.", "Correct the later one.", "why_corrected")


def _checked(access: Access, entry: Entry) -> dict[str, str]:
    """The evidence, trimmed. Raises Invalid or Refused naming the first thing that is missing or wrong."""
    never = access.bundle.data["never"]
    if entry.ground in never["purposes"]:
        raise Refused("Nothing is handed over for that.", never["because"])
    ground = GROUNDS.get(entry.ground)
    if ground is None:
        raise Invalid(
            "Choose the ground on which it is handed over.",
            f"It is one of: {'; '.join(g.title.lower() for g in GROUNDS.values())}. On no other may it leave.",
            "ground",
        )
    given = {name: " ".join(entry.evidence.get(name, "").split())[:LONGEST] for name in ground.evidence}
    for name, asked in ground.evidence.items():
        if not given[name]:
            raise Invalid(
                f"Evidence is missing: {asked[:1].lower() + asked[1:]}.",
                f"“{ground.title}” needs it, before anything is handed over.",
                name,
            )
    for name, what in (("recipient", "Who receives it?"), ("approved_by", "Who approved it?")):
        if not getattr(entry, name).strip():
            raise Invalid(what, "Name the person or the body.", name)
    if not entry.columns:
        raise Invalid("Which details?", "Choose each that is handed over.", "columns")
    unknown = set(entry.columns) - details_offered(access)
    if unknown:
        raise Invalid(
            f"{sorted(unknown)[0]} is no detail that you may see.", "Choose from the list.", "columns"
        )
    if not entry.people:
        raise Invalid("About whom?", "Choose each person from the roster.", "q")
    if len(entry.people) > MOST_PEOPLE:
        raise Invalid(f"One entry names at most {MOST_PEOPLE:,} people.", "Write several.", "q")
    if entry.released_on is None or entry.released_on > clock.today() + AHEAD:
        raise Invalid(
            "When is it handed over?", "A day in the past, or within the next 31 days.", "released_on"
        )
    if entry.told is None:
        raise Invalid("Were the people told?", "Say yes, or no and why not.", "told")
    if not entry.told and not entry.why_not_told.strip():
        raise Invalid(
            "Say why the people were not told.", "An order may forbid it, for example.", "why_not_told"
        )
    if entry.corrects and not entry.why_corrected.strip():
        raise Invalid(
            "Say what was wrong.", "The earlier entry stays; this says why there is another.", "why_corrected"
        )
    return given

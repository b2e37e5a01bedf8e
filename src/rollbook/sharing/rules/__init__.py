"""What can be shared, how a rule is written, and the ids that an app knows people by. Pure: no database, no clock."""

from __future__ import annotations

import struct
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from rollbook.kernel.errors import Invalid


@dataclass(frozen=True)
class Field:
    """One OneRoster field that carries personal data.

    name: "collection.field". title: as a parent says it. group: where it stands on the page. columns: the columns
    it is made of, "app.Model.attribute". example: for a made-up pupil. structural: OneRoster cannot do without it.
    sent: the app sends it here, and gets back only what it sent itself.
    """

    name: str
    title: str
    group: str
    columns: tuple[str, ...]
    example: Any
    structural: bool = False
    sent: bool = False


WHO, SCHOOL, FAMILY, CONTACT, BIRTH, SENSITIVE = (
    "Who the child is", "School life", "Family", "How to reach them", "Birth", "Sensitive",
)  # fmt: skip
RESULTS = "results.score"  # names the field that lets an app send results
GROUPS = (WHO, SCHOOL, FAMILY, CONTACT, BIRTH, SENSITIVE)


def _person(name: str, title: str, group: str, column: str, example: Any) -> Field:
    return Field(f"users.{name}", title, group, (f"roster.Person.{column}",), example)


def _birth(name: str, title: str, group: str, column: str, example: Any) -> Field:
    return Field(f"demographics.{name}", title, group, (f"roster.Demographics.{column}",), example)


def _ethnicity(name: str, title: str, column: str) -> Field:
    return Field(f"demographics.{name}", title, SENSITIVE, (f"roster.Ethnicity.{column}",), "false")


_ALL = (
    _person("givenName", "First name", WHO, "given_name", "Juno"),
    _person("familyName", "Last name", WHO, "family_name", "Fernweh"),
    _person("familyInitial", "First letter of the last name", WHO, "family_initial", "F"),
    _person("middleName", "Middle name", WHO, "middle_name", "Wren"),
    _person("preferredFirstName", "Preferred first name", WHO, "preferred_first_name", "Juju"),
    _person("preferredMiddleName", "Preferred middle name", WHO, "preferred_middle_name", ""),
    _person("preferredLastName", "Preferred last name", WHO, "preferred_last_name", ""),
    _person("pronouns", "Pronouns", WHO, "pronouns", "she/her"),
    _person("username", "User name", WHO, "username", "jfernweh"),
    _person("userIds", "Codes in other systems", WHO, "user_ids", [{"type": "LDAP", "identifier": "jfernweh"}]),
    _person("userMasterIdentifier", "Master code", WHO, "user_master_identifier", "00417"),
    _person("identifier", "Pupil number", WHO, "identifier", "P-00417"),
    _person("metadata", "Other details from the school’s system", WHO, "metadata", {"house": "Otter"}),
    Field("users.roles", "Role at school", SCHOOL, ("roster.Role.role", "roster.Role.begin_date", "roster.Role.end_date"),
          "student", structural=True),
    _person("grades", "School year", SCHOOL, "grades", ["02"]),
    Field("enrollments.role", "Classes", SCHOOL, ("roster.Enrollment.role",), "student", structural=True),
    Field("enrollments.primary", "Main class", SCHOOL, ("roster.Enrollment.primary",), "true"),
    Field("enrollments.beginDate", "Joined the class", SCHOOL, ("roster.Enrollment.begin_date",), "2026-09-01"),
    Field("enrollments.endDate", "Left the class", SCHOOL, ("roster.Enrollment.end_date",), "2027-07-23"),
    Field("enrollments.metadata", "Other details of the class place", SCHOOL, ("roster.Enrollment.metadata",), {}),
    Field(RESULTS, "Results that it sends back", SCHOOL, tuple(f"learning.Result.{c}" for c in (
              "score", "score_maximum", "score_status", "score_date", "comment", "activity_progress", "grading_progress")),
          "7 of 10", sent=True),
    Field("users.agents", "Who looks after them", FAMILY, ("roster.Guardianship.relationship",), "parent"),
    _person("email", "Email", CONTACT, "email", "juno@hollowell.example"),
    _person("sms", "Mobile number", CONTACT, "sms", "07700 900417"),
    _person("phone", "Phone number", CONTACT, "phone", "07700 900418"),
    _birth("birthDate", "Date of birth", BIRTH, "birth_date", "2019-04-27"),
    _birth("sex", "Sex", BIRTH, "sex", "female"),
    _birth("countryOfBirthCode", "Country of birth", BIRTH, "country_of_birth_code", "GB"),
    _birth("stateOfBirthAbbreviation", "State of birth", BIRTH, "state_of_birth_abbreviation", ""),
    _birth("cityOfBirth", "Place of birth", BIRTH, "city_of_birth", "Hollowell"),
    _birth("publicSchoolResidenceStatus", "Residence status", BIRTH, "public_school_residence_status", ""),
    _ethnicity("americanIndianOrAlaskaNative", "American Indian or Alaska Native", "american_indian_or_alaska_native"),
    _ethnicity("asian", "Asian", "asian"),
    _ethnicity("blackOrAfricanAmerican", "Black or African American", "black_or_african_american"),
    _ethnicity("nativeHawaiianOrOtherPacificIslander", "Native Hawaiian or other Pacific Islander",
               "native_hawaiian_or_other_pacific_islander"),
    _ethnicity("white", "White", "white"),
    _ethnicity("demographicRaceTwoOrMoreRaces", "Two or more races", "demographic_race_two_or_more_races"),
    _ethnicity("hispanicOrLatinoEthnicity", "Hispanic or Latino", "hispanic_or_latino_ethnicity"),
)  # fmt: skip
FIELDS: dict[str, Field] = {f.name: f for f in _ALL}
STRUCTURAL = frozenset(f.name for f in _ALL if f.structural)
# What is sent under a field's own name where the rule shares no more than this: made here, never cut from the whole.
STANDS_IN = {"users.familyName": "users.familyInitial"}
STRUCTURAL_REASON = "OneRoster cannot name a person without it"


def sent_as(name: str, fields: Set[str]) -> str:
    """The field that fills this one's place in an answer: itself, or what stands in for it."""
    instead = STANDS_IN.get(name, name)
    return instead if name not in fields and instead in fields else name


def covered(name: str, fields: Set[str]) -> bool:
    """Whether a fuller field among these says what this one would."""
    return any(part == name and whole in fields for whole, part in STANDS_IN.items())


@dataclass(frozen=True)
class People:
    """Whom a rule names. Each list that is not empty narrows; a rule with none names everyone."""

    orgs: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    grades: tuple[str, ...] = ()
    courses: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def everyone(self) -> bool:
        return not (self.orgs or self.roles or self.grades or self.courses or self.classes)

    def data(self) -> Any:
        """As it is written in a rule."""
        return "all" if self.everyone else {k: list(getattr(self, k)) for k in LISTS if getattr(self, k)}


LISTS = ("orgs", "roles", "grades", "courses", "classes")


def together(rules: Iterable[People]) -> list[People]:
    """The same people in fewer rules: those that differ in nothing but their classes become one that names all."""
    found: dict[tuple[People, bool], set[str]] = {}
    for rule in rules:
        found.setdefault((replace(rule, classes=()), bool(rule.classes)), set()).update(rule.classes)
    return [replace(rule, classes=tuple(sorted(classes))) for (rule, _), classes in found.items()]


@dataclass(frozen=True)
class Rule:
    """A sharing rule as read: people, and field -> the reason a parent reads. `all_fields` keeps "all" live."""

    people: People
    fields: Mapping[str, str]
    all_fields: bool = False


def parse_rule(data: Any, common_reason: str = "") -> Rule:
    """Read `{"people": "all" | {...}, "fields": "all" | ["users.givenName", {"field":, "reason":}, ...]}`.

    common_reason: stands in for a missing reason (the agreement's purpose). Raises Invalid that names the part.
    """
    if not isinstance(data, dict):
        raise Invalid(
            "A rule is an object with `people` and `fields`.",
            'The smallest is {"people": "all", "fields": "all"}.',
        )
    unknown = sorted(set(data) - {"people", "fields"})
    if unknown:
        raise Invalid(f"A rule has no part {unknown[0]!r}.", "It has `people` and `fields`.", unknown[0])
    for part in ("people", "fields"):
        if part not in data:
            raise Invalid(
                f"The rule does not say which {part}.", f'Write "{part}": "all", or name them.', part
            )
    return Rule(_people(data["people"]), *_fields(data["fields"], common_reason))


def _people(data: Any) -> People:
    if data == "all":
        return People()
    if not isinstance(data, dict) or not data:
        raise Invalid(
            "`people` is neither “all” nor lists to narrow by.", f"Lists are {', '.join(LISTS)}.", "people"
        )
    lists: dict[str, tuple[str, ...]] = {}
    for key, values in data.items():
        if key not in LISTS:
            raise Invalid(
                f"People cannot be chosen by {key!r}.", f"Choose by {', '.join(LISTS)}.", f"people.{key}"
            )
        if not isinstance(values, list) or not values or not all(isinstance(v, str) and v for v in values):
            raise Invalid(
                f"people.{key} must be a list of texts with at least one in it.",
                "An empty list names nobody.",
                f"people.{key}",
            )
        lists[key] = tuple(sorted(set(values)))
    return People(**lists)


def _fields(data: Any, common_reason: str) -> tuple[dict[str, str], bool]:
    if data == "all":
        return {}, True
    if not isinstance(data, list):
        raise Invalid(
            "`fields` is neither “all” nor a list.", 'Write "all", or ["users.givenName", ...].', "fields"
        )
    found: dict[str, str] = {}
    for item in data:
        name, reason = (item.get("field"), item.get("reason", "")) if isinstance(item, dict) else (item, "")
        if name not in FIELDS:
            near = [f for f in FIELDS if f.split(".")[1].lower() == str(name).split(".")[-1].lower()]
            raise Invalid(
                f"There is no field {name!r}.",
                f"Did you mean {near[0]}?" if near else f"Fields are {', '.join(FIELDS)}.",
                "fields",
            )
        reason = str(reason).strip() or common_reason
        if not reason:
            raise Invalid(
                f"{name} has no reason.",
                "Write one that a parent can read, up to 80 characters.",
                f"fields.{name}",
            )
        if len(reason) > 200:
            raise Invalid(
                f"The reason for {name} is {len(reason)} characters long.",
                "Say it in at most 200.",
                f"fields.{name}",
            )
        found[name] = reason
    return found, False


# ---- Pairwise ids. One AES block holds what kind of row it is and which; the key is the app's own. Nothing is stored,
# two apps' ids for one child have nothing in common, and a made-up id does not open (48 bits must match).

_VERSION = 1
_PARTS = struct.Struct("8s4s4s4s12s")  # of the 32 digits of a UUID


@lru_cache(maxsize=64)
def _tag(kind: str) -> bytes:
    return bytes([_VERSION]) + sha256(kind.encode()).digest()[:7]


_sealing = threading.local()  # a cipher is of one thread


def _encryptor(key: bytes) -> Any:
    """The cipher of a key, kept: to make one costs more than to seal a page. Whole blocks leave nothing in it."""
    kept: OrderedDict[bytes, Any] = _sealing.__dict__.setdefault("kept", OrderedDict())
    found = kept.get(key)
    if found is None:
        found = kept[key] = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305  # single unique blocks: a permutation of ids
        if len(kept) > 64:
            kept.popitem(last=False)
    return found


def seal(key: bytes, kind: str, ids: Sequence[int]) -> list[str]:
    """The ids an app knows these rows by. key: 16 bytes. kind: person, class, ..."""
    tag = _tag(kind)
    plain = b"".join([tag + i.to_bytes(8, "big") for i in ids])
    text = _encryptor(key).update(plain).hex().encode()
    return b",".join(map(b"-".join, _PARTS.iter_unpack(text))).decode().split(",") if ids else []


def unseal(key: bytes, kind: str, text: str) -> int | None:
    """The row's id, or None when the text is not an id of this kind that this app was given."""
    try:
        block = uuid.UUID(text).bytes
    except ValueError:
        return None
    if len(text) != 36:
        return None
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()  # noqa: S305  # one block, as sealed
    plain = decryptor.update(block) + decryptor.finalize()
    return int.from_bytes(plain[8:], "big") if plain[:8] == _tag(kind) else None


SCIM_SCOPE = "scim"  # of the long-lived token that a directory writes and reads accounts with


# ---- Short pairwise ids, of 24 hex digits as Clever's are. No block cipher is 96 bits wide, so AES turns one half by
# the other, ten times over (a Feistel network, as in NIST SP 800-38G). Worked on many ids at once: each half stands in
# a lane of 16 bytes of one long number.

_ROUNDS = 10
_HALF = (1 << 48) - 1


def _lanes(count: int, value: int) -> int:
    return int.from_bytes(value.to_bytes(16, "big") * count, "big")


def _scramble(key: bytes, values: Sequence[int], rounds: Sequence[int]) -> list[int]:
    """Each of these 96-bit numbers, turned by these rounds; the rounds backwards turn it back."""
    count, turn = len(values), Cipher(algorithms.AES(key), modes.ECB()).encryptor().update  # noqa: S305  # of distinct blocks
    left = int.from_bytes(b"".join((v >> 48).to_bytes(16, "big") for v in values), "big")
    right = int.from_bytes(b"".join((v & _HALF).to_bytes(16, "big") for v in values), "big")
    low = _lanes(count, _HALF)
    for n in rounds:
        # Begins with another byte than the blocks of `seal`, so that the two never turn the same block.
        block = _lanes(count, (2 << 120) | (n << 112)) | right
        turned = int.from_bytes(turn(block.to_bytes(16 * count, "big")), "big") & low
        left, right = right, left ^ turned
    lefts, rights = left.to_bytes(16 * count, "big"), right.to_bytes(16 * count, "big")
    # Swapped once more: so the way back is the same way.
    return [
        int.from_bytes(rights[i + 10 : i + 16] + lefts[i + 10 : i + 16], "big")
        for i in range(0, 16 * count, 16)
    ]


_THERE, _BACK = range(_ROUNDS), range(_ROUNDS - 1, -1, -1)


def seal_number(key: bytes, values: Sequence[int]) -> list[str]:
    """Numbers of at most 96 bits as 24 hex digits each, which only this key turns back."""
    return [f"{v:024x}" for v in _scramble(key, values, _THERE)] if values else []


def unseal_number(key: bytes, text: str) -> int | None:
    """The number behind 24 hex digits; None for another text. Any such digits give some number: check it."""
    if len(text) != 24 or not set(text) <= set("0123456789abcdef"):
        return None
    return _scramble(key, [int(text, 16)], _BACK)[0]


def _short_tag(kind: str) -> int:
    return int.from_bytes(sha256(b"short:" + kind.encode()).digest()[:4], "big")


def seal_short(key: bytes, kind: str, ids: Sequence[int]) -> list[str]:
    """The ids of 24 hex digits that an app knows these rows by, through the doors that write ids so."""
    tag = _short_tag(kind) << 64
    return seal_number(key, [tag | i for i in ids])


def unseal_short(key: bytes, kind: str, text: str) -> int | None:
    """The row's id, or None when the text is not an id of this kind that this app was given."""
    found = unseal_number(key, text)
    return None if found is None or found >> 64 != _short_tag(kind) else found & ((1 << 64) - 1)

"""Accounts in the school's directories: how people are called there and where they stand. Pure.

A *record* is what we keep at a destination, as JSON: of a user, a group or an org unit. Two equal records mean that
nothing needs to be written. Keys that are not the destination's business: `base` (the name before its number), `left`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rollbook.kernel.errors import Invalid

Record = dict[str, Any]
Key = tuple[str, str]  # (kind: unit | user | group, key)

ROLE_ORDER = (
    "districtAdministrator", "systemAdministrator", "siteAdministrator", "principal", "counselor", "teacher", "aide",
    "proctor", "student", "guardian", "parent", "relative",
)  # fmt: skip
GROUPS = ("school", "grade", "class", "role")
PEOPLE, LEFT, ARCHIVE, GROUP_UNIT = "People", "Disabled", "Archived", "Groups"
TOKENS = {
    "given": "users.givenName", "family": "users.familyName", "g": "users.givenName", "f": "users.familyName",
    "username": "users.username", "code": "users.identifier", "email": "users.email", "school": "", "grade": "users.grades",
    "role": "", "n": "",
}  # fmt: skip
_TOKEN = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True)
class Settings:
    """How a directory is kept.

    username, email, display: patterns; {n} is the number that makes a name unique. email: "" for none. groups: which
    groups are made. units: org units below People, a pattern each, for a destination that has them. rename: a new name
    at school changes the user name. passwords: a new account gets a random one. archive_days, delete_days: so long
    after an account was disabled it is archived, and deleted (None: never).
    """

    username: str = "{given}.{family}{n}"
    email: str = ""
    display: str = "{given} {family}"
    groups: tuple[str, ...] = GROUPS
    units: tuple[str, ...] = ("{school}", "{role}")
    rename: bool = True
    passwords: bool = True
    archive_days: int = 30
    delete_days: int | None = None
    length: int = 64

    def needs(self) -> dict[str, str]:
        """The fields of a sharing rule that the patterns need: field -> the token that needs it."""
        texts = [self.username, self.email, self.display, *self.units]
        tokens = {t for text in texts for t in _TOKEN.findall(text)}
        if "grade" in self.groups:
            tokens.add("grade")
        return {TOKENS[t]: t for t in sorted(tokens) if TOKENS[t]}


def parse_settings(data: Any) -> Settings:
    """Read a directory's settings from JSON. Raises Invalid that names the part."""
    if not isinstance(data, dict):
        raise Invalid(
            "The settings are not an object.", 'Write {"username": "{given}.{family}{n}"}.', "settings"
        )
    known = Settings.__dataclass_fields__
    for name, value in data.items():
        if name not in known:
            raise Invalid(f"There is no setting {name!r}.", f"Settings are {', '.join(known)}.", name)
        if name in ("groups", "units"):
            if not isinstance(value, list | tuple) or not all(isinstance(v, str) and v for v in value):
                raise Invalid(f"{name} is not a list of texts.", "An empty list means none.", name)
        elif name in ("rename", "passwords"):
            if not isinstance(value, bool):
                raise Invalid(f"{name} is neither true nor false.", "", name)
        elif name in ("archive_days", "delete_days", "length"):
            if (value is None and name != "delete_days") or (
                value is not None and not (isinstance(value, int) and 0 < value < 10_000)
            ):
                raise Invalid(
                    f"{name} is not a number of {'letters' if name == 'length' else 'days'}.", "", name
                )
        elif not isinstance(value, str):
            raise Invalid(f"{name} is not a text.", "", name)
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    made = Settings(**values)
    unknown = [g for g in made.groups if g not in GROUPS]
    if unknown:
        raise Invalid(
            f"Groups cannot be made by {unknown[0]!r}.", f"They are made by {', '.join(GROUPS)}.", "groups"
        )
    for name, text in (
        ("username", made.username),
        ("email", made.email),
        ("display", made.display),
        *(("units", u) for u in made.units),
    ):
        for token in _TOKEN.findall(text):
            if token not in TOKENS:
                raise Invalid(f"{name} cannot use {{{token}}}.", f"Write {{{'}, {'.join(TOKENS)}}}.", name)
    if not _TOKEN.search(made.username):
        raise Invalid("Everybody would have the same user name.", "Write {given}.{family}{n}.", "username")
    return made


# ---- Letters. What NFKD does not take apart stands here; what no table knows is left out.

_LETTERS = {
    "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i", "ħ": "h", "ŋ": "ng",
    "ə": "a", "ŧ": "t", "’": "", "'": "", "ʻ": "",
    **dict(zip("абвгдезиклмнопрстуфхцыэ", "a b v g d e z i k l m n o p r s t u f kh ts y e".split(), strict=True)),
    "ж": "zh", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ь": "", "ю": "yu", "я": "ya", "і": "i", "є": "ye", "ґ": "g",
    **dict(zip("αβγδεζηθικλμνξοπρσςτυφχψω",
               "a v g d e z i th i k l m n x o p r s s t y f ch ps o".split(), strict=True)),
    **dict(zip("ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
               "a b t th j h kh d dh r z s sh s d t z a gh f q k l m n h w y".split(), strict=True)),
    "ء": "", "ة": "a", "ى": "a", "ؤ": "w", "ئ": "y", "پ": "p", "چ": "ch", "ژ": "zh", "گ": "g", "ک": "k", "ی": "y",
    **dict(zip("אבגדהוזחטיכךלמםנןסעפףצץקרשת",
               "a b g d h v z h t y k k l m m n n s a p p ts ts k r sh t".split(), strict=True)),
}  # fmt: skip


def ascii_of(text: str) -> str:
    """A name in small plain letters and digits: Zoë O’Brien-Łuk -> zoeobrienluk."""
    out = []
    for char in unicodedata.normalize("NFKD", text.lower()):
        char = _LETTERS.get(char, char)
        out.append("".join(c for c in char if c.isascii() and c.isalnum()))
    return "".join(out)


def password(words: Sequence[int]) -> str:
    """A first password that a child can type, from random numbers (at least seven): tavo-riku-mesa-4821."""
    sounds = ["bdfghjklmnprstvz"[n % 16] + "aeiou"[n // 16 % 5] for n in words[:6]]
    return f"{sounds[0]}{sounds[1]}-{sounds[2]}{sounds[3]}-{sounds[4]}{sounds[5]}-{words[6] % 10_000:04}"


# ---- People, as the rule shares them, and what they come to.


@dataclass
class Facts:
    """What the sharing rule gives of one person. Texts that it does not give are empty."""

    id: int
    external_id: str
    given: str = ""
    family: str = ""
    username: str = ""
    email: str = ""
    code: str = ""
    grades: tuple[str, ...] = ()
    roles: list[tuple[str, int]] = field(default_factory=list)  # (role, org)
    classes: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """A name to be found: its text before the number, and how the number goes into it."""

    base: str
    before: str
    after: str

    def with_number(self, number: str, length: int = 200) -> str:
        return self.before[: max(1, length - len(number) - len(self.after))] + number + self.after


def allot(
    wanted: Mapping[str, Wanted], kept: Mapping[str, tuple[str, str]], taken: Iterable[str], length: int = 200
) -> dict[str, str]:
    """A unique name for each key: the one it has while its base stays, else the first free number.

    kept: key -> (base, name) of those that have one. taken: names that nobody may get, in any case.
    """
    names = {key: kept[key][1] for key, want in wanted.items() if key in kept and kept[key][0] == want.base}
    used = {name.lower() for name in taken} | {name.lower() for _, name in kept.values()}
    next_number: dict[str, int] = {}
    for key in sorted(wanted, key=_by_number):
        if key in names:
            continue
        want = wanted[key]
        number = next_number.get(want.base, 1)
        while (name := want.with_number("" if number == 1 else str(number), length)).lower() in used:
            number += 1
        next_number[want.base] = number + 1
        used.add(name.lower())
        names[key] = name
    return names


def _by_number(key: str) -> tuple[int, str]:
    return (int(key), "") if key.isdigit() else (0, key)


def wanted_username(pattern: str, values: Mapping[str, str], fallback: str) -> Wanted:
    """The user name that a pattern makes of a person, in plain letters. fallback: where nothing is left of it."""
    plain = {token: ascii_of(text) for token, text in values.items()}
    before, _, after = pattern.partition("{n}") if "{n}" in pattern else (pattern, "", "")
    made = [_tidy(_TOKEN.sub(lambda m: plain.get(m[1], ""), part)) for part in (before, after)]
    before, after = made[0].strip(".-_") if not made[1] else made[0].lstrip(".-_"), made[1].rstrip(".-_")
    if not (before + after).strip(".-_"):
        before = fallback
    return Wanted(before + after, before, after)


def _tidy(text: str) -> str:
    kept = re.sub(r"[^a-z0-9._@-]", "", text.lower())
    return re.sub(r"([.\-_])[.\-_]+", r"\1", kept)


def fill(pattern: str, values: Mapping[str, str]) -> str:
    """A pattern for people to read: letters stay as they are."""
    return " ".join(_TOKEN.sub(lambda m: values.get(m[1], ""), pattern).split())


def records(
    people: Sequence[Facts], orgs: Mapping[int, str], classes: Mapping[int, str], settings: Settings,
    kept: Mapping[Key, Record], taken: Iterable[str] = (), by_place: bool = False,
) -> dict[Key, Record]:  # fmt: skip
    """What the destination should hold for these people: users, their groups and, where it has them, org units.

    kept: what it holds now. taken: user names there that are not ours. by_place: it has org units, and groups name
    their members by where they stand.
    """
    values: dict[str, dict[str, str]] = {}
    wanted: dict[str, Wanted] = {}
    for person in people:
        role, org = _main(person)
        said = {
            "given": person.given, "family": person.family, "g": person.given[:1], "f": person.family[:1],
            "username": person.username, "code": person.code, "email": person.email, "school": orgs.get(org, ""),
            "grade": person.grades[0] if person.grades else "", "role": role,
        }  # fmt: skip
        values[str(person.id)] = said
        wanted[str(person.id)] = wanted_username(settings.username, said, ascii_of(role) or "user")
    had = {key: record for (kind, key), record in kept.items() if kind == "user"}
    held = {key: (str(r["base"]), str(r["username"])) for key, r in had.items()}
    if not settings.rename:
        held = {k: (wanted[k].base if k in wanted else base, name) for k, (base, name) in held.items()}
    names = allot(wanted, held, taken, settings.length)
    made: dict[Key, Record] = {}
    for person in people:
        key = str(person.id)
        base = wanted[key].base if settings.rename or key not in had else had[key]["base"]
        said = {**values[key], "username": names[key]}
        record = {
            "state": "active", "username": names[key], "base": base, "external": person.external_id,
            "given": person.given, "family": person.family, "display": fill(settings.display, said) or names[key],
            "email": ascii_email(fill(settings.email, said)) if settings.email else "", "role": said["role"],
            "school": said["school"], "grade": said["grade"],
        }  # fmt: skip
        if by_place:
            record["unit"] = [u for u in (fill(pattern, said) for pattern in settings.units) if u]
        made["user", key] = record
    made |= _groups(people, orgs, classes, settings, kept, made, by_place)
    if by_place:
        made |= _units(made)
    return made


def ascii_email(text: str) -> str:
    """An address without what no mail system takes."""
    return re.sub(r"[^a-z0-9._@+-]", "", text.lower())


def _main(person: Facts) -> tuple[str, int]:
    """The role that says most about somebody, and where."""
    order = {role: n for n, role in enumerate(ROLE_ORDER)}
    found = sorted(person.roles, key=lambda r: (order.get(r[0], 99), r[1]))
    return found[0] if found else ("", 0)


def _groups(
    people: Sequence[Facts], orgs: Mapping[int, str], classes: Mapping[int, str], settings: Settings,
    kept: Mapping[Key, Record], users: Mapping[Key, Record], by_place: bool,
) -> dict[Key, Record]:  # fmt: skip
    titles: dict[str, str] = {}
    members: dict[str, list[Any]] = {}

    def put(key: str, title: str, who: Facts) -> None:
        if title:
            titles[key] = title
            ref = member_ref(str(who.id), users["user", str(who.id)], by_place)
            if ref not in members.setdefault(key, [])[-1:]:
                members[key].append(ref)

    for person in sorted(people, key=lambda p: p.id):
        if "school" in settings.groups:
            for org in sorted({org for _, org in person.roles}):
                put(f"school:{org}", orgs.get(org, ""), person)
        if "role" in settings.groups:
            for role in sorted({role for role, _ in person.roles}):
                put(f"role:{role}", f"All {role}s", person)
        if "grade" in settings.groups:
            for grade in dict.fromkeys(person.grades):
                put(f"grade:{grade}", f"Grade {grade}", person)
        if "class" in settings.groups:
            for klass in dict.fromkeys(person.classes):
                put(f"class:{klass}", classes.get(klass, ""), person)
    held = {
        key: (str(r.get("base", "")), str(r["name"])) for (kind, key), r in kept.items() if kind == "group"
    }
    names = allot({key: Wanted(t, f"{t} ", "") for key, t in titles.items()}, held, ())
    return {
        ("group", key): {"name": names[key].strip(), "base": title, "members": sorted(members[key])}
        for key, title in titles.items()
    }


def left_alone(
    made: Mapping[Key, Record], kept: Mapping[Key, Record], people: Iterable[str], by_place: bool
) -> dict[Key, Record]:
    """What the destination should hold where the accounts of these people (keys) stay as they are, groups and all: the
    use of their data is restricted, which is no leaving. Nothing new is written about them."""
    found = dict(made)
    refs = []
    for key in people:
        if ("user", key) in kept and ("user", key) not in made:
            record = found["user", key] = kept["user", key]
            refs.append(member_ref(key, record, by_place))
    for (kind, key), record in kept.items():
        stay = [m for m in record["members"] if m in refs] if kind == "group" else []
        if stay:
            group = found.get((kind, key), {**record, "members": []})
            others = [m for m in group["members"] if m not in stay]
            found[kind, key] = {**group, "members": sorted([*others, *stay])}
    return found | _units(found) if by_place else found


def member_ref(key: str, user: Record, by_place: bool) -> Any:
    """How a group's record names a member: by key, or by where they stand."""
    return [user["username"], *place(user)] if by_place else key


def members_of(kept: Mapping[Key, Record], group: str) -> list[str]:
    """The keys of the accounts in a group, by its name. Raises Invalid when there is none."""
    found = [r for (kind, _), r in kept.items() if kind == "group" and r["name"].lower() == group.lower()]
    if not found:
        names = sorted(r["name"] for (kind, _), r in kept.items() if kind == "group")
        raise Invalid(f"There is no group “{group}”.", f"Groups are {', '.join(names[:40])}.", "group")
    by_name = {r["username"]: key for (kind, key), r in kept.items() if kind == "user"}
    return [by_name[m[0]] if isinstance(m, list) else m for m in found[0]["members"]]


def place(user: Record) -> list[str]:
    """The org units that a user stands in, the outermost first."""
    return {"active": [PEOPLE, *user.get("unit", [])], "disabled": [LEFT], "archived": [ARCHIVE]}[
        user["state"]
    ]


def _units(made: Mapping[Key, Record]) -> dict[Key, Record]:
    paths: set[tuple[str, ...]] = {(name,) for name in (PEOPLE, LEFT, ARCHIVE, GROUP_UNIT)}
    for (kind, _), record in made.items():
        if kind == "user":
            whole = tuple(place(record))
            paths |= {whole[:n] for n in range(1, len(whole) + 1)}
    return {("unit", "\n".join(path)): {"path": list(path)} for path in sorted(paths)}

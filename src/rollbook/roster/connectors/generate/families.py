"""Families of a school: guardians, and children with their classes, leavers and second schools among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from random import Random

from .names import (
    BY_NAME,
    FEMALE,
    LONG_FAMILY,
    LONG_GIVEN,
    MALE,
    MONONYMS,
    PLACES,
    POOL,
    PREFERRED,
    PRONOUNS,
    Culture,
    Name,
    draw_given,
    draw_name,
)
from .rows import Lot, Place, Rows
from .schools import DOMAIN, Plan, School, Trust, Year, grade

_PROGRESS = 5000
"""How many pupils go by between two reports of progress."""
_PUPIL_DOMAIN = f"pupils.{DOMAIN}"
_HOME_HOSTS = ("post.example", "mail.example", "inbox.example", "letterbox.example")
_TOWNS = tuple(place for place in PLACES if " " not in place)
_COUNTRIES = ("IN", "PK", "NG", "PL", "RO", "IE", "UA", "SY", "CN", "GR", "BR", "FR")
_DAYS = tuple((date(2001, 9, 1) + timedelta(days=n)).strftime("%m-%d") for n in range(365))

QUIRKS: tuple[str, ...] = (
    "two_families",
    "three_siblings",
    "mononym",
    "leaver",
    "dual",
    "arabic",
    "cyrillic",
    "greek",
    "han",
    "hangul",
    "devanagari",
    "hebrew",
    "long",
    "same_name",
    "celtic",
    "staff_child",
)
"""The first families of each school, so that even a small bundle holds every case once."""


class Families:
    """Writes families. The share `removed` of them is left out; the share `added` is new.

    The base has a random source for each school and the new ones another, so that the base stays as it is.
    """

    def __init__(
        self,
        rows: Rows,
        trust: Trust,
        seed: int,
        removed: float,
        added: float,
        no_family_name: str,
        progress: Callable[[int, int], None] | None,
        every_case: bool = False,
    ) -> None:
        self._every_case = every_case
        self._rows = rows
        self._trust = trust
        self._calendar = trust.calendar
        self._seed = seed
        self._no_family_name = no_family_name
        self._progress = progress
        self._total = sum(trust.sizes)
        self._done = 0
        self._reported = 0
        self._remove = Lot(removed, Random(f"{seed}:removed families"))
        self._add = Lot(added, Random(f"{seed}:added families"))
        self._added_rng = Random(f"{seed}:added families: who")
        self._last_pupil: tuple[Name, Name, int] | None = None
        self._siblings: set[str] = set()
        self._home = self._families = 0
        # How many pupils of the base each year group has so far: its classes fill evenly.
        self._in_year: Counter[int] = Counter()

    def write_school(self, plan: Plan) -> None:
        """The families of one school, until it has as many pupils as planned."""
        rng = Random(f"{self._seed}:{plan.school.index}:families")
        self._last_pupil = None
        self._in_year.clear()
        self._home = plan.school.index
        made = self._families = 0
        while made < plan.school.size:
            serial = self._families
            quirk = QUIRKS[serial] if serial < len(QUIRKS) else ""
            kept = not self._remove.draw()
            pupils = self._family(rng, plan, f"{serial:06d}", plan.school.size - made, quirk, kept=kept)
            made += pupils
            self._families += 1
            self._done += pupils
            if self._add.draw():
                self._family(self._added_rng, plan, f"n{serial:06d}", 4, "", new=True)
            self._rows.flush()
            if self._progress and self._done - self._reported >= _PROGRESS:
                self._reported = self._done
                self._progress(self._done, self._total)

    def _family(
        self,
        rng: Random,
        plan: Plan,
        serial: str,
        room: int,
        quirk: str,
        *,
        kept: bool = True,
        new: bool = False,
    ) -> int:
        """One family: guardians, and at most `room` children. Returns how many children."""
        draw = rng.random
        culture = BY_NAME.get(quirk) or POOL[int(draw() * len(POOL))]
        family = draw_name(rng, culture.families)
        chance = draw()
        children = 1 if chance < 0.55 else 2 if chance < 0.88 else 3 if chance < 0.98 else 4
        chance = draw()
        # Some families have registered nobody yet: their children have no contact in the file.
        adults = 0 if chance < 0.206 else 1 if chance < 0.869 else 2
        apart = adults == 2 and draw() < 0.35
        if quirk == "two_families":
            children, adults, apart = 2, 2, True
        elif quirk == "three_siblings":
            children, adults = 3, 1
        elif quirk == "long":
            family = LONG_FAMILY
        elif quirk == "same_name" and self._last_pupil:
            children, family = 1, self._last_pupil[1]
        elif quirk in ("mononym", "leaver", "dual", "staff_child"):
            children = 1
        children = min(children, room)
        school = plan.school
        stem = f"{school.index:04d}-{serial}"

        # The children's schools and years come first: a guardian has a role in each of these schools.
        first_year = int(draw() * len(plan.years)) if new else self._families % len(plan.years)
        twins = draw() < 0.04
        homes = [
            (plan, (first_year if twins else first_year + 2 * n) % len(plan.years)) for n in range(children)
        ]
        unlike = self._trust.unlike(school.index) if children > 1 and draw() < 0.12 else None
        if unlike is not None:
            other = self._trust.plan(unlike)
            homes[-1] = (other, int(draw() * len(other.years)))

        begin = f"{self._calendar.start - first_year}-09-01"
        orgs = list(dict.fromkeys(home.school.id for home, _ in homes))
        agents = [f"gdn-{stem}-{n}" for n in range(adults)]
        for n in range(adults):
            self._guardian(
                rng, agents[n], culture, family, n, apart, [(org, begin) for org in orgs], kept, new
            )
        if quirk == "staff_child":
            agents.append(f"stf-{school.index:04d}-0101")
        agent_list = f'"{",".join(agents)}"' if len(agents) > 1 else "".join(agents)
        self._siblings.clear()
        for n, (home, year) in enumerate(homes):
            self._pupil(rng, f"{stem}-{n}", home, year, culture, family, agent_list, quirk, kept, new)
        return children

    def _guardian(
        self,
        rng: Random,
        key: str,
        culture: Culture,
        family: Name,
        nth: int,
        apart: bool,
        orgs: list[tuple[str, str]],
        kept: bool,
        new: bool,
    ) -> None:
        draw = rng.random
        if nth == 1 and (apart or draw() < 0.2):
            if apart and draw() < 0.4:
                culture = POOL[int(draw() * len(POOL))]
            own = family
            while own == family:
                own = draw_name(rng, culture.families)
            family = own
        given = draw_given(rng, culture, (FEMALE, MALE)[nth] if draw() < 0.8 else (MALE, FEMALE)[nth])
        number = self._rows.number("new" if new else "guardian")
        # Two adults in turn take from two halves of the fictional numbers, so that they never share one.
        phone = f"07700 900{int(draw() * 450) + 450 * nth:03d}"
        chance = draw()
        role = "guardian" if chance < 0.55 else "parent" if chance < 0.95 else "relative"
        pronouns = PRONOUNS[int(draw() * 5)] if draw() < 0.02 else ""
        unreachable = draw() < 0.08
        if kept:
            username = f"{given[1]}.{family[1][:20]}{number}"
            email = "" if unreachable else f"{username}@{_HOME_HOSTS[(number + nth) % 4]}"
            places = [Place(org, role, begin, "") for org, begin in orgs]
            self._rows.user(
                key,
                username,
                "",
                given[0],
                family[0],
                "",
                places,
                email=email,
                sms=phone,
                phone=phone,
                pronouns=pronouns,
            )

    def _pupil(
        self,
        rng: Random,
        stem: str,
        plan: Plan,
        year_index: int,
        culture: Culture,
        family: Name,
        agents: str,
        quirk: str,
        kept: bool,
        new: bool,
    ) -> None:
        draw, calendar, school = rng.random, self._calendar, plan.school
        key, sex = f"stu-{stem}", FEMALE if draw() < 0.49 else MALE
        given = LONG_GIVEN if quirk == "long" else draw_given(rng, culture, sex)
        chance = draw()
        if quirk == "same_name" and self._last_pupil:
            given, family, sex = self._last_pupil
        elif quirk == "mononym" or chance < 0.0004:
            given, family = draw_name(rng, MONONYMS), (self._no_family_name, "")
        while given[0] in self._siblings:
            given = draw_given(rng, culture, sex)
        self._siblings.add(given[0])
        if family[1] and not new:
            self._last_pupil = (given, family, sex)
        number = self._rows.number("new" if new else "pupil")
        middle = draw_given(rng, culture, sex)[0] if draw() < 0.3 else ""
        preferred = PREFERRED[int(draw() * len(PREFERRED))] if draw() < 0.06 else ""
        preferred_family = draw_name(rng, culture.families)[0] if draw() < 0.008 else ""
        pronouns = PRONOUNS[sex if draw() < 0.7 else 2 + int(draw() * 3)] if draw() < 0.03 else ""
        year_number, year = school.years[year_index], plan.years[year_index]
        entered = school.years[0]

        chance = draw()
        leaver = quirk == "leaver" or chance < 0.02
        last_year = leaver and quirk != "leaver" and chance < 0.006
        late = not leaver and chance > 0.97
        begin = calendar.late if late else f"{calendar.start - (year_number - entered)}-09-01"
        end = calendar.last_year_end if last_year else calendar.left if leaver else ""
        if last_year:
            begin = f"{calendar.start - 1 - (year_number - entered)}-09-01"
        enabled = not leaver or draw() < 0.3
        places = [Place(school.id, "student", begin, end)]
        second = self._trust.like(school.index) if quirk == "dual" or draw() < 0.005 else None
        if quirk == "dual" and second is None and self._every_case:
            second = self._trust.unlike(school.index)
        dual = self._trust.plan(second) if second is not None and not leaver else None
        if dual:
            places.append(Place(dual.school.id, "student", calendar.late, ""))

        # New pupils and those from another school's family join any class; the others take places in turn.
        if new or school.index != self._home:
            place = int(draw() * 1000)
        else:
            place = self._in_year[year_index]
            self._in_year[year_index] += 1
        classes = [] if last_year else self._classes(rng, year, school.secondary, place)
        extra = self._extra_classes(rng, dual, year_index) if dual else []
        birth = self._birth(draw(), year_number)
        facts = self._facts(rng, school, sex)
        if not kept:
            return
        # A pupil without a family name signs in by the given name alone; the number keeps it unique.
        username = f"{given[1][:1] + family[1][:20] if family[1] else given[1]}{number}"
        self._rows.user(
            key,
            username,
            f'"{{SIS:ADM{number:07d}}},{{Library:L{number:07d}}}"',
            given[0],
            family[0],
            f"ADM{number:07d}",
            places,
            middle=middle,
            email=f"{username}@{_PUPIL_DOMAIN}" if year_number > 2 else "",
            agents=agents,
            grades=grade(year_number),
            preferred=preferred,
            preferred_family=preferred_family,
            pronouns=pronouns,
            enabled=enabled,
            master=f"{{SIS:ADM{number:07d}}}",
        )
        self._rows.demographics(key, birth, facts)
        attended = [(name, school.id) for name in classes] + extra
        self._rows.student(stem, key, attended, calendar.late if late else calendar.begin, end)

    def _classes(self, rng: Random, year: Year, secondary: bool, place: int) -> list[str]:
        """The classes of the pupil who is the `place`th of the year group."""
        draw, trust = rng.random, self._trust
        rounds, form = divmod(place, len(year.forms))
        classes = [year.forms[form]]
        for n, sets in enumerate(year.core):
            # In a secondary school each subject mixes the forms anew; in a primary school the form stays together.
            classes.append(sets[(form + rounds * (n + 1)) % len(sets) if secondary else form])
        if year.options:
            choices = trust.choices[draw() < trust.extra_option]
            for n in choices[int(draw() * len(choices))]:
                sets = year.options[n]
                classes.append(sets[(place + rounds) % len(sets)])
        return classes

    def _extra_classes(self, rng: Random, plan: Plan, year_index: int) -> list[tuple[str, str]]:
        """Two classes (or the form, where there is no other) in a pupil's second school."""
        year = plan.years[min(year_index, len(plan.years) - 1)]
        subjects = (*year.options, *year.core)[:2] or (year.forms,)
        return [(sets[int(rng.random() * len(sets))], plan.school.id) for sets in subjects]

    def _birth(self, chance: float, year_number: int) -> str:
        """A birthday that makes the child of that year group: Reception is the year in which one turns five."""
        day = _DAYS[int(chance * 365)]
        return f"{self._calendar.start - 5 - year_number + (day < '09')}-{day}"

    def _facts(self, rng: Random, school: School, sex: int) -> str:
        """The columns of demographics.csv from `sex` on. One school in four records where families are from."""
        draw = rng.random
        chance = draw()
        shown = "unspecified" if chance < 0.004 else "other" if chance < 0.006 else ("female", "male")[sex]
        if school.index % 4 != 1:
            return f"{shown},,,,,,,,,,,"
        marks = [draw() < 0.02, draw() < 0.15, draw() < 0.1, draw() < 0.01, draw() < 0.75]
        flags = [*marks, sum(marks) > 1, draw() < 0.03]
        abroad = draw() < 0.15
        country = _COUNTRIES[int(draw() * len(_COUNTRIES))] if abroad else "GB"
        city = "" if abroad else _TOWNS[int(draw() * len(_TOWNS))]
        return f"{shown},{','.join('true' if flag else 'false' for flag in flags)},{country},,{city},"

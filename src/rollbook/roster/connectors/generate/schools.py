"""What a trust looks like before anyone is in it: schools, school year, courses and classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from math import ceil, floor
from random import Random

from .bundle import line
from .names import PLACES, SAINTS

CLASS_SIZE = 30
"""A class is split when it would be a sixth part over this; most have 25 to 30 pupils."""
PUPILS_PER_TEACHER = 16
PUPILS_PER_AIDE = 130
MOST_ENROLLMENTS = 14.0

TRUST_ID = "org-trust"
TRUST_NAME = "Quince Tree Learning Trust"
DOMAIN = "quincetree.example"

SUBJECTS: dict[str, str] = {
    "ENG": "English",
    "MAT": "Mathematics",
    "SCI": "Science",
    "HIS": "History",
    "GEO": "Geography",
    "PHY": "Physical Education",
    "REL": "Religious Education",
    "COM": "Computing",
    "LAN": "Languages",
    "PSH": "PSHE and Citizenship",
    "LIB": "Library and Reading",
    "ART": "Art, Craft and Design",
    "MUS": "Music",
    "DRA": "Drama",
    "TEC": "Design and Technology",
    "FOO": "Food and Nutrition",
}
OPTIONS = 5
"""How many of the subjects, from the end of the list, only some pupils of a year take."""


@dataclass(frozen=True)
class Calendar:
    """The dates of one school year, as ISO text; `start` is the calendar year in which it begins.

    left_on: when its leavers left, if that is not to be the usual day.
    """

    start: int
    left_on: str = ""

    @cached_property
    def begin(self) -> str:
        return f"{self.start}-09-01"

    @cached_property
    def late(self) -> str:
        """When those who join after the start of the year do so."""
        return f"{self.start}-10-05"

    @cached_property
    def left(self) -> str:
        """When this year's leavers left: before the autumn half-term."""
        return self.left_on or f"{self.start}-10-16"

    @cached_property
    def moved(self) -> str:
        """When a changed enrollment begins: after the autumn half-term."""
        return f"{self.start}-11-02"

    @cached_property
    def last_year_end(self) -> str:
        return f"{self.start}-07-21"

    @cached_property
    def year_id(self) -> str:
        return f"ses-{self.start}"

    @cached_property
    def terms(self) -> tuple[str, str, str]:
        return (f"{self.year_id}-1", f"{self.year_id}-2", f"{self.year_id}-3")

    def lines(self) -> list[str]:
        """The rows of academicSessions.csv: the year and its three terms."""
        first, second = self.start, self.start + 1
        terms = (
            ("Autumn", f"{first}-09-01", f"{first}-12-18"),
            ("Spring", f"{second}-01-05", f"{second}-03-26"),
            ("Summer", f"{second}-04-12", f"{second}-07-21"),
        )
        title = f"{first}/{second % 100:02d}"
        rows = [
            (self.year_id, "", "", title, "schoolYear", f"{first}-09-01", f"{second}-07-21", "", str(second))
        ]
        rows += [
            (self.terms[n], "", "", f"{name} term {title}", "term", begin, end, self.year_id, str(second))
            for n, (name, begin, end) in enumerate(terms)
        ]
        return [line(row) for row in rows]


def grade(year: int) -> str:
    """The grade code of a year group: `KG` for Reception (year 0), then `01`, `02`..."""
    return "KG" if year == 0 else f"{year:02d}"


def _groups(pupils: float) -> int:
    return max(1, ceil(pupils / CLASS_SIZE - 1 / 6))


def year_name(year: int) -> str:
    return "Reception" if year == 0 else f"Year {year}"


@dataclass(frozen=True)
class School:
    """One school: `years` are its year groups (0 = Reception), `size` how many pupils it is planned for."""

    index: int
    secondary: bool
    size: int
    years: tuple[int, ...]

    @cached_property
    def id(self) -> str:
        return f"org-{self.index:04d}"

    @cached_property
    def name(self) -> str:
        place = PLACES[self.index % len(PLACES)]
        round_ = self.index // len(PLACES)
        saint = SAINTS[round_ % len(SAINTS)]
        number = f" {round_ // len(SAINTS) + 1}" if round_ >= len(SAINTS) else ""
        return f"{saint}{place} {'Academy' if self.secondary else 'Primary School'}{number}"


@dataclass(frozen=True)
class Year:
    """The classes of one year group: `core[subject][set]` and `options[subject][set]` are class ids."""

    forms: tuple[str, ...]
    core: tuple[tuple[str, ...], ...]
    options: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Plan:
    """A school with its classes. The classes of each block are shared out among the teachers, neighbours together."""

    school: School
    years: tuple[Year, ...]
    blocks: tuple[tuple[str, ...], ...]
    teachers: int
    aides: int


class Trust:
    """The schools of one bundle: their sizes, and the classes of each, worked out when asked for.

    Args: `students` pupils to share among `schools`; `per_student` the mean number of classes of a pupil (the homeroom
    is one of them); `seed` decides the sizes.
    """

    def __init__(
        self, students: int, schools: int, per_student: float, seed: int, calendar: Calendar
    ) -> None:
        rng = Random(f"{seed}:sizes")
        self.count = schools
        self.calendar = calendar
        subjects = per_student - 1
        whole = floor(subjects)
        options_whole = min(whole, 2)
        self.core_count = whole - options_whole
        self.extra_option = subjects - whole
        self.option_count = OPTIONS if subjects > 0 else 0
        self._options_mean = options_whole + self.extra_option
        self.choices = tuple(tuple(combinations(range(OPTIONS), options_whole + more)) for more in (0, 1))
        weights = [
            rng.uniform(0.7, 1.3) * (2.5 if self._is_secondary(index) else 1) for index in range(schools)
        ]
        spare, total = students - schools, sum(weights)
        self.sizes = [1 + int(spare * weight / total) for weight in weights]
        for index in range(students - sum(self.sizes)):
            self.sizes[index % schools] += 1
        self.plan = lru_cache(maxsize=8)(self._plan)

    def _is_secondary(self, index: int) -> bool:
        return self.count == 1 or index % 3 == 2 or (self.count == 2 and index == 1)

    def school(self, index: int) -> School:
        secondary, size = self._is_secondary(index), self.sizes[index]
        years = tuple(range(7, 12)) if secondary else tuple(range(7))
        # A school with a handful of pupils has no class of each year and subject.
        return School(index, secondary, size, years[: max(1, min(len(years), size // 20))])

    def like(self, index: int) -> int | None:
        """A school of the same kind nearby, for pupils and teachers who belong to two; None if there is none."""
        steps = (3, -3) if self._is_secondary(index) else (1, -2) if index % 3 == 0 else (-1, 2)
        return next((index + step for step in steps if self._same_kind(index, index + step)), None)

    def _same_kind(self, index: int, other: int) -> bool:
        return 0 <= other < self.count and self._is_secondary(index) == self._is_secondary(other)

    def unlike(self, index: int) -> int | None:
        """A school of the other kind nearby, for an older or younger sibling; None if there is none."""
        near = index // 3 * 3 + 2 if not self._is_secondary(index) else index - 1
        if near >= self.count:
            near = 1 if self.count == 2 else near - 3
        return (
            near if 0 <= near < self.count and self._is_secondary(near) != self._is_secondary(index) else None
        )

    def org_lines(self) -> list[str]:
        """The rows of orgs.csv: the trust, then its schools."""
        rows = [(TRUST_ID, "", "", TRUST_NAME, "district", "TR9001", "")]
        for index in range(self.count):
            school = self.school(index)
            rows.append((school.id, "", "", school.name, "school", f"{900_000 + index}", TRUST_ID))
        return [line(row) for row in rows]

    def _subjects(self) -> list[str]:
        codes = list(SUBJECTS)
        return codes[: self.core_count] + (codes[-OPTIONS:] if self.option_count else [])

    def course_lines(self) -> list[str]:
        """The rows of courses.csv: one for each year group and subject, shared by the schools."""
        kinds = {self._is_secondary(index) for index in range(min(self.count, 3))}
        lines = []
        for year in range(12):
            if (year >= 7) not in kinds:
                continue
            for code in ("REG", *self._subjects()):
                subject, own = SUBJECTS.get(code, ""), code if code in SUBJECTS else ""
                title = f"{year_name(year)} {subject or 'Registration'}"
                row = (f"crs-{year:02d}-{code}", "", "", self.calendar.year_id, title, f"{code}{year:02d}")
                lines.append(line((*row, grade(year), TRUST_ID, subject, own)))
        return lines

    def _plan(self, index: int) -> Plan:
        school = self.school(index)
        in_year = school.size / len(school.years)
        forms = _groups(in_year)
        in_option = in_year * self._options_mean / OPTIONS
        groups = _groups(in_option)
        subjects = self._subjects()
        years = []
        for year in school.years:
            stem = f"cls-{index:04d}-{year:02d}"
            core = subjects[: self.core_count]
            years.append(
                Year(
                    forms=tuple(f"{stem}-REG-{n + 1:02d}" for n in range(forms)),
                    core=tuple(tuple(f"{stem}-{code}-{n + 1:02d}" for n in range(forms)) for code in core),
                    options=tuple(
                        tuple(f"{stem}-{code}-{n + 1:02d}" for n in range(groups))
                        for code in subjects[self.core_count :]
                    ),
                )
            )
        homerooms = [form for year in years for form in year.forms]
        if school.secondary:
            # By subject: neighbours in this order go to one teacher, who then teaches one subject.
            taught = [name for n in range(self.core_count) for year in years for name in year.core[n]]
            taught += [name for n in range(self.option_count) for year in years for name in year.options[n]]
            blocks = [homerooms, taught]
        else:
            # By form: a primary class keeps its teacher for nearly everything.
            classes: list[str] = []
            blocks = [classes]
            for group in years:
                for n, form in enumerate(group.forms):
                    classes += [form, *(sets[n] for sets in group.core)]
                classes += [name for sets in group.options for name in sets]
        return Plan(
            school=school,
            years=tuple(years),
            blocks=tuple(tuple(block) for block in blocks if block),
            teachers=max(2, ceil(school.size / PUPILS_PER_TEACHER)),
            aides=max(1, round(school.size / PUPILS_PER_AIDE)),
        )

    def class_lines(self, plan: Plan) -> list[str]:
        """The rows of classes.csv of one school."""
        all_terms = ",".join(self.calendar.terms)
        lines = []
        for n, name in enumerate(name for block in plan.blocks for name in block):
            _, _, year_text, code, number_text = name.split("-")
            year, number = int(year_text), int(number_text)
            room = f"Room {n % 60 + 1}"
            letter = chr(64 + number) if number <= 26 else f"-{number}"
            label = "R" if year == 0 else str(year)
            if code == "REG":
                lines.append(
                    line(
                        (
                            name,
                            "",
                            "",
                            f"{label}{letter}",
                            grade(year),
                            f"crs-{year_text}-REG",
                            f"{label}{letter}",
                            "homeroom",
                            room,
                            plan.school.id,
                            all_terms,
                            "",
                            "",
                            "1",
                        )
                    )
                )
                continue
            # Art is taught in one term; a list of one term is as usual as a list of three.
            terms = self.calendar.terms[number % 3] if code == "ART" else all_terms
            lines.append(
                line(
                    (
                        name,
                        "",
                        "",
                        f"{label}{letter} {SUBJECTS[code]}",
                        grade(year),
                        f"crs-{year_text}-{code}",
                        f"{label}{letter}/{code}",
                        "scheduled",
                        room,
                        plan.school.id,
                        terms,
                        SUBJECTS[code],
                        code,
                        f"{n % 5 + 2},{n % 3 + 7}" if n % 2 else str(n % 5 + 2),
                    )
                )
            )
        return lines

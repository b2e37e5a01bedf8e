"""The staff of a trust and of its schools, with the classes they teach."""

from __future__ import annotations

from random import Random

from .names import FEMALE, MALE, POOL, PRONOUNS, draw_given, draw_name, draw_phone
from .rows import Lot, Place, Rows
from .schools import DOMAIN, TRUST_ID, Plan, Trust


class Staff:
    """Writes staff. Of the teachers, the share `removed` is left out and the share `added` is new."""

    def __init__(self, rows: Rows, trust: Trust, seed: int, removed: float, added: float) -> None:
        self._rows = rows
        self._trust = trust
        self._calendar = trust.calendar
        self._seed = seed
        self._remove = Lot(removed, Random(f"{seed}:removed teachers"))
        self._add = Lot(added, Random(f"{seed}:added teachers"))
        self._added_rng = Random(f"{seed}:added staff")

    def write_trust(self) -> None:
        """Those who belong to the trust: a district administrator, and one who keeps the systems."""
        rng = Random(f"{self._seed}:trust staff")
        for key, role in (("stf-trust-1", "districtAdministrator"), ("stf-trust-2", "systemAdministrator")):
            self._staff(rng, key, [Place(TRUST_ID, role, f"{self._calendar.start - 3}-09-01", "")])

    def write_school(self, plan: Plan) -> None:
        """Those of one school: principal, office, teachers (some in two schools, some who left) and aides."""
        school, start = plan.school, self._calendar.start
        rng = Random(f"{self._seed}:{school.index}:staff")
        stem = f"stf-{school.index:04d}"
        self._staff(rng, f"{stem}-0001", [Place(school.id, "principal", f"{start - 4}-09-01", "")])
        if school.size >= 200:
            places = [Place(school.id, "siteAdministrator", f"{start - 2}-09-01", "")]
            self._staff(rng, f"{stem}-0002", places)
        teaching = self._teachers(rng, plan, stem)
        for block in plan.blocks:
            for n, name in enumerate(block):
                key, kept = teaching[n * len(teaching) // len(block)]
                if kept:
                    self._rows.teacher(f"{name[4:]}-t", name, school.id, key, primary=True)
                second, kept = teaching[n % len(teaching)]
                if n % 29 == 3 and kept and second != key:
                    self._rows.teacher(f"{name[4:]}-s", name, school.id, second)
        classes = plan.blocks[-1]
        for n in range(plan.aides):
            key = f"{stem}-{n + 9001:04d}"
            self._staff(rng, key, [Place(school.id, "aide", f"{start - 1 - n % 5}-09-01", "")])
            for k in range(min(2, len(classes))):
                # There is no enrollment role for an aide; a proctor is one who is there and does not teach.
                name = classes[(n * 7 + k) % len(classes)]
                self._rows.teacher(f"{key[4:]}-{k}", name, school.id, key, "proctor")

    def _teachers(self, rng: Random, plan: Plan, stem: str) -> list[tuple[str, bool]]:
        """Write a school's teachers. Returns those who have classes, and whether they are in this bundle."""
        school, start = plan.school, self._calendar.start
        near = self._trust.like(school.index)
        teaching = []
        for n in range(plan.teachers):
            key = f"{stem}-{n + 101:04d}"
            # The first teacher is also the parent of a pupil, and stays: the pupil's row points here.
            kept = n == 0 or not self._remove.draw()
            left = n % 31 == 7
            begin = f"{start - 1 - n % 9}-09-01"
            places = [Place(school.id, "teacher", begin, f"{start}-08-31" if left else "")]
            if n == 0:
                places.append(Place(school.id, "parent", begin, ""))
            other = self._trust.plan(near) if n % 23 == 5 and near is not None else None
            if other:
                places.append(Place(other.school.id, "teacher", self._calendar.begin, ""))
            self._staff(rng, key, places, kept=kept, enabled=not left)
            if not left:
                teaching.append((key, kept))
            if other and kept:
                name = other.blocks[-1][n % len(other.blocks[-1])]
                self._rows.teacher(f"{key[4:]}-2", name, other.school.id, key)
            if self._add.draw():
                new = f"{stem}-n{n:04d}"
                places = [Place(school.id, "teacher", self._calendar.begin, "")]
                self._staff(self._added_rng, new, places, new=True)
                name = plan.blocks[-1][n % len(plan.blocks[-1])]
                self._rows.teacher(f"{new[4:]}-1", name, school.id, new)
        return teaching

    def _staff(
        self,
        rng: Random,
        key: str,
        places: list[Place],
        *,
        kept: bool = True,
        enabled: bool = True,
        new: bool = False,
    ) -> None:
        culture = POOL[int(rng.random() * len(POOL))]
        sex = FEMALE if rng.random() < 0.7 else MALE
        given, family = draw_given(rng, culture, sex), draw_name(rng, culture.families)
        number = self._rows.number("new" if new else "staff")
        pronouns = PRONOUNS[sex] if rng.random() < 0.15 else ""
        phone = draw_phone(rng) if rng.random() < 0.5 else ""
        if kept:
            username = f"{given[1][:1]}.{family[1][:20]}.s{number}"
            self._rows.user(
                key,
                username,
                f"{{Payroll:{number + 40_000}}}",
                given[0],
                family[0],
                f"S{number:06d}",
                places,
                email=f"{username}@{DOMAIN}",
                phone=phone,
                pronouns=pronouns,
                enabled=enabled,
            )

"""Rows of people on their way to the files, with the changes that a later bundle shall show."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from .bundle import Bundle
from .schools import DOMAIN, Calendar

_FLUSH = 4000
"""Users kept in memory before they are written."""

_IN_1_1 = {
    "principal": "administrator",
    "districtAdministrator": "administrator",
    "siteAdministrator": "administrator",
    "systemAdministrator": "administrator",
}
"""Roles that OneRoster 1.1 does not know."""


class Lot:
    """Picks a share of the things it is asked about: one, at a random place, in each stretch of 1 / share."""

    def __init__(self, share: float, rng: Random) -> None:
        self.share = share
        self._rng = rng
        self._asked = 0
        self._stretch = 0
        self._next = self._place()
        self.hits = 0

    def _place(self) -> int:
        """The next thing to pick, counted from 0; past everything if the share is zero."""
        if self.share <= 0:
            return -1
        place = int((self._stretch + self._rng.random()) / self.share)
        self._stretch += 1
        return place

    def draw(self) -> bool:
        hit = self._asked == self._next
        self._asked += 1
        if hit:
            self.hits += 1
            self._next = max(self._place(), self._asked)
        return hit


class Place(NamedTuple):
    """What a person is in one org. `end` is empty unless the person has left."""

    org: str
    role: str
    begin: str
    end: str


class Rows:
    """Makes the rows of users, roles, enrollments and demographics, and writes them a few thousand at a time.

    `changed` is the share of the users and of the enrollments that come out different from the base bundle.
    """

    def __init__(self, bundle: Bundle, calendar: Calendar, seed: int, changed: float) -> None:
        self.calendar = calendar
        self._bundle = bundle
        self._is_1_1 = bundle.version == "1.1"
        self._change_user = Lot(changed, Random(f"{seed}:changed users"))
        self._change_enrollment = Lot(changed, Random(f"{seed}:changed enrollments"))
        self._serials = {"pupil": 0, "guardian": 0, "staff": 0, "new": 5_000_000}
        self._users: list[str] = []
        self._roles: list[str] = []
        self._enrollments: list[str] = []
        self._demographics: list[str] = []

    def number(self, kind: str) -> int:
        """The next number of a kind of people: `pupil`, `guardian`, `staff`, or `new` for those added later."""
        self._serials[kind] += 1
        return self._serials[kind]

    def user(
        self,
        key: str,
        username: str,
        user_ids: str,
        given: str,
        family: str,
        identifier: str,
        places: list[Place],
        *,
        middle: str = "",
        email: str = "",
        sms: str = "",
        phone: str = "",
        agents: str = "",
        grades: str = "",
        preferred: str = "",
        preferred_family: str = "",
        pronouns: str = "",
        enabled: bool = True,
        master: str = "",
    ) -> None:
        """Write one user and the roles; the first of `places` is the primary one.

        `user_ids` and `agents` are whole CSV fields, quoted if they hold a comma.
        """
        if self._change_user.share and self._change_user.draw():
            kind = self._change_user.hits % 3
            if kind == 0:
                family = f"{family}-Vale" if family else "Vale"
            elif kind == 1:
                email = f"{username}@moved.{DOMAIN}"
            else:
                # The last hundred of the fictional numbers are kept for changes.
                phone = f"07700 9009{self._change_user.hits % 100:02d}"
        on = "true" if enabled else "false"
        if self._is_1_1:
            orgs = list(dict.fromkeys(place.org for place in places))
            org_list = f'"{",".join(orgs)}"' if len(orgs) > 1 else orgs[0]
            role = _IN_1_1.get(places[0].role, places[0].role)
            self._users.append(
                f"{key},,,{on},{org_list},{role},{username},{user_ids},{given},{family},{middle},{identifier},{email},"
                f"{sms},{phone},{agents},{grades},\r\n"
            )
            return
        self._users.append(
            f"{key},,,{on},{username},{user_ids},{given},{family},{middle},{identifier},{email},{sms},{phone},{agents},"
            f"{grades},,{master},,{preferred},,{preferred_family},{places[0].org},{pronouns}\r\n"
        )
        for n, place in enumerate(places):
            self._roles.append(
                f"rol-{key}-{n},,,{key},{'secondary' if n else 'primary'},{place.role},{place.begin},{place.end},"
                f"{place.org},\r\n"
            )

    def student(self, stem: str, user: str, classes: list[tuple[str, str]], begin: str, end: str) -> None:
        """Write a pupil's enrollments: `classes` are pairs of class and school; `stem` makes the rows' own ids."""
        rows, change = self._enrollments, self._change_enrollment
        for n, (name, org) in enumerate(classes):
            since, until = begin, end
            if change.share and change.draw():
                if end:
                    since = f"{self.calendar.start}-09-08"
                elif change.hits % 2:
                    until = self.calendar.moved
                else:
                    since = self.calendar.moved
            rows.append(f"enr-{stem}-{n:02d},,,{name},{org},{user},student,false,{since},{until}\r\n")

    def teacher(
        self, key: str, name: str, org: str, user: str, role: str = "teacher", primary: bool = False
    ) -> None:
        """Write the enrollment of a member of staff in the class `name`."""
        begin = self.calendar.moved if self._change_enrollment.draw() else self.calendar.begin
        main = "true" if primary else "false"
        self._enrollments.append(f"enr-{key},,,{name},{org},{user},{role},{main},{begin},\r\n")

    def demographics(self, user: str, birth: str, facts: str) -> None:
        """Write one row of demographics.csv; `facts` are the columns from `sex` on."""
        self._demographics.append(f"{user},,,{birth},{facts}\r\n")

    def flush(self, at_least: int = _FLUSH) -> None:
        """Write what has gathered, if it is `at_least` so many users."""
        if len(self._users) < at_least:
            return
        self._bundle.add("users", self._users)
        self._bundle.add("enrollments", self._enrollments)
        self._bundle.add("demographics", self._demographics)
        if not self._is_1_1:
            self._bundle.add("roles", self._roles)
        for rows in (self._users, self._enrollments, self._demographics, self._roles):
            rows.clear()

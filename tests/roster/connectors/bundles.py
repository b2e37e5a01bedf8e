"""Small bundles written inline, and how the tests stage and look at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from rollbook.roster.connectors import stage
from rollbook.roster.rules import Staged

Files = Mapping[str, str | bytes]

MANIFEST = "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\n" + "".join(
    f"file.{name},bulk\n"
    for name in ("orgs", "academicSessions", "courses", "classes", "users", "roles", "enrollments")
)
ONEROSTER: dict[str, str | bytes] = {
    "manifest.csv": MANIFEST,
    "orgs.csv": "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\n"
    "d1,,,North,district,,\ns1,,,Elm,school,9,d1\n",
    "academicSessions.csv": "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear\n"
    "t1,,,Year,schoolYear,2025-09-01,2026-07-20,,2026\n",
    "courses.csv": "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,"
    "subjectCodes\nc1,,,t1,Maths,M,09,s1,Maths,\n",
    "classes.csv": "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,"
    'schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods\nk1,,,9A,09,c1,,scheduled,,s1,t1,,,"1,2"\n',
    "users.csv": "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,"
    "identifier,email,sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,resourceSourcedIds,"
    "preferredGivenName,preferredMiddleName,preferredFamilyName,primaryOrgSourcedId,pronouns\n"
    "ada,,,true,ada,{SIS:1},Ada,Ash,,,ada@example.org,,,cleo,09,,,,,,,s1,she/her\n"
    "ben,,,true,ben,,Ben,Birch,,,,,,,,,,,,,,s1,\n"
    "cleo,,,true,cleo,,Cleo,Ash,,,,,,ada,,,,,,,,s1,\n",
    "roles.csv": "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,"
    "userProfileSourcedId\nr1,,,ada,primary,student,,,s1,\nr2,,,ben,primary,teacher,,,s1,\n"
    "r3,,,cleo,primary,parent,,,s1,\n",
    "enrollments.csv": "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,"
    "beginDate,endDate\ne1,,,k1,s1,ada,student,,,\ne2,,,k1,s1,ben,teacher,true,,\n",
}
SDS_V1: dict[str, str | bytes] = {
    "School.csv": "SIS ID,Name\ns1,Elm\n",
    "Section.csv": "SIS ID,School SIS ID,Section Name\nk1,s1,9A\n",
    "Student.csv": "SIS ID,School SIS ID,Username\nada,s1,ada\n",
    "Teacher.csv": "SIS ID,School SIS ID,Username\nben,s1,ben\n",
    "StudentEnrollment.csv": "Section SIS ID,SIS ID\nk1,ada\n",
    "TeacherRoster.csv": "Section SIS ID,SIS ID\nk1,ben\n",
}
SDS_V2: dict[str, str | bytes] = {
    "orgs.csv": "sourcedId,name,type,parentSourcedId\nd1,North,district,\ns1,Elm,school,d1\n",
    "users.csv": "sourcedId,orgSourcedIds,givenName,familyName,username,password,role,grade\n"
    "ada,s1,Ada,Ash,ada@example.org,pw,Student,9\nben,s1,Ben,Birch,ben@example.org,pw,Professor,\n",
    "classes.csv": "sourcedId,orgSourcedId,title\nk1,s1,9A\n",
    "enrollments.csv": "classSourcedId,userSourcedId,role\nk1,ada,Student\nk1,ben,Professor\n",
}


def write(folder: Path, files: Files) -> Path:
    """Write the files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


@dataclass
class Look:
    """What stands in the staging tables."""

    con: duckdb.DuckDBPyConnection
    staged: Staged

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.con.execute(sql).fetchall()

    def cells(self, kind: str, column: str, order: str = "_row") -> list[Any]:
        """One column of a staging table."""
        return [row[0] for row in self.rows(f"SELECT {column} FROM s_{kind} ORDER BY {order}")]

    def codes(self, file: str | None = None) -> set[str]:
        """The codes of the notices, of one file or of all."""
        return {code for code, name in self.rows("SELECT code, file FROM s_notice") if file in (None, name)}

    def notice(self, code: str) -> tuple[Any, ...]:
        """severity, file, row, column and n of the one notice with this code."""
        found = self.rows(f"SELECT severity, file, row, column_name, n FROM s_notice WHERE code = '{code}'")
        assert len(found) == 1, found
        return found[0]


@contextmanager
def staged(folder: Path, files: Files, **options: Any) -> Iterator[Look]:
    """Stage the files from a folder."""
    con = duckdb.connect()
    try:
        yield Look(con, stage(write(folder, files), con, **options))
    finally:
        con.close()


def without(files: Files, *names: str) -> dict[str, str | bytes]:
    """The files without some of them."""
    return {name: content for name, content in files.items() if name not in names}


def swapped(files: Files, name: str, old: str, new: str) -> dict[str, str | bytes]:
    """The files with a piece of one of them replaced."""
    content = files[name]
    assert isinstance(content, str) and old in content, (name, old)
    return {**files, name: content.replace(old, new)}

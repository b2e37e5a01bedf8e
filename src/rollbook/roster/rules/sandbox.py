"""The awkward cases among a sandbox's pupils, by the codes that the generator gives them in its first school."""

from __future__ import annotations

# The code of a pupil -> the case, and what an app should do about it. The codes follow `families.QUIRKS`.
CASES: dict[str, tuple[str, str]] = {
    "stu-0000-000000-0": (
        "Two families",
        "Two grown-ups who live apart. Do not assume one home or one name.",
    ),
    "stu-0000-000001-0": ("Brothers and sisters", "Three children, the same grown-up."),
    "stu-0000-000002-0": ("No last name", "Last name is empty. Sort and greet by what there is."),
    "stu-0000-000003-0": ("Left yesterday", "The place in class has an end date. Give no new work."),
    "stu-0000-000004-0": ("Two schools", "On the roll of both schools at once. One person, two roles."),
    "stu-0000-000005-0": ("Arabic name", "Written from right to left."),
    "stu-0000-000006-0": ("Cyrillic name", "Search must find it."),
    "stu-0000-000007-0": ("Greek name", "Search must find it."),
    "stu-0000-000008-0": ("Chinese name", "Two or three characters are a whole name."),
    "stu-0000-000009-0": ("Korean name", "Two or three characters are a whole name."),
    "stu-0000-000010-0": ("Hindi name", "Letters join; do not cut in the middle."),
    "stu-0000-000011-0": ("Hebrew name", "Written from right to left."),
    "stu-0000-000012-0": ("A very long name", "It must wrap, not push other things off the page."),
    "stu-0000-000013-0": ("The same name twice", "Somebody else has it too. Tell them apart by the id."),
    "stu-0000-000014-0": (
        "Restricted",
        "The family asked that the data is not used. No app gets this pupil.",
    ),
    "stu-0000-000015-0": ("A teacher’s child", "One grown-up is staff and family at once."),
}
RESTRICTED = "stu-0000-000014-0"
ALONE = ("No grown-up yet", "Nobody of the family is on the roll. The list of grown-ups is empty.")

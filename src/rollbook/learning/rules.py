"""What a line item and a score may say, and what a score comes to. Pure: no database, no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from rollbook.kernel.errors import Invalid

# How far the pupil is, and how far the marking is (LTI AGS 2.0).
ACTIVITY = ("Initialized", "Started", "InProgress", "Submitted", "Completed")
GRADING = ("FullyGraded", "Pending", "PendingManual", "Failed", "NotReady")
HIGHEST = 1e9
LONGEST_TITLE, LONGEST_WORD, LONGEST_COMMENT = 500, 256, 10_000


@dataclass(frozen=True)
class Item:
    """What a source says of a line item. resource_link: the link that opens the work; resource_id, tag: its own words."""

    title: str
    maximum: float
    resource_link: str = ""
    resource_id: str = ""
    tag: str = ""
    begins: datetime | None = None
    due: datetime | None = None
    released: bool = True

    def check(self) -> None:
        """Raise Invalid at the first part that cannot be kept."""
        if not self.title.strip():
            raise Invalid("The line item has no name.", "Say in label what pupils work on.", "label")
        if len(self.title) > LONGEST_TITLE:
            raise Invalid("The label is too long.", f"Use at most {LONGEST_TITLE} characters.", "label")
        for field, text in (("resourceId", self.resource_id), ("tag", self.tag)):
            if len(text) > LONGEST_WORD:
                raise Invalid(f"{field} is too long.", f"Use at most {LONGEST_WORD} characters.", field)
        if not _number(self.maximum) or self.maximum <= 0:
            raise Invalid("scoreMaximum must be above 0.", "Send a number such as 10.", "scoreMaximum")
        if self.begins and self.due and self.due < self.begins:
            raise Invalid("The work ends before it begins.", "Check the two moments.", "endDateTime")


@dataclass(frozen=True)
class Score:
    """What a source says about one pupil's work. given: None where there is no score (any more); of: out of how many."""

    at: datetime
    activity: str
    grading: str
    given: float | None = None
    of: float | None = None
    comment: str = ""

    def check(self) -> None:
        """Raise Invalid at the first part that cannot be kept."""
        if self.activity not in ACTIVITY:
            raise Invalid(
                "activityProgress is not known.", f"It is one of {', '.join(ACTIVITY)}.", "activityProgress"
            )
        if self.grading not in GRADING:
            raise Invalid(
                "gradingProgress is not known.", f"It is one of {', '.join(GRADING)}.", "gradingProgress"
            )
        if self.given is not None and (not _number(self.given) or self.given < 0):
            raise Invalid("scoreGiven must not be below 0.", "Send a number such as 7.5.", "scoreGiven")
        if self.given is not None and self.of is None:
            raise Invalid(
                "scoreGiven says nothing without scoreMaximum.", "Send both, or none.", "scoreMaximum"
            )
        if self.of is not None and (not _number(self.of) or self.of <= 0):
            raise Invalid("scoreMaximum must be above 0.", "Send a number such as 10.", "scoreMaximum")
        if len(self.comment) > LONGEST_COMMENT:
            raise Invalid("The comment is too long.", f"Use at most {LONGEST_COMMENT} characters.", "comment")

    @property
    def status(self) -> str:
        """OneRoster's scoreStatus."""
        if self.grading == "FullyGraded" and self.given is not None:
            return "fully graded"
        if self.grading in ("Pending", "PendingManual") and self.given is not None:
            return "partially graded"
        return "submitted" if self.activity in ("Submitted", "Completed") else "not submitted"


def _number(value: float) -> bool:
    return math.isfinite(value) and value <= HIGHEST


def scaled(given: float, of: float, maximum: float) -> float:
    """A score out of `of` as one out of `maximum`. A score out of the maximum itself stays as it was given."""
    return given if of == maximum else given / of * maximum

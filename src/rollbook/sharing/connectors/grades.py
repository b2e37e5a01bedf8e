"""LTI assignment and grade services (AGS 2.0): its scopes, media types and JSON, both ways."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from rollbook.kernel.errors import Invalid
from rollbook.learning import Item, Score, scaled

_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/"
ITEM, ITEM_READ = f"{_SCOPE}lineitem", f"{_SCOPE}lineitem.readonly"
RESULT_READ, SCORE = f"{_SCOPE}result.readonly", f"{_SCOPE}score"
SCOPES = (ITEM, ITEM_READ, RESULT_READ, SCORE)
_LIS = "application/vnd.ims.lis."
ONE_ITEM, ITEMS = f"{_LIS}v2.lineitem+json", f"{_LIS}v2.lineitemcontainer+json"
RESULTS, ONE_SCORE = f"{_LIS}v2.resultcontainer+json", f"{_LIS}v1.score+json"
LONGEST = 64 * 1024  # bytes of a body


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object. Raises Invalid."""
    if len(body) > LONGEST:
        raise Invalid("The body is too long.", f"Send at most {LONGEST} bytes.")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("The body is not JSON.", "Send one JSON object.") from None
    if not isinstance(found, dict):
        raise Invalid("The body is not a JSON object.", "Send one, not a list or a text.")
    return found


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise Invalid(f"{name} is not a text.", "Send it in quotes.", name)
    return value


def _number(data: dict[str, Any], name: str) -> float | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(f"{name} is not a number.", "Send it without quotes.", name)
    return float(value)


def _moment(data: dict[str, Any], name: str) -> datetime | None:
    text = _text(data, name)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Invalid(
            f"{name} is no moment with a time zone.", "Send such as 2026-11-22T09:30:00.000Z.", name
        )
    return found.astimezone(UTC)


def read_item(data: dict[str, Any], label: str = "") -> Item:
    """A line item. label: what it is called when it does not say (deep linking). Raises Invalid."""
    maximum, released = _number(data, "scoreMaximum"), data.get("gradesReleased", True)
    if maximum is None:
        raise Invalid("scoreMaximum is missing.", "Say out of how many the work is scored.", "scoreMaximum")
    if not isinstance(released, bool):
        raise Invalid("gradesReleased is neither true nor false.", "Send one of them.", "gradesReleased")
    made = Item(
        _text(data, "label") or label, maximum, _text(data, "resourceLinkId"), _text(data, "resourceId"),
        _text(data, "tag"), _moment(data, "startDateTime"), _moment(data, "endDateTime"), released,
    )  # fmt: skip
    made.check()
    return made


def item(url: str, row: Any) -> dict[str, Any]:
    """A line item as AGS writes it. url: its own address, which is its id."""
    found = {
        "id": url, "label": row.title, "scoreMaximum": _plain(row.result_value_max),
        "resourceLinkId": row.resource_link, "resourceId": row.resource_id, "tag": row.tag,
        "startDateTime": _written(row.assign_date), "endDateTime": _written(row.due_date),
    }  # fmt: skip
    made = {name: value for name, value in found.items() if value not in ("", None)}
    return made if row.released else {**made, "gradesReleased": False}


def read_score(data: dict[str, Any], now: datetime) -> tuple[str, Score]:
    """(the pupil's code, what is said of their work). now: a score cannot come from later. Raises Invalid."""
    who, at = _text(data, "userId"), _moment(data, "timestamp")
    if not who:
        raise Invalid("userId is missing.", "Send the code that the launch gave for the pupil.", "userId")
    if at is None:
        raise Invalid("timestamp is missing.", "Say when the score was given, with a time zone.", "timestamp")
    if (at - now).total_seconds() > AHEAD:
        raise Invalid("timestamp lies in the future.", "Check the clock of the app.", "timestamp")
    made = Score(
        at, _text(data, "activityProgress"), _text(data, "gradingProgress"), _number(data, "scoreGiven"),
        _number(data, "scoreMaximum"), _text(data, "comment"),
    )  # fmt: skip
    made.check()
    return who, made


AHEAD = 300  # seconds that an app's clock may be fast; else one wrong clock would shut out every later score


def result(url: str, item_url: str, user: str, row: Any, maximum: float) -> dict[str, Any]:
    """A result as AGS writes it, out of what the line item counts. Only what is fully marked has a score."""
    made: dict[str, Any] = {"id": url, "scoreOf": item_url, "userId": user}
    if row.score is not None and row.score_maximum is not None and row.score_status == "fully graded":
        made["resultScore"] = _plain(scaled(row.score, row.score_maximum, maximum))
        made["resultMaximum"] = _plain(maximum)
    if row.comment:
        made["comment"] = row.comment
    return made


def _plain(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _written(moment: datetime | None) -> str | None:
    return (
        moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None
    )

"""What goes wrong, as OneRoster says it: imsx_StatusInfo with its codes, and never how Rollbook works inside."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from rollbook.kernel.errors import Invalid

STATUS = {
    "invalid_filter_field": 400, "invalid_selection_field": 400, "invaliddata": 400, "unauthorisedrequest": 401,
    "forbidden": 403, "unknownobject": 404, "server_busy": 429, "internal_server_error": 500,
}  # fmt: skip
_CODE_OF = {
    "filter": "invalid_filter_field",
    "sort": "invalid_selection_field",
    "fields": "invalid_selection_field",
}


class Fault(Exception):
    """An answer that is an error. code: a codeMinor of the standard. headers: more headers of the answer."""

    def __init__(
        self, code: str, description: str, headers: Mapping[str, str] | None = None, status: int = 0
    ) -> None:
        self.code, self.description, self.headers = code, description, dict(headers or {})
        self.status = status or STATUS[code]
        super().__init__(description)

    @property
    def body(self) -> bytes:
        return orjson.dumps(
            {
                "imsx_codeMajor": "unsupported" if self.status == 405 else "failure",
                "imsx_severity": "error",
                "imsx_description": self.description,
                "imsx_CodeMinor": {
                    "imsx_codeMinorField": [
                        {"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": self.code}
                    ]
                },
            }
        )


def from_invalid(error: Invalid) -> Fault:
    """The fault for a parameter that cannot be used; `error.field` names the parameter."""
    return Fault(_CODE_OF.get(error.field, "invaliddata"), f"{error.what} {error.mend}".strip())


# Unknown, malformed, another school's, not shared, no such address: one answer, so that none tells of another.
UNKNOWN = Fault("unknownobject", "The school shares nothing with this app at this address.")
WITHHELD = Fault("forbidden", "The school shares nothing with this app now.")

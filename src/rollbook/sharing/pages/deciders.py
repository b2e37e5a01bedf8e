"""Who may look at what is decided about apps, and who decides. A developer does in a sandbox, where nobody is real."""

from __future__ import annotations

from typing import Any

SEES = ("administrator", "dpo", "developer")
DECIDES = ("administrator", "developer")


def may_decide(request: Any) -> bool:
    """Whether whoever asks decides about the apps of their tenant."""
    return request.who.role in DECIDES


def must_decide(request: Any) -> None:
    """Raise Refused for who may only look."""
    if not may_decide(request):
        raise request.who.not_for(DECIDES)

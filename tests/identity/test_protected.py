"""Every page of the school's own data sends whoever is not signed in to sign in, and shows nothing."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.cast import Cast

# Open to everybody, each for its reason: the ways in, and health. Doors have keys of their own; makers of apps sign in
# at theirs.
OPEN = {
    "healthz", "readyz", "metrics", "userinfo", "sign-in", "sign-in/passkey", "second-step", "sign-out", "badge", "picture",
    "finish",
}  # fmt: skip
DOORS = (
    ".well-known/",
    "ims/",
    "v2.0/",
    "v3.0/",
    "v3.1/",
    "oauth/",
    "lti/",
    "scim/",
    "sharing/v1/",
    "developers",
)


def addresses(patterns: list[URLPattern | URLResolver], before: str = "") -> list[str]:
    """Every address without a part to fill in."""
    found = []
    for p in patterns:
        path = before + str(p.pattern)
        found += addresses(p.url_patterns, path) if isinstance(p, URLResolver) else [path]
    return [f for f in found if "<" not in f and "(" not in f]


@pytest.mark.commitment("ALEF-11.11")
def test_a_protected_page_asks_to_sign_in(cast: Cast) -> None:
    every = addresses(get_resolver().url_patterns)
    pages = [a for a in every if a and a not in OPEN and not a.startswith(DOORS)]
    assert {
        "people",
        "classes",
        "apps",
        "apps/new",
        "library",
        "audit",
        "sync",
        "staff",
        "family",
        "books",
        "me",
    } <= set(pages)
    for path in pages:
        answer = Client().get(f"/{path}")
        if answer.status_code == 405:  # the address of a form
            answer = Client().post(f"/{path}")
        assert answer.status_code == 302, (path, answer.status_code)
        assert answer["Location"].startswith("/sign-in"), path
        assert b"Riverstone" not in answer.content

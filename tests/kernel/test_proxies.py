"""Whose request it is: what the nearest trusted proxy says; without one, who is connected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.kernel.proxies import came_by_https, client_address, trusted_proxies

HOME, FORGED, OUTER, INNER = "203.0.113.9", "198.51.100.1", "192.0.2.7", "10.0.0.3"


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ("", INNER, HOME, INNER),
        ("0", INNER, HOME, INNER),
        ("1", INNER, HOME, HOME),
        ("1", INNER, f"{FORGED}, {HOME}", HOME),
        ("2", INNER, f"{FORGED}, {HOME}, {OUTER}", HOME),
        ("2", INNER, HOME, INNER),
        ("1", INNER, "unknown", INNER),
        ("1", INNER, "", INNER),
        ("10.0.0.0/8", INNER, HOME, HOME),
        ("10.0.0.0/8", INNER, f"{FORGED}, {HOME}", HOME),
        ("10.0.0.0/8,192.0.2.7", INNER, f"{FORGED}, {HOME}, {OUTER}", HOME),
        ("10.0.0.0/8", HOME, FORGED, HOME),
        ("10.0.0.0/8", INNER, f"nonsense, {INNER}", INNER),
        ("10.0.0.0/8", INNER, f"{HOME}:51234", HOME),
        ("10.0.0.0/8", f"::ffff:{INNER}", "[2001:db8::9]:443", "2001:db8::9"),
        ("1", "", HOME, HOME),
    ],
)
def test_an_address_is_believed_as_far_as_trusted_proxies_wrote_it(
    trusted: str, peer: str, forwarded: str, client: str
) -> None:
    assert client_address(peer, forwarded, trusted_proxies(trusted)) == client


@given(st.lists(st.text(max_size=20), max_size=5))
def test_whatever_a_client_writes_before_the_proxies_changes_nothing(forged: list[str]) -> None:
    header = ",".join([*(f.replace(",", "") for f in forged), HOME])
    for trusted in ("1", "10.0.0.0/8"):
        assert client_address(INNER, header, trusted_proxies(trusted)) == HOME


@pytest.mark.parametrize("text", ["yes", "-1", "10.0.0.0/33", "10.0.0.1/8", "proxy.example", "1000"])
def test_a_setting_that_cannot_be_read_says_so(text: str) -> None:
    with pytest.raises(ValueError, match="ROLLBOOK_TRUSTED_PROXIES must be"):
        trusted_proxies(text)


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "said", "https"),
    [
        ("", INNER, HOME, "https", False),
        ("1", INNER, HOME, "https", True),
        ("1", INNER, HOME, "http", False),
        ("1", INNER, HOME, "https, http", False),
        ("1", INNER, HOME, "http, HTTPS", True),
        ("1", INNER, "", "https", False),
        ("2", INNER, HOME, "https", False),
        ("10.0.0.0/8", INNER, HOME, "https", True),
        ("10.0.0.0/8", INNER, "", "https", True),
        ("10.0.0.0/8", HOME, FORGED, "https", False),
        ("10.0.0.0/8", INNER, HOME, "", False),
    ],
)
def test_an_encrypted_line_is_believed_of_trusted_proxies_alone(
    trusted: str, peer: str, forwarded: str, said: str, https: bool
) -> None:
    assert came_by_https(peer, forwarded, said, trusted_proxies(trusted)) is https

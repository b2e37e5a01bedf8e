"""Doors for machines: alive, ready, measured; the policy in force, byte for byte what its hash says."""

from __future__ import annotations

import hashlib

from django.test import Client

from rollbook.policy import bundle_for
from tests.cast import Cast


def test_alive_and_ready_with_the_policy_in_force(cast: Cast, client: Client) -> None:
    assert client.get("/healthz").content == b"ok\n"
    assert client.get("/readyz").json() == {
        "ready": True,
        "policies": {"default": bundle_for("default").hash},
    }


def test_the_published_policy_is_what_its_hash_says(cast: Cast, client: Client) -> None:
    answer = client.get("/.well-known/rollbook-policy.json")
    assert hashlib.sha256(answer.content).hexdigest() == bundle_for("default").hash


def test_metrics_hold_no_name(cast: Cast, client: Client) -> None:
    client.get("/people")
    text = client.get("/metrics").content.decode()
    assert "rollbook_requests_total" in text
    assert not {"Ada", "Riverstone", "sevenhills"} & set(text.replace('"', " ").split())

"""The bundles in force: each profile compiled once in a process, recorded in the database when it first takes effect."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from functools import lru_cache

from rollbook.kernel import clock
from rollbook.policy import compiler, gate, words
from rollbook.policy.compiler import Bundle
from rollbook.policy.gate.tables import check_tables
from rollbook.policy.models import BundleRecord


@lru_cache(maxsize=32)
def bundle_for(profile: str) -> Bundle:
    """The compiled policy of a profile. Raises PolicyError when it does not compile, ImproperlyConfigured when a
    column or a table does not say what it is."""
    check_tables()
    reaches = frozenset(gate.relationships())
    return compiler.compile_bundle(compiler.read_profile(profile), words.inventory(), reaches)


def profiles() -> list[str]:
    """Names of the profiles that the policies folder holds."""
    return sorted(p.name for p in compiler.policies_dir().iterdir() if (p / "policy.toml").is_file())


def all_bundles() -> list[Bundle]:
    """Every profile's bundle, for what must hold for all of them (database grants)."""
    return [bundle_for(profile) for profile in profiles()]


def record(bundle: Bundle) -> None:
    """Keep the bundle's text, so that a hash in any record can be read years later."""
    BundleRecord.objects.get_or_create(
        hash=bundle.hash,
        defaults={
            "profile": bundle.profile,
            "text": bundle.text,
            "effective_from": date.fromisoformat(bundle.effective_from),
            "recorded_at": clock.now(),
        },
    )


def bundle_recorded(bundle: Bundle) -> bool:
    """Whether this very bundle is on record: if not, it is new here and the second wall must follow it."""
    return bool(BundleRecord.objects.filter(hash=bundle.hash).exists())


def compile_text(source: str) -> Bundle:
    """Compile the text of a policy.toml that is not in the policies folder."""
    return compiler.compile_bundle(source, words.inventory(), frozenset(gate.relationships()))


def from_text(text: str) -> Bundle:
    """A bundle from its canonical JSON. Raises PolicyError if the text is not canonical."""
    bundle = Bundle(text, hashlib.sha256(text.encode()).hexdigest())
    if json.dumps(bundle.data, ensure_ascii=False, sort_keys=True, separators=(",", ":")) != text:
        raise compiler.PolicyError(
            ["This is not a bundle that `rollbook policy build` wrote: its JSON is not canonical."]
        )
    return bundle


def recorded(prefix: str) -> Bundle | None:
    """The bundle in force at some time whose hash begins with `prefix`."""
    found = BundleRecord.objects.filter(hash__startswith=prefix).order_by("-recorded_at").first()
    return Bundle(found.text, found.hash) if found else None

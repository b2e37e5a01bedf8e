"""Every rule of policy.toml and every word beside a column, made wrong in each way that matters: some check sees it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.apps import apps

from rollbook.policy import Access, Bundle, Guarded, PolicyError, words
from rollbook.policy.bundles import compile_text
from tests.policy.oracle import POLICY, Oracle, World
from tests.policy.oracle import words as recorded
from tests.policy.test_differential import access_of

TEXT = POLICY.read_text(encoding="utf-8")
DATA = tomllib.loads(TEXT)
Rules = list[dict[str, Any]]


def written(rules: Rules) -> str:
    """policy.toml with these rules instead of its own."""
    head, rest = TEXT.split("[[rule]]", 1)
    tail = rest[rest.index("[residency]") :]
    made = "".join(
        "[[rule]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in rule.items()) for rule in rules
    )
    return head + made + tail


def expanded() -> Rules:
    """The rules with each category named, so that one can be taken out."""

    def each(patterns: list[str]) -> list[str]:
        return sorted(
            {
                c
                for c in DATA["categories"]
                for p in patterns
                if c == p or (p.endswith(".*") and c.startswith(p[:-1]))
            }
        )

    return [{**rule, "allow": each(rule["allow"]), "refuse": each(rule["refuse"])} for rule in DATA["rule"]]


def mutants() -> Iterator[tuple[str, Rules]]:
    rules = expanded()
    for n, rule in enumerate(rules):
        name = f"{rule['role']} {rule['purpose']}"

        def but(n: int = n, rule: dict[str, Any] = rule, **changed: Any) -> Rules:
            return [*rules[:n], {**rule, **changed}, *rules[n + 1 :]]

        yield f"{name}: the rule is gone", [*rules[:n], *rules[n + 1 :]]
        for c in rule["allow"]:
            yield f"{name}: no longer allows {c}", but(allow=[x for x in rule["allow"] if x != c])
        for c in rule["refuse"]:
            yield f"{name}: no longer refuses {c}", but(refuse=[x for x in rule["refuse"] if x != c])
        for c in set(DATA["categories"]) - set(rule["allow"]):
            yield (
                f"{name}: allows {c}",
                but(allow=[*rule["allow"], c], refuse=[x for x in rule["refuse"] if x != c]),
            )


def compiled(rules: Rules) -> Bundle | None:
    try:
        return compile_text(written(rules))
    except PolicyError:
        return None


def seen_by_the_oracle(oracle: Oracle, bundle: Bundle) -> bool:
    cases = {(r, p) for r, p in {*bundle.rules, *((r["role"], r["purpose"]) for r in DATA["rule"])}}
    return any(
        bundle.decide(role, purpose, category or None).answer != oracle.decide(role, purpose, category)
        for role, purpose in cases
        for category in ["", *DATA["categories"]]
    )


def test_every_mutant_of_what_a_rule_allows_and_refuses_is_caught() -> None:
    oracle = Oracle(TEXT)
    right = compiled(expanded())
    assert right is not None
    assert not seen_by_the_oracle(oracle, right)
    survivors, tried = [], 0
    for name, rules in mutants():
        tried += 1
        bundle = compiled(rules)
        if bundle is not None and not seen_by_the_oracle(oracle, bundle):
            survivors.append(name)
    assert survivors == []
    assert tried > 150


REACHES = ("tenant", "teaches", "org", "shared")


@pytest.mark.parametrize("rule", DATA["rule"], ids=lambda r: f"{r['role']} {r['purpose']}")
def test_every_mutant_of_whom_a_rule_reaches_is_caught(
    db: None, rule: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As the owner: the second wall was made from the right policy, and would hide the mistake.
    monkeypatch.setattr("rollbook.policy.gate.access.role_name", lambda role: "none")
    world, oracle = World(7), Oracle(TEXT)
    models = {m._meta.label: m for m in apps.get_models() if issubclass(m, Guarded)}
    actors = [w for w in world.actors if w.role == rule["role"]]
    for reach in REACHES:
        rules = [{**r, "reach": reach} if r == rule else r for r in DATA["rule"]]
        bundle = compiled(rules)
        assert bundle is not None
        caught = False
        for who in actors:
            right = oracle.rows(who, rule["purpose"], world)
            was = access_of(who, rule["purpose"])
            access = Access(was.actor, was.purpose, was.tenant, bundle)
            for label, ids in right.items():
                got = (
                    set(access.select(models[label]).values_list("id", flat=True))
                    if access.decide(models[label]).allowed
                    else set()
                )
                caught = caught or got != ids
            if caught:
                break
        assert caught is (reach != rule["reach"]), reach


def test_every_mutant_of_a_word_is_caught() -> None:
    """A column whose category, or whose person, changes is not what inventory.txt records: both must be changed."""

    def lines(inventory: Any) -> dict[str, dict[str, str]]:
        return {
            table: {
                c: f"{w.category} about {w.about}" if w.category else f"({w.because})"
                for c, w in columns.items()
            }
            for table, columns in inventory.items()
        }

    right = words.inventory()
    assert lines(right) == recorded(), "a word changed: say so in tests/policy/inventory.txt too"
    tried = 0
    for table, columns in right.items():
        for column, word in columns.items():
            changes = [
                replace(
                    word,
                    category="identity.name" if word.category != "identity.name" else "special.need",
                    because=None,
                )
            ]
            if word.category:
                changes += [
                    words.Word(None, because=words.BOOKKEEPING),
                    replace(word, about="id" if word.about != "id" else "tenant_id"),
                ]
            for changed in changes:
                tried += 1
                mutant = {**right, table: {**columns, column: changed}}
                assert lines(mutant) != recorded(), (table, column, changed)
    assert tried > 500


def test_every_mutant_of_a_restriction_is_caught(db: None) -> None:
    """The restriction of one person is lifted in the world: the oracle and the gate part ways."""
    world, oracle = World(7), Oracle(TEXT)
    models = {m._meta.label: m for m in apps.get_models() if issubclass(m, Guarded)}
    hidden = [r for rows in world.rows.values() for r in rows if r.restricted]
    assert hidden
    for row in hidden:
        row.restricted.clear()
    differs = False
    for who in world.actors:
        for purpose in ("teaching", "leadership", "learning-app"):
            access = access_of(who, purpose)
            for label, ids in oracle.rows(who, purpose, world).items():
                if access.decide(models[label]).allowed:
                    differs = differs or set(access.select(models[label]).values_list("id", flat=True)) != ids
    assert differs

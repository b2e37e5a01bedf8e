"""The compiler finds every kind of mistake at once, and the hash stands for everything that was decided."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollbook.policy import PolicyError, bundle_for, diff, words
from rollbook.policy.compiler import compile_bundle
from rollbook.policy.gate import relationships
from tests.policy.oracle import POLICY

TEXT = POLICY.read_text(encoding="utf-8")
REACHES = frozenset(relationships())


def compiled(text: str, inventory: dict | None = None):
    return compile_bundle(text, inventory or words.inventory(), REACHES)


MISTAKES = {
    "not toml": ("[purposes.teaching]", "[purposes.teaching", "is not TOML"),
    "no profile": ('profile = "default"', "", "`profile` is missing"),
    "no version": ('version = "1"', "", "`version` is missing"),
    "no date": ("effective_from = 2026-11-01", "", "`effective_from` is missing"),
    "misspelt part": ("[never]", "[nevver]", "`nevver` is not a part of a policy"),
    "unknown category": ('[categories."contact.email"]', '[categories."contact.mail"]', "Columns hold “contact.email”"),
    "unused category": (
        '[categories."contact.email"]',
        '[categories."contact.mail"]',
        "“contact.mail” is in policy.toml, but no column",
    ),
    "no kind": ('kind = "secret"', 'kind = "hidden"', "“account.secret” needs `kind`"),
    "no apps": ('apps = "may"', 'apps = "perhaps"', "“identity.name” needs `apps`"),
    "no title": ('title = "Names"', 'title = ""', "“identity.name” needs a `title`"),
    "no retention": ('retention = "left + 6 months"', 'retention = ""', "“identity.name” promises no time"),
    "no source": ('source = ["sync", "hand", "scim"]', "", "“identity.name” does not say where it comes from"),
    "unknown source": ('source = ["sync", "hand", "scim"]', 'source = ["gossip"]', "comes from “gossip”, which is no source"),
    "no number": (
        'retention = "left + 6 months"',
        'retention = "left + some months"',
        "“identity.name” promises no time",
    ),
    "secret to apps": (
        'kind = "secret"\napps = "never"',
        'kind = "secret"\napps = "named"',
        "is secret, so `apps` must be",
    ),
    "no basis": (
        'title = "Teach the class"\nbasis = "public task"',
        'title = "Teach the class"',
        "“teaching” has no lawful `basis`",
    ),
    "no purpose title": ('title = "Teach the class"', 'title = ""', "“teaching” needs a `title`"),
    "no never": ('because = "Data about pupils', 'since = "Data about pupils', "`[never]` must list"),
    "never without advertising": ('["advertising", "marketing"', '["marketing"', "must list “advertising”"),
    "never without sale": ('"sale", ', "", "must list “sale”"),
    "a purpose that is never": ('purposes = ["advertising"', 'purposes = ["teaching"', "“teaching” is under `[never]`"),
    "twice": (
        'role = "dpo"\npurpose = "protection"',
        'role = "administrator"\npurpose = "administration"',
        "one role has one rule",
    ),
    "no reach": ('reach = "teaches"', "", "has no `reach`"),
    "no because": ('because = "A head leads the people of their own school."', "", "has no `because`"),
    "unknown purpose": ('purpose = "leadership"', 'purpose = "leading"', "the policy has no purpose “leading”"),
    "unknown reach": ('reach = "teaches"', 'reach = "befriends"', "nobody registered a relationship “befriends”"),
    "unknown pattern": (
        '"family.*", "demographics.birth"]',
        '"family.*", "demographics.shoes"]',
        "“demographics.shoes”, which is no category",
    ),
    "allows and refuses": (
        'refuse = ["special.*", "attainment.*"]',
        'refuse = ["special.*", "identity.name"]',
        "both allows and refuses “identity.name”",
    ),
    "apps never": (
        '"special.ethnicity"]\nrefuse = ["special.need", ',
        '"special.ethnicity", "special.need"]\nrefuse = [',
        "which apps never get",
    ),
    "no residency": ('default = ["same"]', "", "`[residency]` needs a `default`"),
}  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found(right: str, wrong: str, said: str) -> None:
    assert right in TEXT
    with pytest.raises(PolicyError) as error:
        compiled(TEXT.replace(right, wrong, 1))
    assert any(said in problem for problem in error.value.problems), error.value.problems


def test_all_mistakes_are_found_at_once() -> None:
    text = TEXT
    for name in ("no kind", "no retention", "no reach", "unknown purpose", "no residency"):
        right, wrong, _ = MISTAKES[name]
        text = text.replace(right, wrong, 1)
    with pytest.raises(PolicyError) as error:
        compiled(text)
    for name in ("no kind", "no retention", "no reach", "unknown purpose", "no residency"):
        assert any(MISTAKES[name][2] in problem for problem in error.value.problems), name


def test_the_hash_is_of_the_canonical_text_and_stays() -> None:
    once, again = compiled(TEXT), compiled(TEXT)
    assert once == again == bundle_for("default")
    assert json.dumps(once.data, ensure_ascii=False, sort_keys=True, separators=(",", ":")) == once.text
    turned = {
        table: dict(reversed(columns.items())) for table, columns in reversed(words.inventory().items())
    }
    assert compiled(TEXT, turned).hash == once.hash
    assert compiled(TEXT.replace("# ----", "# a remark\n# ----")).hash == once.hash


def test_the_hash_changes_with_a_word_and_with_a_rule() -> None:
    right, inventory = compiled(TEXT), words.inventory()
    person = inventory["roster_person"]
    moved = {
        **inventory,
        "roster_person": {**person, "email": replace(person["email"], category="contact.phone")},
    }
    moved["identity_account"] = {
        **inventory["identity_account"],
        "email": words.Word("contact.email", about="id"),
    }
    changed = TEXT.replace('"identity.preferred", "school.*", "attainment.*"]', '"school.*", "attainment.*"]')
    assert len({right.hash, compiled(TEXT, moved).hash, compiled(changed).hash}) == 3


def test_a_word_whose_person_changes_is_another_policy() -> None:
    inventory = words.inventory()
    child = inventory["roster_guardianship"]
    other = {
        **inventory,
        "roster_guardianship": {**child, "relationship": replace(child["relationship"], about="guardian_id")},
    }
    assert compiled(TEXT, other).hash != compiled(TEXT).hash


def test_three_answers_and_each_says_why() -> None:
    bundle = bundle_for("default")
    cases = {
        ("teacher", "teaching", "identity.name"): ("allowed", "teacher sees the pupils"),
        ("teacher", "teaching", "contact.email"): ("refused", "“Email” is not for a teacher"),
        ("teacher", "teaching", "staff.act"): ("gap", "Nobody has decided whether a teacher may see"),
        ("teacher", "leadership", "identity.name"): ("gap", "Nobody has decided what a teacher may see"),
        ("teacher", "curiosity", "identity.name"): ("gap", "Nobody has decided what “curiosity” is for"),
        ("administrator", "advertising", "identity.name"): ("refused", "No setting can change that"),
    }
    for asked, (answer, because) in cases.items():
        decision = bundle.decide(*asked)
        assert decision.answer == answer, asked
        assert because in decision.because


def test_a_diff_says_what_people_must_be_told() -> None:
    right = compiled(TEXT)
    wider = TEXT.replace(
        '"school.*", "attainment.*"]', '"school.*", "attainment.*", "contact.email"]', 1
    )  # fmt: skip
    wider = wider.replace(
        '"identity.other", "contact.*", "family.*"', '"identity.other", "contact.phone", "family.*"', 1
    )  # fmt: skip
    assert wider != TEXT
    changes = {c.what: c.material for c in diff(right, compiled(wider))}
    assert changes == {"teacher may now use “Email” for teaching": True}
    back = {c.what: c.material for c in diff(compiled(wider), right)}
    assert back == {"teacher may no longer use “contact.email” for teaching": False}
    assert diff(right, right) == []
    reach = compiled(TEXT.replace('reach = "teaches"', 'reach = "tenant"'))
    assert [(c.what, c.material) for c in diff(right, reach)] == [
        ("teacher, for teaching, reaches “tenant” instead of “teaches”", True)
    ]

"""Sharing rules as they are written, and the ids that an app knows people by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.kernel.errors import Invalid
from rollbook.sharing.rules import FIELDS, parse_rule, seal, unseal

ids = st.integers(min_value=1, max_value=2**63 - 1)
keys = st.binary(min_size=16, max_size=16)


@given(keys, st.lists(ids, max_size=20))
def test_an_app_gets_back_the_row_it_names(key: bytes, rows: list[int]) -> None:
    assert [unseal(key, "person", text) for text in seal(key, "person", rows)] == rows


@given(keys, keys, ids)
def test_two_apps_know_one_child_by_ids_with_nothing_in_common(one: bytes, two: bytes, row: int) -> None:
    if one != two:
        text = seal(one, "person", [row])[0]
        assert text != seal(two, "person", [row])[0]
        assert unseal(two, "person", text) is None


@given(keys, ids)
def test_an_id_of_one_kind_opens_nothing_of_another(key: bytes, row: int) -> None:
    assert unseal(key, "class", seal(key, "person", [row])[0]) is None


@given(keys, st.text(max_size=40))
def test_any_other_text_opens_nothing(key: bytes, text: str) -> None:
    assert unseal(key, "person", text) is None


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("all", "object"),
        ({"people": "all"}, "which fields"),
        ({"people": "some", "fields": "all"}, "neither"),
        ({"people": {}, "fields": "all"}, "neither"),
        ({"people": {"grades": []}, "fields": "all"}, "at least one"),
        ({"people": {"height": ["x"]}, "fields": "all"}, "cannot be chosen"),
        ({"people": "all", "fields": ["users.shoeSize"]}, "no field"),
        ({"people": "all", "fields": ["users.email"]}, "no reason"),
        ({"people": "all", "fields": "all", "until": 3}, "no part"),
    ],
)
def test_a_rule_that_cannot_be_read_says_which_part(rule: object, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        parse_rule(rule)


def test_a_wrong_spelling_is_answered_with_the_right_one() -> None:
    with pytest.raises(Invalid, match=r"users\.givenName"):
        parse_rule({"people": "all", "fields": ["users.givenname"]}, "x")


def test_every_field_stands_on_columns_that_exist() -> None:
    from django.apps import apps

    for field in FIELDS.values():
        for column in field.columns:
            app, model, attribute = column.split(".")
            assert apps.get_model(app, model)._meta.get_field(attribute)

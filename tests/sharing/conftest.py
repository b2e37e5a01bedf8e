"""Erin's app: Numberyard, with one agreement and no rule yet."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollbook.kernel import clock
from rollbook.sharing.actions import NewApp, agree, create_app
from tests.cast import Cast


@pytest.fixture
def numberyard(cast: Cast) -> NewApp:
    new = create_app(
        cast.tenant,
        "Numberyard",
        vendor="Duckpond Learning",
        about="practise maths",
        privacy_url="https://numberyard.example/privacy",
    )
    agree(
        new.app, purpose="learning-app", region="GB", retention_days=90, contact="privacy@numberyard.example",
        begins_on=clock.today() - timedelta(days=1), ends_on=clock.today() + timedelta(days=300), read_policy=True,
    )  # fmt: skip
    return new

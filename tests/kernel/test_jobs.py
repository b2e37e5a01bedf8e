"""Jobs: enqueued in the caller's transaction, once for a key, run again after a crash, later after a failure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.kernel.jobs import LEASE, MAX_ATTEMPTS, enqueue, gave_up, job, run_one
from rollbook.kernel.models import Job

ran: list[Any] = []


@job("test.note")
def note(tenant: int, *, text: str) -> None:
    ran.append((tenant, text))


@job("test.fail")
def fail(tenant: int) -> None:
    ran.append("tried")
    raise RuntimeError("Ada Riverstone")


@job("test.fatal")
def fatal(tenant: int, *, text: str) -> None:
    """Runs, and its worker dies before it can say so."""


@gave_up("test.fatal")
def fatal_told(tenant: int, because: str, *, text: str) -> None:
    ran.append((tenant, because, text))


raised: list[Exception] = []


@job("test.raises")
def raises(tenant: int) -> None:
    raise raised.pop()


@gave_up("test.raises")
def raises_told(tenant: int, because: str) -> None:
    ran.append((tenant, because))


@pytest.fixture(autouse=True)
def empty() -> None:
    ran.clear()


pytestmark = pytest.mark.django_db(transaction=True)


def test_a_job_runs_once_with_its_arguments() -> None:
    enqueue("test.note", 7, text="hello")
    assert run_one() and not run_one()
    assert ran == [(7, "hello")]


def test_a_change_that_is_rolled_back_leaves_no_job() -> None:
    def change() -> None:
        with transaction.atomic():
            enqueue("test.note", 7, text="never")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    assert not run_one()


def test_one_key_is_queued_once_until_it_has_run() -> None:
    first = enqueue("test.note", 7, dedupe="k", text="a")
    assert enqueue("test.note", 7, dedupe="k", text="b") == first
    assert enqueue("test.note", 8, dedupe="k", text="c") != first
    while run_one():
        pass
    assert enqueue("test.note", 7, dedupe="k", text="d") != first


def test_a_job_whose_worker_died_runs_again_when_its_lease_ends() -> None:
    made = enqueue("test.note", 7, text="again")
    Job.objects.filter(id=made).update(state="running", attempts=1, lease_until=clock.now() + LEASE)
    assert not run_one()
    with clock.at(clock.now() + 2 * LEASE):
        assert run_one()
    assert ran == [(7, "again")]


def test_a_failure_waits_longer_each_time_then_gives_up_and_keeps_no_personal_value() -> None:
    made = enqueue("test.fail", 7)
    moment, waits = clock.now(), []
    for _ in range(MAX_ATTEMPTS):
        with clock.at(moment):
            assert run_one()
        row = Job.objects.get(id=made)
        waits.append(row.run_after - moment)
        moment = max(moment, row.run_after)
    assert waits == sorted(waits) and waits[-1] > timedelta(minutes=5)
    assert row.state == "failed" and "Ada" not in row.error
    with clock.at(moment + timedelta(days=1)):
        assert not run_one()


def test_a_job_that_kills_its_worker_each_time_is_given_up_and_somebody_hears() -> None:
    made = enqueue("test.fatal", 7, text="x")
    died = {"state": "running", "attempts": MAX_ATTEMPTS, "lease_until": clock.now()}
    Job.objects.filter(id=made).update(**died)
    with clock.at(clock.now() + LEASE):
        assert run_one()
    assert ran == [(7, "the worker died", "x")]
    assert Job.objects.get(id=made).state == "failed"


def test_giving_up_says_why_only_in_words_for_people() -> None:
    for error, because in (
        (Invalid("Another sync runs.", "Wait."), "Another sync runs. Wait."),
        (KeyError("Ada"), "KeyError"),
    ):
        raised.append(error)
        made = enqueue("test.raises", 7)
        Job.objects.filter(id=made).update(attempts=MAX_ATTEMPTS - 1)
        assert run_one()
        assert ran.pop() == (7, because)


def test_an_unknown_name_is_refused_when_it_is_queued() -> None:
    with pytest.raises(KeyError, match=r"test\.note"):
        enqueue("test.nobody", 7)

"""Jobs: enqueued in the caller's transaction, once for a key, run again after a crash, later after a failure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from rollbook.kernel import clock
from rollbook.kernel.jobs import LEASE, MAX_ATTEMPTS, enqueue, job, run_one
from rollbook.kernel.models import Job

ran: list[Any] = []


@job("test.note")
def note(tenant: int, *, text: str) -> None:
    ran.append((tenant, text))


@job("test.fail")
def fail(tenant: int) -> None:
    ran.append("tried")
    raise RuntimeError("Ada Riverstone")


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


def test_an_unknown_name_is_refused_when_it_is_queued() -> None:
    with pytest.raises(KeyError, match=r"test\.note"):
        enqueue("test.nobody", 7)

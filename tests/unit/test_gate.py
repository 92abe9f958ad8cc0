"""A few at a time, a short queue, and a clear answer to the rest."""

from __future__ import annotations

import threading

import pytest

from hub_core.errors import LimitExceeded, TooBusy
from hub_core.gate import Gate


def test_what_does_not_fit_into_the_queue_is_told_at_once() -> None:
    gate = Gate(parallel=1, waiting=0, wait_s=60)
    with gate.place(), pytest.raises(TooBusy) as refused, gate.place():
        pass
    assert isinstance(refused.value, LimitExceeded)
    assert refused.value.hint
    with gate.place():
        pass


def test_who_waits_too_long_is_told_and_leaves_the_queue() -> None:
    gate = Gate(parallel=1, waiting=1, wait_s=0)
    with gate.place():
        for _ in range(3):
            with pytest.raises(TooBusy), gate.place():
                pass


def test_never_more_than_the_places_run_and_all_have_their_turn() -> None:
    gate = Gate(parallel=2, waiting=10, wait_s=60)
    lock, inside, most, ran = threading.Lock(), [0], [0], [0]

    def work() -> None:
        for _ in range(50):
            with gate.place():
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                with lock:
                    inside[0] -= 1
                    ran[0] += 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (ran[0], inside[0]) == (400, 0)
    assert 1 <= most[0] <= 2


def test_an_error_inside_frees_the_place() -> None:
    gate = Gate(parallel=1, waiting=0, wait_s=0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), gate.place():
            raise ZeroDivisionError

"""What a fine-tune is estimated to take, and when it is refused."""

from __future__ import annotations

import pytest

from hub_core.clusters.port import GIB, Gpu, Inventory
from hub_core.deployments.hardware import load_hardware
from hub_core.running_errors import NoSuchHardware, TooBigForHardware
from hub_core.training.estimate import Sizes, Work, memory_needed, place, seconds_needed

SMALL = Sizes(134_515_008, 30, 576, 49152, 8192)
LARGE = Sizes(7_000_000_000, 32, 4096, 32000, 8192)
WORK = Work(100_000, 1024, 16)
HERE = Inventory(8, 64 * GIB, 64 * GIB)
CATALOGUE = load_hardware()


def test_a_small_model_fits_on_a_small_machine() -> None:
    assert GIB < memory_needed(SMALL, WORK, gpu=False) < 6 * GIB
    assert place(CATALOGUE, HERE, None, "acme/small", SMALL, WORK).hardware.item.kind == "cpu"


def test_more_parameters_steps_and_tokens_take_more() -> None:
    item = next(item for item in CATALOGUE.items if item.name == "cpu-medium")
    assert memory_needed(LARGE, WORK, gpu=False) > memory_needed(SMALL, WORK, gpu=False)
    assert memory_needed(SMALL, Work(1, 4096, 16), gpu=False) > memory_needed(SMALL, WORK, gpu=False)
    assert seconds_needed(SMALL, Work(200_000, 1024, 16), item, 1, 8) > seconds_needed(SMALL, WORK, item, 1, 8)
    assert seconds_needed(SMALL, WORK, item, 1, 8) > seconds_needed(SMALL, Work(100_000, 1024), item, 1, 8), "measuring is cheaper"


def test_a_model_that_does_not_fit_is_refused_with_what_it_needs() -> None:
    with pytest.raises(TooBigForHardware) as caught:
        place(CATALOGUE, HERE, "cpu-small", "acme/large", LARGE, WORK)
    assert caught.value.details["needed_bytes"] > 40 * GIB
    assert caught.value.details["hardware"] == "cpu-small"
    assert "would fit on" in caught.value.hint


def test_the_cheapest_in_the_end_is_taken_and_a_gpu_only_where_there_is_one() -> None:
    with_gpu = Inventory(8, 64 * GIB, 64 * GIB, (Gpu("NVIDIA A10", 1, 1, 24 * GIB),))
    long = Work(50_000_000, 1024, 16)
    assert place(CATALOGUE, with_gpu, None, "acme/small", SMALL, long).hardware.item.name == "a10"
    assert place(CATALOGUE, with_gpu, "cpu", "acme/small", SMALL, long).hardware.item.kind == "cpu"
    with pytest.raises(NoSuchHardware):
        place(CATALOGUE, HERE, "a10", "acme/small", SMALL, WORK)

"""What people call hardware, and what it can take."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_core.clusters.port import GIB, Gpu, Inventory
from hub_core.deployments.hardware import Hardware, fitting, free, load_hardware, matches, present
from hub_core.errors import InvalidInput
from hub_core.running_errors import NoSuchHardware

CATALOGUE = load_hardware()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("a10", "a10"), ("one A10", "a10"), ("an A10", "a10"), ("NVIDIA A10 GPU", "a10"), ("2 x a100", "2x a100"), ("2x a100", "2x a100"),
        ("two A100s", "2x a100"), ("a100 x2", "2x a100"), ("4 H100", "4x h100"), ("L40S", "l40s"), ("cpu-small", "cpu-small"),
        ("small CPU", "cpu-small"), ("CPU", "cpu"), ("cpu only", "cpu"), ("a gpu", "gpu"), ("one GPU", "gpu"),
        ("2张A100", "2x a100"), ("两张A100", "2x a100"), ("一张A10", "a10"), ("A10一张", "a10"), ("GPU", "gpu"),
        ("A100 2枚", "2x a100"), ("CPUで", "cpu"), ("A10 한 장", "a10"), ("H100 두 장", "2x h100"), ("A100 2장", "2x a100"),
    ],
)  # fmt: skip
def test_people_name_hardware_in_many_ways(said: str, meant: str) -> None:
    assert str(CATALOGUE.parse(said)) == meant


@pytest.mark.parametrize("said", ["quantum", "3 foo", "0 a10", "99x a10", "2x cpu-small", "", "a1000"])
def test_what_is_not_there_is_refused_with_what_is(said: str) -> None:
    with pytest.raises(NoSuchHardware) as refused:
        CATALOGUE.parse(said)
    assert refused.value.hint


def test_a_stored_name_reads_back() -> None:
    for item in CATALOGUE.items:
        assert CATALOGUE.get(str(Hardware(item))) == Hardware(item)
    assert CATALOGUE.get("2x a100").price == 2 * CATALOGUE.get("a100").price


def test_names_of_gpus_are_told_apart() -> None:
    a10 = CATALOGUE.get("a10").item
    assert matches(a10, Gpu("NVIDIA A10", 1, 1, 24 * GIB))
    assert not matches(a10, Gpu("NVIDIA A100-SXM4-80GB", 1, 1, 80 * GIB))
    assert matches(CATALOGUE.get("a100").item, Gpu("NVIDIA A100-SXM4-80GB", 1, 1, 80 * GIB))
    assert matches(CATALOGUE.get("h100").item, Gpu("NVIDIA H100 80GB HBM3", 1, 1, 80 * GIB))


def test_what_is_there_and_what_is_free() -> None:
    machine = Inventory(4, 16 * GIB, 3 * GIB, (Gpu("NVIDIA A10", 2, 1, 24 * GIB),))
    assert [present(CATALOGUE.get(name).item, machine) for name in ("cpu-small", "cpu-large", "a10", "h100")] == [8, 0, 2, 0]
    assert [free(CATALOGUE.get(name).item, machine) for name in ("cpu-small", "cpu-medium", "a10")] == [1, 0, 1]
    assert str(fitting(CATALOGUE, 1 * GIB, ["cpu"], machine)) == "cpu-small"
    assert str(fitting(CATALOGUE, 20 * GIB, ["gpu", "cpu"], machine)) == "a10"
    assert fitting(CATALOGUE, 40 * GIB, ["gpu", "cpu"], machine) is None


def test_an_operators_catalogue_replaces_ours_and_tells_what_is_wrong_in_it(tmp_path: Path) -> None:
    own = tmp_path / "hardware.yaml"
    own.write_text('currency: EUR\nitems: [{name: box, title: "Box", cpus: 1, memory_gb: 1, price_per_hour: 0}]\n')
    assert [item.name for item in load_hardware(own).items] == ["box"]
    own.write_text('items: [{name: box, title: "Box", cpus: 0, memory_gb: 1, price_per_hour: 0}]\n')
    with pytest.raises(InvalidInput, match=r"hardware.yaml: items.0.cpus"):
        load_hardware(own)

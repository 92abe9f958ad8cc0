"""How much memory, time and money a fine-tune or an evaluation takes. Estimates: to refuse what cannot fit, and to tell before it begins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hub_core.clusters.port import GIB, Inventory
from hub_core.deployments.hardware import Hardware, HardwareCatalogue, HardwareItem, present
from hub_core.models.facts import ModelFacts
from hub_core.running_errors import NoSuchHardware, TooBigForHardware

MIB = 1024**2
FIXED = 700 * MIB  # Python, torch and its libraries
_ADAPTED = 9  # matrices of a layer that LoRA adds to, weighed by their width
_ADAPTER_BYTES = 16  # of each value: itself, its gradient, two moments of AdamW
_ACTIVATIONS = 40  # values that a layer keeps for each token and unit of width
_LOGITS = 3  # copies of the logits while the loss is worked out
# Operations a second that such a program reaches: measured on CPUs (see docs/finetuning.md), about 35 % of the data sheet on GPUs.
_CPU_CORE = 1.5e10
_GPUS = {"t4": 2e13, "l4": 4e13, "a10": 4.5e13, "l40s": 1.2e14, "a100": 1.1e14, "h100": 3.3e14, "h200": 3.3e14}
_ANY_GPU = 3e13
_LEARN, _MEASURE = 6, 2  # operations for each parameter and token
_START_S = 20.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """What of a model counts for an estimate."""

    parameters: int
    layers: int
    width: int
    vocabulary: int
    context: int


@dataclass(frozen=True, slots=True)
class Work:
    """What is done: `tokens` go through the model in pieces of at most `at_once`; `rank` is 0 where nothing is learned."""

    tokens: int
    at_once: int
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Where it would run, and what it would take: bytes, seconds, money."""

    hardware: Hardware
    memory: int
    seconds: int
    cost: float
    currency: str


def sizes_of(facts: ModelFacts) -> Sizes:
    """The sizes that the headers tell; what they leave open is taken from models of the same size."""
    config = facts.extra.get("config", {})
    parameters = facts.parameters or 0
    width = facts.extra.get("embedding_length") or config.get("hidden_size") or max(256, int(64 * (parameters / 1e6) ** 0.45))
    layers = facts.extra.get("block_count") or config.get("layers") or max(4, int(parameters / max(1, 12 * width * width)))
    vocabulary = facts.extra.get("vocabulary_size") or config.get("vocabulary_size") or 50_000
    return Sizes(parameters, int(layers), int(width), int(vocabulary), facts.context_length or 2048)


def memory_needed(sizes: Sizes, work: Work, *, gpu: bool) -> int:
    """Bytes: the weights (in 32 bits on a CPU, 16 on a GPU) once more while they are loaded, what is learned, and what a pass keeps."""
    value = 2 if gpu else 4
    weights = sizes.parameters * value
    adapter = 2 * _ADAPTED * work.rank * sizes.width * sizes.layers * _ADAPTER_BYTES
    kept = work.at_once * value * ((_ACTIVATIONS * sizes.width * sizes.layers if work.rank else 0) + _LOGITS * sizes.vocabulary)
    return int(FIXED + 1.5 * weights + adapter + kept)


def seconds_needed(sizes: Sizes, work: Work, item: HardwareItem, count: int, cores: int) -> int:
    """Seconds from its start to its end; `cores` are those that the machine has."""
    speed = _GPUS.get(item.name, _ANY_GPU) * count if item.gpu else _CPU_CORE * max(1, min(item.cpus, cores))
    return math.ceil(_START_S + work.tokens * sizes.parameters * (_LEARN if work.rank else _MEASURE) / speed)


def place(catalogue: HardwareCatalogue, inventory: Inventory, said: str | None, what: str, sizes: Sizes, work: Work) -> Estimate:
    """The hardware that was named, else what costs least in the end; and what it takes there.

    Args:
        what: the name of the model, for the error.

    Raises:
        NoSuchHardware: there is none of it on this machine. TooBigForHardware: it does not fit.
    """
    named = catalogue.parse(said) if said else None
    wanted = [named] if isinstance(named, Hardware) else [Hardware(item) for item in catalogue.items if named in (None, item.kind)]
    here = [hardware for hardware in wanted if present(hardware.item, inventory) >= hardware.count]
    if not here:
        listed = ", ".join(item.name for item in catalogue.items if present(item, inventory))
        raise NoSuchHardware(f"This machine has no {named or 'hardware of the catalogue'}.", hint=f"There is {listed}." if listed else "")
    fits = [_estimate(catalogue, inventory, hardware, sizes, work) for hardware in here]
    fits = [found for found in fits if found.memory <= found.hardware.model_memory]
    if not fits:
        raise _too_big(catalogue, inventory, here, isinstance(named, Hardware), what, sizes, work)
    return min(fits, key=lambda found: (found.cost, found.seconds))


def _estimate(catalogue: HardwareCatalogue, inventory: Inventory, hardware: Hardware, sizes: Sizes, work: Work) -> Estimate:
    seconds = seconds_needed(sizes, work, hardware.item, hardware.count, inventory.cpus)
    memory = memory_needed(sizes, work, gpu=bool(hardware.item.gpu))
    return Estimate(hardware, memory, seconds, round(hardware.price * seconds / 3600, 4), catalogue.currency)


def _too_big(
    catalogue: HardwareCatalogue, inventory: Inventory, here: Sequence[Hardware], named: bool, what: str, sizes: Sizes, work: Work
) -> TooBigForHardware:
    largest = max(here, key=lambda hardware: hardware.model_memory)
    needed = memory_needed(sizes, work, gpu=bool(largest.item.gpu))
    others = [Hardware(item) for item in catalogue.items]
    fits = [one for one in others if memory_needed(sizes, work, gpu=bool(one.item.gpu)) <= one.model_memory]
    there = next((str(one) for one in fits if present(one.item, inventory)), "")
    hint = f"It fits on {there}." if there else f"It would fit on {fits[0]}, which this hub does not have." if fits else ""
    where = f"{largest} has" if named else f"the largest that this machine has is {largest} with"
    return TooBigForHardware(
        f"Working on {what} takes about {needed / GIB:.1f} GB of memory, and {where} {largest.model_memory / GIB:.1f} GB.",
        hint=hint or "Take a smaller model.", repo=what, needed_bytes=needed, hardware=str(largest),
        hardware_bytes=largest.model_memory, fits=there,
    )  # fmt: skip

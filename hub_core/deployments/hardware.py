"""The hardware catalogue: what a deployment can be given, what it costs, and how people call it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from hub_core.clusters.port import GIB, Gpu, Inventory, Resources
from hub_core.running_errors import NoSuchHardware
from hub_core.runtimes.catalogue import read_data

FILE = Path(__file__).parent / "hardware.yaml"
MAX_GPUS = 16
_NUMBERS = {
    "one": 1, "a": 1, "an": 1, "single": 1, "two": 2, "three": 3, "four": 4, "eight": 8, "一": 1, "两": 2, "二": 2, "三": 3, "四": 4, "八": 8,
    "한": 1, "두": 2, "세": 3, "네": 4, "하나": 1, "둘": 2, "1つ": 1, "2つ": 2,
}  # fmt: skip
_SIZES = {"small": "small", "tiny": "small", "medium": "medium", "large": "large", "big": "large", "xlarge": "xlarge", "xl": "xlarge"}
_COUNTERS = r"(?:x|×|\*|times|张|块|个|枚|台|つ|の|장|개|대|의)"
_NOISE = re.compile(
    r"\b(nvidia|gpus?|cards?|of|the|type|instance|machine|server|cores?|only|with|on|hardware)\b|卡|显卡|機|机器|だけ|上|で|에서|로|서버",
    re.IGNORECASE,
)


class HardwareItem(BaseModel):
    """One kind of hardware; with a GPU, all of it counts per GPU.

    `node_labels` are those of the machines of a cluster that have it; without them a GPU is found by what the machines say they have.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    title: str
    cpus: float = Field(gt=0)
    memory_gb: float = Field(gt=0)
    gpu: str = ""
    gpu_memory_gb: float = 0
    price_per_hour: float = Field(ge=0)
    words: tuple[str, ...] = ()
    node_labels: dict[str, str] = Field(default_factory=dict)

    @property
    def kind(self) -> str:
        """`cpu` or `gpu`."""
        return "gpu" if self.gpu else "cpu"


class _Catalogue(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str = "USD"
    items: tuple[HardwareItem, ...]


@dataclass(frozen=True, slots=True)
class Hardware:
    """What one copy of a deployment is given: an item of the catalogue, so many times."""

    item: HardwareItem
    count: int = 1

    def __str__(self) -> str:
        return self.item.name if self.count == 1 else f"{self.count}x {self.item.name}"

    @property
    def price(self) -> float:
        """Per hour and copy."""
        return self.item.price_per_hour * self.count

    @property
    def model_memory(self) -> int:
        """Bytes that a model may take: of the GPUs, or of the machine where there is none."""
        return int((self.item.gpu_memory_gb or self.item.memory_gb) * self.count * GIB)

    @property
    def resources(self) -> Resources:
        """As a cluster wants it."""
        item = self.item
        return Resources(
            item.cpus * self.count, int(item.memory_gb * self.count * GIB), item.name if item.gpu else "", self.count if item.gpu else 0,
            item.gpu, tuple(sorted(item.node_labels.items())),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class HardwareCatalogue:
    """All hardware that this hub knows, the cheapest first."""

    currency: str
    items: tuple[HardwareItem, ...]

    def parse(self, said: str) -> Hardware | str:
        """What a person means: `a10`, `one A10`, `2 x a100`, `CPU`, `2张A100`; `cpu` or `gpu` where only that was said.

        Raises:
            NoSuchHardware: nothing of that name.
        """
        text = _NOISE.sub(lambda found: " gpu " if found[0].lower().startswith("gpu") else " ", f" {said.strip().lower()} ")
        text = " ".join(text.split())
        count, rest = _count(text)
        rest = rest.replace(" gpu", "").strip() if rest != "gpu" else rest
        words = rest.split()
        found = self._named("-".join(words)) or self._named("".join(words)) or self._named("-".join(words).removesuffix("s"))
        if found is None and "cpu" in words:
            size = next((_SIZES[word] for word in words if word in _SIZES), "")
            found = self._named(f"cpu-{size}") if size else None
            if found is None and not size:
                return "cpu"
        if found is None and words in (["gpu"], []) and "gpu" in text:
            return "gpu"
        if found is None:
            raise NoSuchHardware(
                f"There is no hardware '{said.strip()[:60]}'.", hint=f"There is {', '.join(item.name for item in self.items)}."
            )
        if not 1 <= count <= MAX_GPUS or (count > 1 and not found.gpu):
            raise NoSuchHardware(f"{said.strip()[:60]} cannot be had.", hint=f"1 to {MAX_GPUS} GPUs; for a larger CPU name a larger size.")
        return Hardware(found, count)

    def get(self, name: str) -> Hardware:
        """The hardware of a stored name (`a10`, `2x a100`).

        Raises:
            NoSuchHardware: it is in the catalogue no more.
        """
        plain = self._named(name)
        found = Hardware(plain) if plain is not None else self.parse(name)
        if isinstance(found, str):
            raise NoSuchHardware(f"There is no hardware '{name}'.", hint="list_hardware shows all.")
        return found

    def _named(self, name: str) -> HardwareItem | None:
        return next((item for item in self.items if name and name in (item.name, *item.words)), None)


def _count(text: str) -> tuple[int, str]:
    """A leading (`2x`, `two`, `2张`) or trailing (`a100 x2`, `a100 2枚`) number, and the rest."""
    names = "|".join(sorted(map(re.escape, _NUMBERS), key=len, reverse=True))
    for pattern in (
        rf"^(?P<n>\d{{1,3}}|{names})\s*{_COUNTERS}\s*(?P<rest>.+)$",
        rf"^(?P<n>\d{{1,3}}|{names})\s+(?P<rest>.+)$",
        r"^(?P<rest>.+?)\s*[x×*]\s*(?P<n>\d{1,3})$",
        rf"^(?P<rest>.+?)\s*(?P<n>\d{{1,3}}|{names})\s*{_COUNTERS}$",
    ):
        found = re.match(pattern, text)
        if found:
            number = found["n"]
            return (int(number) if number.isdigit() else _NUMBERS[number]), found["rest"].strip()
    return 1, text


def load_hardware(own: Path | None = None) -> HardwareCatalogue:
    """The catalogue of hubtalk, or the operator's in its place.

    Raises:
        InvalidInput: the operator's file is wrong.
    """
    read = read_data(own if own is not None and own.is_file() else FILE, _Catalogue)
    return HardwareCatalogue(read.currency, tuple(sorted(read.items, key=lambda item: (item.price_per_hour, item.name))))


def matches(item: HardwareItem, gpu: Gpu) -> bool:
    """Whether a GPU that a driver names is the catalogue's: `A10` is `NVIDIA A10`, and not `NVIDIA A100`."""
    return re.search(rf"(?<![a-z0-9]){re.escape(item.gpu.lower())}(?![a-z0-9])", gpu.name.lower()) is not None


def present(item: HardwareItem, inventory: Inventory) -> int:
    """How many of an item there are in a cluster at all."""
    if item.gpu:
        return sum(gpu.count for gpu in inventory.gpus if matches(item, gpu))
    return 0 if _too_large(item, inventory) else int(inventory.memory // (item.memory_gb * GIB))


def free(item: HardwareItem, inventory: Inventory) -> int:
    """How many of them no deployment was given."""
    if item.gpu:
        return sum(gpu.free for gpu in inventory.gpus if matches(item, gpu))
    return 0 if _too_large(item, inventory) else int(inventory.free_memory // (item.memory_gb * GIB))


def _too_large(item: HardwareItem, inventory: Inventory) -> bool:
    """Whether no single machine has as much."""
    return item.cpus > inventory.cpus or item.memory_gb * GIB > (inventory.machine_memory or inventory.memory)


def fitting(catalogue: HardwareCatalogue, needed: int, kinds: Sequence[str], inventory: Inventory | None = None) -> Hardware | None:
    """The cheapest hardware with so many bytes for a model; with an inventory, of what is there."""
    for item in catalogue.items:
        if item.kind in kinds and (inventory is None or present(item, inventory)) and Hardware(item).model_memory >= needed:
            return Hardware(item)
    return None

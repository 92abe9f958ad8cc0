"""What the hub knows about a model from its headers and small configuration files."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file with weights. `safe` is false for formats that run code when they are loaded (pickle); the hub never loads those."""

    path: str
    size: int
    format: str
    safe: bool = True


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The look inside a model repo.

    `parameters` counts the elements of the stored tensors and `dtypes` splits that number; `quantization` is the scheme in the words
    of its format (`Q4_K_M`, `gptq 4-bit`). `extra` holds what only some formats have, as JSON.
    """

    format: str
    parameters: int | None = None
    dtypes: dict[str, int] = field(default_factory=dict)
    architecture: str | None = None
    quantization: str | None = None
    context_length: int | None = None
    files: tuple[WeightFile, ...] = ()
    bytes_total: int = 0
    library: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON-able data."""
        return asdict(self) | {"files": [asdict(file) for file in self.files], "warnings": list(self.warnings)}


def clip(text: str, limit: int = 300) -> str:
    """Text from a file, short enough to show, without control characters."""
    shown = "".join(char if char.isprintable() else " " for char in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"

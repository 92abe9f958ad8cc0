"""Headers of safetensors files: 8 bytes of length, then JSON. The weights are never read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from hub_core.errors import UnsupportedFormat
from hub_core.models.facts import clip
from hub_core.reading import FileReader, read_exact

MAX_HEADER = 32 << 20
MAX_TENSORS = 250_000
MAX_DIMENSIONS = 16
MAX_METADATA = 100
# Bits of one element. Types that are not listed are counted, but their size is not checked.
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """What one safetensors file says about itself."""

    tensors: int
    parameters: int
    dtypes: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    header_bytes: int = 0


def read_safetensors(reader: FileReader) -> SafetensorsHeader:
    """Read and check the header of one file.

    Raises:
        UnsupportedFormat: not safetensors, truncated, inconsistent, or beyond the limits.
    """
    header, length = header_of(reader)
    metadata = header.pop("__metadata__", None) or {}
    dtypes: Counter[str] = Counter()
    room = reader.size - 8 - length
    for tensor in header.values():
        dtype, count = _tensor(reader, tensor, room)
        dtypes[dtype] += count
    if len(dtypes) > 100:
        raise _bad(reader, "it has more than 100 types of tensors")
    return SafetensorsHeader(len(header), sum(dtypes.values()), dict(dtypes.most_common()), _metadata(metadata), length)


def header_of(reader: FileReader) -> tuple[dict[str, Any], int]:
    """The header as the file has it, with `__metadata__`, and its length in bytes; its entries are not checked.

    Raises:
        UnsupportedFormat: not safetensors, truncated, or beyond the limits.
    """
    length = int.from_bytes(read_exact(reader, 0, 8), "little")
    if length < 2 or length > min(MAX_HEADER, reader.size - 8):
        raise _bad(reader, "its header length is not possible")
    text = read_exact(reader, 8, length)
    if text.count(b"[") + text.count(b"{") > 4 * MAX_TENSORS:
        # Said before parsing: millions of empty lists would take gigabytes.
        raise _bad(reader, f"it lists more than {MAX_TENSORS:,} tensors")
    try:
        header = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _bad(reader, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _bad(reader, "its header is not a JSON object")
    if len(header) > MAX_TENSORS:
        raise _bad(reader, f"it lists more than {MAX_TENSORS:,} tensors")
    return header, length


def merge_headers(headers: Iterable[SafetensorsHeader]) -> SafetensorsHeader:
    """The shards of one model as one header."""
    tensors, dtypes, size = 0, Counter[str](), 0
    metadata: dict[str, str] = {}
    for header in headers:
        tensors += header.tensors
        size += header.header_bytes
        dtypes.update(header.dtypes)
        metadata = header.metadata | metadata
    return SafetensorsHeader(tensors, sum(dtypes.values()), dict(dtypes.most_common()), metadata, size)


def _tensor(reader: FileReader, tensor: Any, room: int) -> tuple[str, int]:
    """Type and number of elements of one entry."""
    if not isinstance(tensor, dict):
        raise _bad(reader, "a tensor entry is not an object")
    dtype, shape, offsets = tensor.get("dtype"), tensor.get("shape"), tensor.get("data_offsets")
    if not isinstance(dtype, str) or not 0 < len(dtype) <= 32:
        raise _bad(reader, "a tensor has no type")
    if not _naturals(shape) or len(shape) > MAX_DIMENSIONS or not _naturals(offsets) or len(offsets) != 2:
        raise _bad(reader, "a tensor has no valid shape or offsets")
    start, end = offsets
    if start > end or end > room:
        raise _bad(reader, "a tensor lies outside of the file")
    count = 1
    for size in shape:
        count *= size
    if dtype in _BITS and count * _BITS[dtype] != (end - start) * 8:
        raise _bad(reader, "the shape of a tensor does not fit its bytes")
    # An unknown type still has at least one bit for each element.
    if dtype not in _BITS and count > (end - start) * 8:
        raise _bad(reader, "the shape of a tensor does not fit its bytes")
    return dtype, count


def _naturals(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 1 << 48 for item in value)


def _metadata(metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict):
        return {}
    pairs = list(metadata.items())[:MAX_METADATA]
    return {clip(str(key), 100): clip(value if isinstance(value, str) else json.dumps(value)) for key, value in pairs}


def _bad(reader: FileReader, why: str) -> UnsupportedFormat:
    return UnsupportedFormat(f"'{reader.name}' is not a valid safetensors file: {why}.", hint="Upload the file again.")

"""Headers of GGUF files (versions 2 and 3, both byte orders). Read in windows; arrays are walked over, never kept; weights are never read."""

from __future__ import annotations

import math
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hub_core.errors import UnsupportedFormat
from hub_core.models.facts import clip
from hub_core.models.gguf_types import FILE_TYPES, TENSOR_TYPES
from hub_core.reading import FileReader

WINDOW = 256 << 10
MAX_HEADER = 128 << 20
MAX_KEYS = 20_000
MAX_TENSORS = 250_000
MAX_ARRAY_STRINGS = 2_000_000
MAX_STRING = 16 << 20
MAX_NAME = 4096
MAX_NESTING = 4
KEPT_STRING = 4096
KEPT_TOTAL = 1 << 20

_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What one GGUF file says about itself. `metadata` has the scalars and short strings; of an array, only its length (`<array of N>`)."""

    version: int
    architecture: str | None
    name: str | None
    quantization: str | None
    file_type: str | None
    context_length: int | None
    embedding_length: int | None
    block_count: int | None
    vocabulary_size: int | None
    license: str | None
    has_chat_template: bool
    tensors: int
    parameters: int
    dtypes: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


def read_gguf(reader: FileReader) -> GgufHeader:
    """Read and check the header of one file.

    Raises:
        UnsupportedFormat: not GGUF, truncated, inconsistent, or beyond the limits.
    """
    cursor = _Cursor(reader)
    if cursor.take(4) != b"GGUF":
        raise cursor.bad("it does not start with 'GGUF'")
    version = cursor.number("I")
    if version & 0xFFFF == 0:
        cursor.order = ">"
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
    if version not in {2, 3}:
        raise cursor.bad(f"its version {version} is unknown (2 and 3 are)")
    tensor_count, key_count = cursor.number("Q"), cursor.number("Q")
    if tensor_count > MAX_TENSORS or key_count > MAX_KEYS:
        raise cursor.bad("it announces too many tensors or keys")
    metadata, lengths = _metadata(cursor, key_count)
    types, dtypes = Counter[str](), Counter[str]()
    for _ in range(tensor_count):
        dtype, count = _tensor(cursor)
        dtypes[dtype] += count
        types[dtype] += 1
    return _facts(version, tensor_count, metadata, lengths, dtypes)


def _facts(version: int, tensors: int, metadata: dict[str, Any], lengths: dict[str, int], dtypes: Counter[str]) -> GgufHeader:
    architecture = _text(metadata.get("general.architecture"))

    def own(key: str) -> int | None:
        return _whole(metadata.get(f"{architecture}.{key}"))

    file_type = _whole(metadata.get("general.file_type"))
    named = FILE_TYPES.get(file_type) if file_type is not None else None
    dominant = dtypes.most_common(1)[0][0] if dtypes else None
    return GgufHeader(
        version=version,
        architecture=architecture,
        name=_text(metadata.get("general.name")),
        quantization=named or dominant,
        file_type=named,
        context_length=own("context_length"),
        embedding_length=own("embedding_length"),
        block_count=own("block_count"),
        vocabulary_size=lengths.get("tokenizer.ggml.tokens") or own("vocab_size"),
        license=_text(metadata.get("general.license")),
        has_chat_template=any(key.startswith("tokenizer.chat_template") for key in metadata),
        tensors=tensors,
        parameters=sum(dtypes.values()),
        dtypes=dict(dtypes.most_common()),
        metadata=metadata,
    )


def _metadata(cursor: _Cursor, count: int) -> tuple[dict[str, Any], dict[str, int]]:
    values: dict[str, Any] = {}
    lengths: dict[str, int] = {}
    kept = 0
    for _ in range(count):
        key = cursor.text(MAX_NAME, keep=200)
        kind = cursor.number("I")
        if kind == _ARRAY:
            lengths[key] = cursor.skip_array(0)
            values[key] = f"<array of {lengths[key]}>"
        elif kind == _STRING:
            values[key] = cursor.text(MAX_STRING, keep=KEPT_STRING if kept < KEPT_TOTAL else 0)
            kept += len(values[key])
        else:
            value = cursor.scalar(kind)
            values[key] = value if not isinstance(value, float) or math.isfinite(value) else None
    return values, lengths


def _tensor(cursor: _Cursor) -> tuple[str, int]:
    cursor.text(MAX_NAME, keep=0)
    dimensions = cursor.number("I")
    if dimensions > 8:
        raise cursor.bad("a tensor has more than 8 dimensions")
    count = 1
    for _ in range(dimensions):
        count *= cursor.number("Q")
    kind, offset = cursor.number("I"), cursor.number("Q")
    # The densest type there is has more than one bit for each element.
    if count > cursor.reader.size * 8 or offset > cursor.reader.size:
        raise cursor.bad("a tensor lies outside of the file")
    return TENSOR_TYPES.get(kind, f"type {kind}"), count


def _text(value: Any) -> str | None:
    return clip(value) if isinstance(value, str) and value else None


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


class _Cursor:
    """Walks over the header, reading the file in windows."""

    def __init__(self, reader: FileReader) -> None:
        self.reader = reader
        self.order = "<"
        self._offset = 0
        self._window = b""
        self._start = 0
        self._strings = 0

    def bad(self, why: str) -> UnsupportedFormat:
        return UnsupportedFormat(f"'{self.reader.name}' is not a GGUF file that can be read: {why}.", hint="Upload the file again.")

    def take(self, length: int) -> bytes:
        inside = self._offset - self._start
        if inside < 0 or inside + length > len(self._window):
            self._window = self.reader.read(self._offset, max(length, WINDOW))
            self._start, inside = self._offset, 0
        data = self._window[inside : inside + length]
        if len(data) != length:
            raise self.bad("it ends within its header")
        self._offset += length
        return data

    def skip(self, length: int) -> None:
        self._offset += length
        if self._offset > self.reader.size:
            raise self.bad("it ends within its header")
        if self._offset > MAX_HEADER:
            raise self.bad(f"its header is larger than {MAX_HEADER >> 20} MiB")

    def number(self, code: str) -> int:
        return int(struct.unpack(self.order + code, self.take(struct.calcsize("<" + code)))[0])

    def scalar(self, kind: int) -> Any:
        code = _SCALARS.get(kind)
        if code is None:
            raise self.bad(f"a value has the unknown type {kind}")
        return struct.unpack(self.order + code, self.take(struct.calcsize("<" + code)))[0]

    def text(self, limit: int, keep: int) -> str:
        length = self.number("Q")
        if length > limit:
            raise self.bad("a string is too long")
        head = self.take(min(length, keep))
        self.skip(length - len(head))
        return head.decode("utf-8", "replace")

    def skip_array(self, depth: int) -> int:
        """Walk over an array (its element type and length come first) and say how long it is."""
        if depth >= MAX_NESTING:
            raise self.bad("arrays are nested too deeply")
        kind, length = self.number("I"), self.number("Q")
        if kind in (_STRING, _ARRAY):
            self._strings += length
            if self._strings > MAX_ARRAY_STRINGS:
                raise self.bad("its arrays are too long")
            for _ in range(length):
                if kind == _ARRAY:
                    self.skip_array(depth + 1)
                else:
                    self.text(MAX_STRING, keep=0)
        elif kind in _SCALARS:
            self.skip(length * struct.calcsize("<" + _SCALARS[kind]))
        else:
            raise self.bad(f"an array has the unknown type {kind}")
        return length

"""Headers of weight files: real ones give the facts, hostile ones a clear error and no work."""

from __future__ import annotations

import contextlib
import struct

import pytest
from gguf import GGUFReader
from gguf.constants import GGMLQuantizationType, LlamaFileType
from hypothesis import given
from hypothesis import strategies as st

from hub_core.errors import HubError, UnsupportedFormat
from hub_core.models.gguf import read_gguf
from hub_core.models.gguf_types import FILE_TYPES, TENSOR_TYPES
from hub_core.models.safetensors import read_safetensors
from hub_core.reading import BytesReader, PathReader
from tests.common.model_files import gguf, raw_safetensors, safetensors, smollm2, text


class CountingReader(BytesReader):
    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(name, data)
        self.bytes_read = 0

    def read(self, start: int, length: int) -> bytes:
        data = super().read(start, length)
        self.bytes_read += len(data)
        return data


def test_safetensors_header_counts_tensors_and_parameters() -> None:
    header = read_safetensors(safetensors(metadata={"format": "pt"}, embed=(10, 4), head=(4,)))
    assert (header.tensors, header.parameters, header.dtypes, header.metadata) == (2, 44, {"F16": 44}, {"format": "pt"})


def test_safetensors_weights_are_not_read() -> None:
    whole = safetensors(weights=(1000, 1000))
    reader = CountingReader(whole.name, whole.read(0, whole.size))
    assert read_safetensors(reader).parameters == 1_000_000
    assert reader.bytes_read < 1000


@pytest.mark.parametrize(
    "header",
    [
        [],
        {"w": 1},
        {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
        {"w": {"dtype": "F32", "shape": [1 << 60], "data_offsets": [0, 4]}},
        {"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
        {"w": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}},
        {"w": {"dtype": "F32", "shape": [1] * 100, "data_offsets": [0, 4]}},
        {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}},
        {"w": {"dtype": "Q1", "shape": [1 << 40], "data_offsets": [0, 4]}},
        {"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}},
        {"w": {"dtype": {}, "shape": [1], "data_offsets": [0, 4]}},
        b"[" * 100_000,
        b"{" + b'"a":' * 100,
        b"\xff\xfe",
    ],
)
def test_inconsistent_safetensors_headers_are_refused(header: object) -> None:
    with pytest.raises(UnsupportedFormat):
        read_safetensors(raw_safetensors(header, b"\0" * 4))


@pytest.mark.parametrize("length", [0, 1, 1 << 20, (1 << 64) - 1])
def test_impossible_safetensors_header_lengths_are_refused(length: int) -> None:
    with pytest.raises(UnsupportedFormat, match="not a valid safetensors"):
        read_safetensors(BytesReader("x.safetensors", struct.pack("<Q", length) + b"{}  "))


@given(st.binary(max_size=400))
def test_safetensors_parser_only_raises_hub_errors(data: bytes) -> None:
    for raw in (data, struct.pack("<Q", max(0, len(data) - 2)) + data):
        with contextlib.suppress(HubError):
            read_safetensors(BytesReader("x", raw))


def test_gguf_facts_agree_with_the_gguf_package() -> None:
    path = smollm2()
    header, reference = read_gguf(PathReader(path)), GGUFReader(path)

    def value(key: str) -> object:
        field = reference.get_field(key)
        return field.contents() if field else None

    tokens = reference.get_field("tokenizer.ggml.tokens")
    assert tokens is not None
    assert header.version == 3
    assert header.tensors == len(reference.tensors)
    assert header.parameters == sum(int(tensor.n_elements) for tensor in reference.tensors)
    assert header.architecture == value("general.architecture") == "llama"
    assert header.name == value("general.name")
    assert header.license == value("general.license") == "apache-2.0"
    assert header.context_length == value("llama.context_length") == 8192
    assert header.embedding_length == value("llama.embedding_length")
    assert header.block_count == value("llama.block_count")
    assert header.vocabulary_size == len(tokens.data)
    assert header.has_chat_template is (value("tokenizer.chat_template") is not None)
    assert header.quantization == "Q4_1"
    by_type: dict[str, int] = {}
    for tensor in reference.tensors:
        by_type[tensor.tensor_type.name] = by_type.get(tensor.tensor_type.name, 0) + int(tensor.n_elements)
    assert header.dtypes == by_type


def test_names_of_gguf_types_agree_with_the_gguf_package() -> None:
    assert {kind.value: kind.name for kind in GGMLQuantizationType} == TENSOR_TYPES
    named = {kind.value: kind.name.replace("MOSTLY_", "").replace("ALL_", "") for kind in LlamaFileType if kind.name != "GUESSED"}
    assert named == FILE_TYPES


@pytest.mark.parametrize(("version", "order"), [(2, "<"), (3, "<"), (3, ">")])
def test_gguf_versions_and_byte_orders(version: int, order: str) -> None:
    header = read_gguf(gguf(version=version, order=order))
    assert (header.version, header.architecture, header.parameters, header.quantization) == (version, "llama", 32, "F16")


def _key(kind: int, payload: bytes) -> list[bytes]:
    return [text("k") + struct.pack("<I", kind) + payload]


HOSTILE = {
    "unknown version": gguf(version=9),
    "string longer than the file": gguf(keys=_key(8, struct.pack("<Q", 1 << 40))),
    "string that is within the limit but not there": gguf(keys=_key(8, struct.pack("<Q", 1 << 20))),
    "unknown type": gguf(keys=_key(77, b"")),
    "array longer than the file": gguf(keys=_key(9, struct.pack("<IQ", 4, 1 << 60))),
    "array of too many strings": gguf(keys=_key(9, struct.pack("<IQ", 8, 1 << 30))),
    "nested arrays": gguf(keys=_key(9, struct.pack("<IQ", 9, 1) * 50)),
    "wide nested arrays": gguf(keys=_key(9, struct.pack("<IQ", 9, 1 << 40))),
    "too many dimensions": gguf(tensors=[text("w") + struct.pack("<I", 99)]),
    "tensor larger than the file": gguf(tensors=[text("w") + struct.pack("<IQQIQ", 2, 1 << 40, 1 << 40, 0, 0)]),
    "tensor behind the end": gguf(tensors=[text("w") + struct.pack("<IQQIQ", 2, 1, 1, 0, 1 << 60)]),
    "too many tensors": BytesReader("x.gguf", b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0)),
    "too many keys": BytesReader("x.gguf", b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60)),
    "other file": BytesReader("x.gguf", b"PK\3\4" + b"\0" * 100),
}


@pytest.mark.parametrize("reader", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_gguf_headers_are_refused(reader: BytesReader) -> None:
    with pytest.raises(UnsupportedFormat, match="GGUF"):
        read_gguf(reader)


@given(st.binary(max_size=300))
def test_gguf_parser_only_raises_hub_errors(data: bytes) -> None:
    for raw in (data, b"GGUF" + data, b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + data):
        with contextlib.suppress(HubError):
            read_gguf(BytesReader("x", raw))


@given(st.integers(min_value=0, max_value=200), st.binary(min_size=1, max_size=8))
def test_gguf_with_changed_bytes_only_raises_hub_errors(at: int, patch: bytes) -> None:
    whole = gguf().read(0, 1 << 20)
    with contextlib.suppress(HubError):
        read_gguf(BytesReader("x", whole[:at] + patch + whole[at + len(patch) :]))

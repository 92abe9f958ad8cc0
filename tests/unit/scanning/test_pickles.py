"""Pickles are looked through without being loaded: real ones of real libraries pass, those that would run something are told."""

from __future__ import annotations

import argparse
import bz2
import collections
import datetime as dt
import gzip
import io
import lzma
import os
import pickle
import random
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_core.reading import BytesReader
from hub_core.scanning import pickles
from hub_core.scanning.imports import Verdict, judge
from hub_core.scanning.pickles import PickleReport, Trouble, look_through


class Runs:
    """Runs a command when it is loaded."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self._call, self._arguments = call, arguments

    def __reduce__(self) -> Any:
        return self._call, self._arguments


def report(data: bytes, name: str = "model.pkl") -> PickleReport:
    return look_through(BytesReader(name, data))


def bad(data: bytes, name: str = "model.pkl") -> set[str]:
    return {found for found, verdict in report(data, name).imports.items() if verdict is Verdict.UNSAFE}


DATA = {
    "weights": np.arange(10.0), "scalar": np.float32(1), "ordered": collections.OrderedDict(a=1), "when": dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    "many": list(range(3000)), "text": "x" * 100_000, "bytes": b"y" * 300_000, "set": {1, 2}, "args": argparse.Namespace(lr=0.1), "complex": 1 + 2j,
}  # fmt: skip


@pytest.mark.parametrize("protocol", range(6))
def test_data_passes(protocol: int) -> None:
    found = report(pickle.dumps(DATA, protocol))
    assert found.trouble is None
    assert set(found.imports.values()) <= {Verdict.SAFE}, found.imports


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("call", "arguments", "name"),
    [
        (os.system, ("true",), "posix.system"),
        (subprocess.check_output, (["true"],), "subprocess.check_output"),
        (eval, ("1",), "builtins.eval"),
        (getattr, (1, "real"), "builtins.getattr"),
    ],
)
def test_what_would_run_something_is_told(protocol: int, call: Any, arguments: Any, name: str) -> None:
    found = bad(pickle.dumps({"fine": 1, "not": Runs(call, *arguments)}, protocol))
    assert found in ({name}, {name.replace("builtins", "__builtin__").replace("subprocess", "commands")}), "old protocols use old names"


def test_nothing_is_loaded(tmp_path: Path) -> None:
    data = pickle.dumps(Runs(os.system, f"touch {tmp_path}/ran"))
    assert bad(data)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zlib.compress, lambda data: zlib.compress(data, 1)])
def test_packed_pickles_are_looked_through(pack: Any) -> None:
    assert bad(pack(pickle.dumps(Runs(os.system, "true"))), "model.joblib") == {"posix.system"}
    assert report(pack(pickle.dumps(DATA)), "model.joblib").trouble is None


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_as_torch_writes_them_are_looked_through(compression: int) -> None:
    fine = archive({"archive/data.pkl": pickle.dumps(DATA, 2), "archive/data/0": b"\0" * 10_000, "archive/version": b"3"}, compression)
    assert report(fine, "model.pt").trouble is None
    assert bad(archive({"archive/data.pkl": pickle.dumps(Runs(os.system, "true"), 2)}, compression), "model.bin") == {"posix.system"}


def test_a_pickle_before_an_archive_and_an_archive_after_a_pickle_are_both_seen() -> None:
    clean, evil = (
        archive({"archive/data.pkl": pickle.dumps({"a": 1})}),
        archive({"archive/data.pkl": pickle.dumps(Runs(os.system, "true"))}),
    )
    assert bad(pickle.dumps(Runs(os.system, "true")) + clean, "model.pt") == {"posix.system"}
    assert bad(pickle.dumps({"a": 1}) + evil, "model.pt") == {"posix.system"}


def test_several_pickles_one_after_the_other_are_seen() -> None:
    legacy = (
        b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"a": 1}, Runs(os.system, "true"))) + b"\1\2\3" * 1000
    )
    assert bad(legacy, "model.pt") == {"posix.system"}


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"cos\nsystem\n(S'true'\ntR", "os.system"),
        (b"\x80\x04S'os'\nS'system'\n\x93.", "os.system"),
        (b"\x80\x04Vo\\u0073\nVsystem\n\x93.", "os.system"),
        (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93.", "os.system"),
        (b"\x80\x04\x8c\x06system\x94\x8c\x02os\x94h\x01h\x00\x93.", "os.system"),
        (b"\x80\x04\x8c\x02osq\x05\x8c\x06systemq\x06h\x05h\x06\x93.", "os.system"),
        (b"\x80\x04\x8c\x0bcollections\x8c\x0fabc.sys.modules\x93.", "collections.abc.sys.modules"),
        (b"\x80\x04\x8c\x05torch\x8c\x08hub.load\x93.", "torch.hub.load"),
        (b"\x80\x04\x8c\x02osN0\x8c\x06system\x93.", "?"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x8c\x01x0\x93.", "?"),
        (b"\x80\x02\x82\x01.", "copyreg.extension.1"),
    ],
)
def test_hand_made_programs_are_seen_through(data: bytes, name: str) -> None:
    found = report(data, "model.bin").imports
    assert found.get(name) in (Verdict.UNSAFE, Verdict.SUSPICIOUS), found


def test_other_files_called_bin_are_left_alone() -> None:
    huge = b"\x8e" + b"\xff" * 5000  # read as a pickle, its first value is longer than any file
    noise = random.Random(7).randbytes(5000)
    for data in (b"GGUF" + b"\3\0\0\0" * 100, b"\0" * 1000, struct.pack("<100f", *range(100)), b'{"a": 1}', noise, huge, b""):
        found = report(data, "data.bin")
        assert (found.imports, found.trouble) == ({}, None)
        packed = report(gzip.compress(data), "data.bin")
        assert packed.trouble is None and Verdict.UNSAFE not in packed.imports.values()


@given(st.binary(max_size=300))
def test_a_small_file_is_never_too_large(data: bytes) -> None:
    assert report(data, "data.bin").trouble is not Trouble.TOO_LARGE
    assert report(gzip.compress(data), "data.bin").trouble is not Trouble.TOO_LARGE


def test_what_cannot_be_read_to_its_end_is_told() -> None:
    assert report(pickle.dumps(DATA)[:-5]).trouble is Trouble.UNREADABLE
    assert report(b"nonsense", "model.pt").trouble is Trouble.UNREADABLE
    assert report(archive({"a/data.pkl": pickle.dumps(DATA)})[:-30], "model.pt").trouble is Trouble.UNREADABLE
    assert report(b"\0" * 257 + b"ustar" + b"\0" * 500, "model.bin").trouble is Trouble.UNREADABLE


def test_gigabytes_of_weights_cost_nothing() -> None:
    class Sparse:
        """A pickle whose one bytes object has three gigabytes of zeros."""

        name, head = "model.pt", b"\x80\x05\x8e" + struct.pack("<Q", 3 << 30)
        size = len(head) + (3 << 30) + 1
        read_bytes = 0

        def read(self, start: int, length: int) -> bytes:
            data = self.head[start : start + length]
            rest = min(length - len(data), self.size - start - len(data))
            self.read_bytes += rest
            tail = b"." if start + len(data) + rest == self.size and rest > 0 else b""
            return data + b"\0" * (rest - len(tail)) + tail

    reader = Sparse()
    found = look_through(reader)
    assert (found.trouble, found.imports) == (None, {})
    assert reader.read_bytes < 8 << 20


def test_bombs_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MAX_UNPACKED", 10 << 20)
    monkeypatch.setattr(pickles, "MAX_INSTRUCTIONS", 10_000)
    zeros = b"\x80\x05\x8e" + struct.pack("<Q", 64 << 20) + b"\0" * (64 << 20) + b"."
    assert report(gzip.compress(zeros), "model.joblib").trouble is Trouble.TOO_LARGE
    assert report(archive({"a.pkl": zeros}, zipfile.ZIP_DEFLATED), "model.pt").trouble is Trouble.TOO_LARGE
    assert report(b"\x80\x05" + b"N0" * 20_000 + b"N.").trouble is Trouble.TOO_LARGE
    assert report(archive({f"{n}.pkl": b"N." for n in range(300)}), "model.pt").trouble is Trouble.TOO_LARGE
    ticks = iter(range(0, 10**9, 1000))
    monkeypatch.setattr(pickles, "MAX_INSTRUCTIONS", 10**9)
    slow = look_through(BytesReader("m.pkl", b"\x80\x05" + b"N0" * 20_000 + b"N."), lambda: float(next(ticks)))
    assert slow.trouble is Trouble.TOO_LARGE


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_survived(data: bytes) -> None:
    report(data, "x.pkl")
    report(b"\x80\x04" + data, "x.bin")


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("torch._utils._rebuild_tensor_v2", Verdict.SAFE), ("torch.FloatStorage", Verdict.SAFE), ("sklearn.linear_model._base.LinearRegression", Verdict.SAFE),
        ("sklearn.datasets.load_files", Verdict.SUSPICIOUS), ("mylib.models.Net", Verdict.SUSPICIOUS), ("torch.load", Verdict.SUSPICIOUS),
        ("os.system", Verdict.UNSAFE), ("posix.popen", Verdict.UNSAFE), ("builtins.exec", Verdict.UNSAFE), ("__main__.Net", Verdict.UNSAFE),
        ("torch.storage._load_from_bytes", Verdict.UNSAFE), ("sklearn.base.os.system", Verdict.UNSAFE), ("functools.partial", Verdict.UNSAFE), ("?", Verdict.UNSAFE),
        ("builtins.set", Verdict.SAFE), ("uuid.UUID", Verdict.SAFE), ("uuid._popen", Verdict.UNSAFE),
    ],
)  # fmt: skip
def test_imports_are_judged(name: str, verdict: Verdict) -> None:
    assert judge(name) is verdict

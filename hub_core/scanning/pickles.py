"""What a pickle would import when it is loaded: everything it can call. Nothing is loaded here.

A pickle is a program; loading one from somebody else runs what it imports and calls. So imports are held against a list of what weights
and datasets need. The same goes for pickles inside zip archives (PyTorch's format) and inside gzip, bz2, xz and zlib (joblib's).
"""

from __future__ import annotations

import bz2
import enum
import gzip
import lzma
import re
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from hub_core.errors import HubError
from hub_core.reading import FileReader, ReaderIO
from hub_core.scanning.imports import Verdict, judge
from hub_core.scanning.opcodes import BrokenPickle, Instruction, instructions

ENDINGS = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill", ".pt2", ".mar")
# Files of these endings need not be pickles: `.bin` is whatever anybody wants.
_MAY_BE_OTHER = (".bin", ".mar")
MAX_INSTRUCTIONS = 3_000_000
MAX_BYTES = 64 * 1024**3
MAX_UNPACKED = 2 * 1024**3
MAX_MEMBERS = 200
MAX_SECONDS = 120.0
_CHUNK = 1 << 20
_ZIP, _TAR = b"PK\x03\x04", b"ustar"
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_TEXT_OPS = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"})
_KEEPING_OPS = frozenset({"MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "PROTO", "FRAME"})
_RECALLING_OPS = frozenset({"GET", "BINGET", "LONG_BINGET"})


class Trouble(enum.StrEnum):
    """Why a file, or a part of it, could not be looked through."""

    UNREADABLE = "unreadable"
    TOO_LARGE = "too large"


@dataclass(slots=True)
class PickleReport:
    """What loading the file would import, as `module.name`, by verdict; `trouble` says why there may be more."""

    imports: dict[str, Verdict] = field(default_factory=dict)
    trouble: Trouble | None = None
    is_pickle: bool = False


class _LimitError(Exception):
    pass


class _Budget:
    """How much may still be read; shared by all parts of a file."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._end = clock() + MAX_SECONDS
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps > MAX_INSTRUCTIONS or (self.steps & 4095 == 0 and self._clock() > self._end):
            raise _LimitError


class _Bytes:
    """A `Stream` over a file object, read in blocks; passing over bytes moves in what can be moved in."""

    def __init__(self, file: BinaryIO, limit: int, *, seekable: bool) -> None:
        self._file, self._left, self._seekable = file, limit, seekable
        self._held, self._at = b"", 0

    def read(self, size: int) -> bytes:
        if len(self._held) - self._at < size:
            self._take(size)
        data = self._held[self._at : self._at + size]
        self._at += len(data)
        return data

    def skip(self, size: int) -> None:
        inside = min(size, len(self._held) - self._at)
        self._at += inside
        rest = size - inside
        if self._seekable:
            self._pass_over(rest)
            return
        while rest > 0:
            data = self._file.read(min(rest, _CHUNK))
            if not data:
                raise BrokenPickle("cut off")
            self._spend(len(data))
            rest -= len(data)

    def _pass_over(self, size: int) -> None:
        at = self._file.tell()
        if at + size > self._file.seek(0, 2):
            raise BrokenPickle("cut off")
        self._spend(size)
        self._file.seek(at + size)

    def line(self, keep: int) -> bytes | None:
        kept = b""
        while True:
            end = self._held.find(b"\n", self._at)
            piece = self._held[self._at : end if end >= 0 else None]
            kept += piece[: keep - len(kept)]
            if end >= 0:
                self._at = end + 1
                return kept
            self._held, self._at = b"", 0
            self._take(1)
            if not self._held:
                return None

    def next_is(self, first: bytes) -> bool:
        if self._at >= len(self._held):
            self._take(1)
        return self._held[self._at : self._at + 1] == first

    def _take(self, size: int) -> None:
        more = self._file.read(max(size, 65_536))
        self._spend(len(more))
        self._held, self._at = self._held[self._at :] + more, 0

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _LimitError


class _Inflated:
    """zlib data as a file object, as joblib writes it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._inflater, self._held = file, zlib.decompressobj(), b""

    def read(self, size: int) -> bytes:
        while len(self._held) < size and not self._inflater.eof:
            raw = self._inflater.unconsumed_tail or self._file.read(_CHUNK)
            if not raw:
                break
            self._held += self._inflater.decompress(raw, _CHUNK)
        data, self._held = self._held[:size], self._held[size:]
        return data


_PACKED: tuple[tuple[bytes, Callable[[BinaryIO], object]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)), (b"BZh", bz2.BZ2File), (b"\xfd7zXZ", lzma.LZMAFile), (b"\x5d\x00\x00", lzma.LZMAFile),
    (b"\x78\x01", _Inflated), (b"\x78\x5e", _Inflated), (b"\x78\x9c", _Inflated), (b"\x78\xda", _Inflated),
)  # fmt: skip
_BROKEN = (
    BrokenPickle,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    HubError,
)


def look_through(reader: FileReader, clock: Callable[[], float] = time.monotonic) -> PickleReport:
    """Find what loading a file would import. Never raises for what is in the file."""
    report = PickleReport()
    try:
        _file(reader, report, _Budget(clock))
    except _LimitError:
        report.trouble = Trouble.TOO_LARGE
    except _BROKEN:
        if report.is_pickle or reader.read(0, 4) == _ZIP or not reader.name.lower().endswith(_MAY_BE_OTHER):
            report.trouble = Trouble.UNREADABLE
        else:
            # Most likely never a pickle; but what can be loaded up to here would run up to here.
            report.imports = {
                name: verdict for name, verdict in report.imports.items() if verdict is Verdict.UNSAFE and _NAME.fullmatch(name)
            }
    return report


def _file(reader: FileReader, report: PickleReport, budget: _Budget) -> None:
    """Everything that some loader may take the file for: it can be several things at once."""
    file = cast(BinaryIO, ReaderIO(reader))
    head = reader.read(0, 512)
    if zipfile.is_zipfile(file):
        _archive(file, report, budget)
    if head.startswith(_ZIP):
        if not report.is_pickle:
            raise zipfile.BadZipFile
        return
    if head[257:262] == _TAR:
        report.is_pickle = True
        raise BrokenPickle("PyTorch's oldest format")
    packed = next((unpack for magic, unpack in _PACKED if head.startswith(magic)), None)
    file.seek(0)
    if packed is not None:
        _pickles(_Bytes(cast(BinaryIO, packed(file)), MAX_UNPACKED, seekable=False), report, budget)
    else:
        report.is_pickle = report.is_pickle or head.startswith(b"\x80")
        _pickles(_Bytes(file, MAX_BYTES, seekable=True), report, budget)


def _archive(file: BinaryIO, report: PickleReport, budget: _Budget) -> None:
    """Every member of a zip that is a pickle by its name or its first byte."""
    report.is_pickle = True
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > 100_000:
            raise _LimitError
        named = [member for member in members if member.filename.lower().endswith((".pkl", ".pickle", ".pt", ".bin", ".joblib"))]
        if len(named) > MAX_MEMBERS:
            raise _LimitError
        for member in named:
            with archive.open(member) as opened:
                stream = _Bytes(cast(BinaryIO, opened), MAX_UNPACKED, seekable=False)
                if member.filename.lower().endswith(".pkl") or stream.next_is(b"\x80"):
                    _pickles(stream, report, budget)


def _pickles(stream: _Bytes, report: PickleReport, budget: _Budget) -> None:
    """One pickle after the other, as old PyTorch files have them; what follows the last one is data."""
    while True:
        for name in _imports(instructions(stream), budget):
            report.imports.setdefault(name, judge(name))
        report.is_pickle = True
        if not stream.next_is(b"\x80"):
            return


def _imports(program: Iterator[Instruction], budget: _Budget) -> Iterator[str]:
    """The imports of a pickle. STACK_GLOBAL takes its names from the stack: the last two things that were put there.

    Real picklers put them there right before; where something else stands in between, the import cannot be told, which is told.
    """
    pushed: list[str | None] = []
    memo: dict[int, str | None] = {}
    for name, argument in program:
        budget.step()
        if name in ("GLOBAL", "INST"):
            yield ".".join(str(argument).split(" ", 1))
            pushed.append(None)
        elif name == "STACK_GLOBAL":
            module, attribute = (pushed[-2], pushed[-1]) if len(pushed) > 1 else (None, None)
            yield "?" if module is None or attribute is None else f"{module}.{attribute}"
            pushed.append(None)
        elif name in ("EXT1", "EXT2", "EXT4"):
            yield f"copyreg.extension.{argument}"
            pushed.append(None)
        elif name in _TEXT_OPS:
            pushed.append(argument if isinstance(argument, str) else None)
        elif name in _RECALLING_OPS:
            pushed.append(memo.get(_index(argument)))
        elif name in _KEEPING_OPS:
            if name not in ("PROTO", "FRAME"):
                memo[len(memo) if name == "MEMOIZE" else _index(argument)] = pushed[-1] if pushed else None
        else:
            pushed.append(None)
        del pushed[:-2]


def _index(argument: object) -> int:
    return int(argument) if isinstance(argument, int | str) and str(argument).strip().isdecimal() else -1

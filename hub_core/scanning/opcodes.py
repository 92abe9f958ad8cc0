"""Walks over the instructions of a pickle without running any of them, and without holding its data.

`pickletools.genops` reads every argument into memory; here long ones are skipped, so that gigabytes of weights cost nothing.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from typing import Protocol

MAX_TEXT = 4096
_CODES = {ord(op.code): op for op in pickletools.opcodes}
_LENGTHS = {pickletools.TAKEN_FROM_ARGUMENT1: 1, pickletools.TAKEN_FROM_ARGUMENT4: 4, pickletools.TAKEN_FROM_ARGUMENT4U: 4, pickletools.TAKEN_FROM_ARGUMENT8U: 8}  # fmt: skip


class BrokenPickle(Exception):
    """The bytes are not a pickle, or end in the middle of one."""


class Stream(Protocol):
    """Bytes to walk over."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, fewer only at the end."""

    def skip(self, size: int, /) -> None:
        """Pass over bytes."""

    def line(self, keep: int, /) -> bytes | None:
        """Pass over a line; its first bytes without the newline, or None when it does not end."""


Instruction = tuple[str, str | int | None]
"""Name of the opcode and its argument: a text where it is one of a short length, a number, or None for what was skipped."""


def instructions(stream: Stream) -> Iterator[Instruction]:
    """The instructions of one pickle, the last of them STOP.

    Raises:
        BrokenPickle: an unknown opcode, or the end of the data before STOP.
    """
    while True:
        code = stream.read(1)
        op = _CODES.get(code[0]) if code else None
        if op is None:
            raise BrokenPickle("unknown instruction" if code else "no STOP")
        yield op.name, _argument(stream, op)
        if op.name == "STOP":
            return


def _argument(stream: Stream, op: pickletools.OpcodeInfo) -> str | int | None:
    if op.arg is None:
        return None
    if op.arg.n == pickletools.UP_TO_NEWLINE:
        if op.name in ("GLOBAL", "INST"):
            return f"{_line(stream)} {_line(stream)}"
        return _text(op.name, _line(stream))
    if op.arg.n in _LENGTHS:
        return _counted(
            stream, int.from_bytes(_exact(stream, _LENGTHS[op.arg.n]), "little"), is_text="UNICODE" in op.name or "STRING" in op.name
        )
    raw = _exact(stream, op.arg.n)
    return int.from_bytes(raw, "little") if op.name != "BINFLOAT" else None


def _counted(stream: Stream, length: int, *, is_text: bool) -> str | None:
    if is_text and length <= MAX_TEXT:
        return _exact(stream, length).decode("utf-8", "replace")
    stream.skip(length)
    return None


def _text(name: str, line: str) -> str:
    """A text as the old protocols write it: quoted, or with escapes."""
    if name == "STRING":
        return line.strip()[1:-1].encode("latin-1", "replace").decode("unicode_escape", "replace")
    return line.encode("latin-1", "replace").decode("raw_unicode_escape", "replace") if name == "UNICODE" else line


def _line(stream: Stream) -> str:
    line = stream.line(MAX_TEXT)
    if line is None:
        raise BrokenPickle("a line without an end")
    return line.decode("utf-8", "replace")


def _exact(stream: Stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise BrokenPickle("cut off")
    return data

"""LFS pointer files: what Git stores in place of a large file."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_POINTER = 1024
MAX_SIZE = 2**63 - 1
PREFIX = b"version https://git-lfs.github.com/spec/v1\n"
_LEGACY = b"version https://hawser.github.com/spec/v1\n"
_OID = re.compile(r"[0-9a-f]{64}")
_BODY = re.compile(rb"(?:ext-\d-[A-Za-z0-9.-]+ [^\n]+\n)*oid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]{0,18})\n?")


@dataclass(frozen=True, slots=True)
class LfsPointer:
    """The sha256 and size of a large file."""

    oid: str
    size: int


def parse_pointer(data: bytes) -> LfsPointer | None:
    """Read a pointer; None when the bytes are anything else. Only a text that is a pointer as a whole counts."""
    if len(data) >= MAX_POINTER:
        return None
    for prefix in (PREFIX, _LEGACY):
        if data.startswith(prefix):
            match = _BODY.fullmatch(data, len(prefix))
            if match and int(match[2]) <= MAX_SIZE:
                return LfsPointer(match[1].decode(), int(match[2]))
    return None


def format_pointer(pointer: LfsPointer) -> bytes:
    """Write a pointer as git-lfs does."""
    return PREFIX + f"oid sha256:{pointer.oid}\nsize {pointer.size}\n".encode()


def valid_oid(oid: object) -> bool:
    """Whether it is a sha256 in lower-case hex."""
    return isinstance(oid, str) and bool(_OID.fullmatch(oid))

"""A push as it comes over SSH, read to its end.

Over HTTP the end of the body ends a push. Over SSH some clients leave the channel open for the answer, so the end is found
in the data: after the commands where nothing but deletions is asked for, else where the pack's checksum fits.
"""

from __future__ import annotations

import hashlib
import io
from asyncio import to_thread
from typing import BinaryIO, Protocol

from hub_core.errors import InvalidInput, TooLarge
from hub_core.git.early import LargeFileWatch
from hub_core.git.receive import read_request
from hub_core.git.types import MIB, ZERO, GitLimits
from hub_core.storage.local import write_staged

_CHUNK = 256 * 1024
_SHA = 20
_MAX_LINES = 64 * MIB


class Stream(Protocol):
    """The part of asyncssh's `SSHReader` that is used."""

    async def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes; nothing at the end."""

    async def readexactly(self, n: int) -> bytes:
        """Exactly `n` bytes."""


async def read_push(stream: Stream, into: BinaryIO, limits: GitLimits) -> None:
    """Copy one push from `stream` into a file, as `GitStore.receive_pack` reads it.

    Raises:
        InvalidInput: it is not what Git sends.
        TooLarge: the pack, or a file in it, has more bytes than `limits` allow.
        StorageFull: the disk is full.
    """
    commands = await _section(stream)
    request = read_request(io.BytesIO(commands + b"0000"), limits)
    if "push-options" in request.capabilities and request.updates:
        commands += await _section(stream)
    await to_thread(write_staged, into, commands)
    if any(update.new != ZERO for update in request.updates):
        await _pack(stream, into, limits)


async def _section(stream: Stream) -> bytes:
    """Pkt-lines up to and with the flush that ends them."""
    out = bytearray()
    while True:
        length = await stream.readexactly(4)
        out += length
        if length == b"0000":
            return bytes(out)
        try:
            size = int(length, 16) - 4
        except ValueError as error:
            raise InvalidInput("The push is not in Git's protocol.", hint="Push again.") from error
        if size < 0 or len(out) > _MAX_LINES:
            raise InvalidInput("The push is not in Git's protocol.", hint="Push again.")
        out += await stream.readexactly(size)


async def _pack(stream: Stream, into: BinaryIO, limits: GitLimits) -> None:
    checksum, tail, total, watch = hashlib.sha1(usedforsecurity=False), b"", 0, LargeFileWatch(limits)

    def take(chunk: bytes) -> None:
        write_staged(into, chunk)
        watch.look(into, into.tell())

    while chunk := await stream.read(_CHUNK):
        total += len(chunk)
        if total > limits.max_pack_bytes:
            raise TooLarge(f"A push may have {limits.max_pack_bytes // MIB} MiB.", hint="Put large files into Git LFS.")
        await to_thread(take, chunk)
        seen = tail + chunk
        checksum.update(seen[:-_SHA])
        tail = seen[-_SHA:]
        if checksum.digest() == tail:
            return

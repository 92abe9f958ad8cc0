"""Looking into a large push while it comes in: a file that is too large for Git is refused before it fills the disk."""

from __future__ import annotations

import mmap
import zlib
from typing import BinaryIO

from hub_core.errors import InvalidInput
from hub_core.git.checks import Findings
from hub_core.git.ingest import large_file, skip_object
from hub_core.git.objects import header_at
from hub_core.git.receive import read_request
from hub_core.git.types import MIB, GitLimits

_STEP = 64 * MIB


class LargeFileWatch:
    """Reads what is there of a push, each time it has grown by 64 MiB. Pushes below the limit for one file cost nothing.

    It sees files by their announced size; what it cannot read is left to the checks of the whole pack.
    """

    def __init__(self, limits: GitLimits) -> None:
        self._limits = limits
        self._next = limits.max_object_bytes + MIB
        self._position = 0
        self._left = 0

    def look(self, push: BinaryIO, size: int) -> None:
        """Look at the first `size` bytes of a push, whose file keeps its position.

        Raises:
            TooLarge: an object is larger than an object may be.
        """
        if size < self._next:
            return
        self._next = size + _STEP
        if not self._position:
            self._find_pack(push)
        if not self._left:
            return
        with mmap.mmap(push.fileno(), size, access=mmap.ACCESS_READ) as data:
            try:
                while self._left:
                    announced = header_at(data, self._position)[1]
                    if announced > self._limits.max_object_bytes:
                        raise large_file("", announced, self._limits)
                    self._position = skip_object(data, self._position, Findings(), self._limits)
                    self._left -= 1
            except (ValueError, IndexError):
                return  # so far it ends within this object
            except zlib.error:
                self._left = 0

    def _find_pack(self, push: BinaryIO) -> None:
        here = push.tell()
        push.seek(0)
        try:
            read_request(push, self._limits)
            self._position = push.tell() + 12
            header = push.read(12)
            self._left = int.from_bytes(header[8:], "big") if header[:4] == b"PACK" else 0
        except InvalidInput:
            self._next = self._limits.max_pack_bytes  # not a push; whoever takes it in will say so
        finally:
            push.seek(here)

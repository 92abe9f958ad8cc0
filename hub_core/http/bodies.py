"""Request bodies into files, and blobs out of storage: streamed, bounded, never whole in memory."""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hub_core.errors import InvalidInput, TooLarge
from hub_core.http.threads import in_thread
from hub_core.storage.local import write_staged

MIB = 1024 * 1024
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_DRAIN = 64 * 1024 * MIB


async def small_body(request: Request) -> bytes | None:
    """The whole body where it is announced to be of a MiB at most; None, and nothing is read, where it is not."""
    announced = request.headers.get("content-length", "")
    return await request.body() if announced.isdecimal() and int(announced) <= MIB else None


async def chunks_of(request: Request, size: int = MIB) -> AsyncIterator[bytes]:
    """The body in pieces of about `size` bytes; small pieces would cost a thread hop each."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) >= size:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


async def pour(request: Request, write: Callable[[bytes], None]) -> None:
    """Hand the body to `write` in a thread, in order; the next MiB comes in while one is written. At most two are in memory."""
    writing: asyncio.Future[None] | None = None
    try:
        held: list[bytes] = []
        size = 0
        async for chunk in request.stream():
            held.append(chunk)
            size += len(chunk)
            if size >= MIB:
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(in_thread(_write_each, write, held))
                held, size = [], 0
        if writing is not None:
            await writing
        await in_thread(_write_each, write, held)
    finally:
        await _settled(writing)


def _write_each(write: Callable[[bytes], None], chunks: list[bytes]) -> None:
    for chunk in chunks:
        write(chunk)


async def _settled(work: asyncio.Future[Any] | None) -> None:
    """Wait until a thread is done with what it works on, also when the request is cancelled; the result is of no interest."""
    if work is not None:
        with anyio.CancelScope(shield=True):
            await asyncio.wait([work])
        if not work.cancelled():
            work.exception()


async def spool(request: Request, limit: int, folder: Path, look: Callable[[BinaryIO, int], None] | None = None) -> BinaryIO:
    """The body, decompressed, in a temporary file at its beginning; the caller closes it.

    `look` is called with the file and its size as it grows, and may refuse what it sees.

    Raises:
        TooLarge: it has more than `limit` bytes, or `look` says so (the rest is read and dropped, so that the client hears the answer).
        InvalidInput: broken compression.
    """

    def take(piece: bytes) -> None:
        write_staged(file, piece)
        if look is not None:
            look(file, total)

    inflater = _inflater(request.headers.get("content-encoding", "identity").strip().lower())
    # Unbuffered: a child process that reads it moves the one position that both share.
    file = cast(BinaryIO, tempfile.TemporaryFile(dir=folder, buffering=0))  # noqa: SIM115
    total = 0
    try:
        async for chunk in chunks_of(request):
            for piece in inflater(chunk):
                total += len(piece)
                if total > limit:
                    raise TooLarge(f"The body has more than {limit // MIB} MiB.", hint="Put large files into Git LFS.")
                await in_thread(take, piece)
        file.seek(0)
    except TooLarge:
        file.close()  # gives its room back before the rest comes
        await drain(request)
        raise
    except zlib.error as error:
        file.close()
        raise InvalidInput("The compressed body is broken.", hint="Try again.") from error
    except BaseException:
        file.close()
        raise
    return file


def _inflater(encoding: str) -> Callable[[bytes], Iterator[bytes]]:
    if encoding in {"", "identity"}:
        return lambda chunk: iter([chunk])
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise InvalidInput(f"The content encoding '{encoding}' is not known.", hint="Use gzip.")
    decoder = zlib.decompressobj(47)

    def inflate(chunk: bytes) -> Iterator[bytes]:
        while chunk:
            yield decoder.decompress(chunk, MIB)
            chunk = decoder.unconsumed_tail

    return inflate


async def drain(request: Request) -> None:
    """Read the rest of a body and drop it: many clients hear no answer before they have sent all."""
    read = 0
    with contextlib.suppress(RuntimeError):  # it was read to its end
        async for chunk in request.stream():
            read += len(chunk)
            if read > _DRAIN:
                return


async def in_threads(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """A blocking iterator as an asynchronous one, always a piece ahead; it is closed when the client goes away."""
    reading = asyncio.ensure_future(in_thread(next, chunks, None))
    try:
        while (chunk := await reading) is not None:
            reading = asyncio.ensure_future(in_thread(next, chunks, None))
            yield chunk
    finally:
        await _settled(reading)
        close = getattr(chunks, "close", None)
        if close is not None:
            with anyio.CancelScope(shield=True):
                await in_thread(close)


def blob_response(
    request: Request,
    size: int,
    read: Callable[[int, int], Iterator[bytes]],
    *,
    path: Path | None = None,
    headers: dict[str, str] | None = None,
    media_type: str = "application/octet-stream",
) -> Response:
    """Answer GET or HEAD for a blob, whole or one range; `read` gives the bytes `[start, end)`, or the file at `path` has them.

    A range beyond the end is 416; several ranges, or a malformed one, are answered with the whole. Call it in a thread: what is small it
    reads at once.
    """
    headers = {"Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff", **(headers or {})}
    asked = request.headers.get("range", "")
    if_range = request.headers.get("if-range", "")
    span = byte_range(asked, size) if asked and if_range in {"", headers.get("ETag", "")} else (0, size)
    if span is None:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    start, end = span
    partial = (start, end) != (0, size) or bool(asked and size and _RANGE.fullmatch(asked.strip()))
    if partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    status = 206 if partial else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    chunks = read(start, end) if path is None else _of_file(path, start, end)
    if end - start <= MIB and path is not None:
        return Response(b"".join(chunks), status_code=status, headers=headers, media_type=media_type)
    return StreamingResponse(in_threads(chunks), status_code=status, headers=headers, media_type=media_type)


def _of_file(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while start < end and (chunk := file.read(min(MIB, end - start))):
            start += len(chunk)
            yield chunk


def byte_range(text: str, size: int) -> tuple[int, int] | None:
    """`[start, end)` of a Range header; everything when it is not one range; None when it lies outside."""
    match = _RANGE.fullmatch(text.strip())
    if match is None or match[1] == match[2] == "":
        return 0, size
    if match[1] == "":
        length = int(match[2])
        return (max(size - length, 0), size) if length and size else None
    start, end = int(match[1]), min(int(match[2]) + 1 if match[2] else size, size)
    if match[2] and int(match[2]) < start:
        return 0, size
    return (start, end) if start < size else None

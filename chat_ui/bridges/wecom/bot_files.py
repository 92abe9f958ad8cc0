"""Files of an intelligent bot: fetched from an address and decrypted; sent in pieces over the connection."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import PurePosixPath

import httpx

from chat_ui.bridges.port import ChannelError, Undeliverable
from chat_ui.bridges.tencent.api import CHUNK, TIMEOUT_S, limited
from chat_ui.bridges.tencent.crypto import NotGenuine, decrypt_file
from chat_ui.bridges.wecom.connection import Connection

MAX_IN = 64 * 1024 * 1024
MIN_OUT, MAX_OUT, MAX_PICTURE, PIECE = 5, 20 * 1024 * 1024, 10 * 1024 * 1024, 512 * 1024
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif"})


def download(ref: str, *, plain: bool) -> Iterator[bytes]:
    """The bytes of a file that a member sent. It is decrypted as a whole, so it is read as a whole.

    Args:
        plain: whether addresses without TLS are good enough, as they are where the bot's own address has none.

    Raises:
        ChannelError: it cannot be fetched. Undeliverable: it is too large, or damaged.
    """
    try:
        found = json.loads(ref)
        url, key = str(found["url"]), str(found["key"])
    except (ValueError, TypeError, KeyError) as error:
        raise Undeliverable("no such file") from error
    if not url.startswith(("https://", "http://") if plain else "https://"):
        raise Undeliverable("the file is at no safe address")
    try:
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False) as client, client.stream("GET", url) as answer:
            if answer.status_code != 200:
                raise ChannelError(f"the file could not be fetched: status {answer.status_code}")
            content = b"".join(limited(answer.iter_bytes(CHUNK), MAX_IN))
    except httpx.HTTPError as error:
        raise ChannelError(f"the file could not be fetched: {type(error).__name__}") from error
    try:
        yield decrypt_file(content, key) if key else content
    except NotGenuine as error:
        raise Undeliverable("the file is damaged") from error


def upload(connection: Connection, filename: str, content: bytes) -> tuple[str, str]:
    """Send the bytes of a file; returns its kind and its id for a message.

    Raises:
        ChannelError: not now. Undeliverable: it is larger than WeCom takes, or empty.
    """
    if not MIN_OUT <= len(content) <= MAX_OUT:
        raise Undeliverable("the file is larger than WeCom takes, or empty")
    kind = "image" if PurePosixPath(filename).suffix.lower() in PICTURES and len(content) <= MAX_PICTURE else "file"
    pieces = [content[at : at + PIECE] for at in range(0, len(content), PIECE)]
    whole = {
        "type": kind, "filename": filename, "total_size": len(content), "total_chunks": len(pieces),
        "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
    }  # fmt: skip
    begun = str((connection.request("aibot_upload_media_init", whole).get("body") or {}).get("upload_id") or "")
    for index, piece in enumerate(pieces):
        body = {"upload_id": begun, "chunk_index": index, "base64_data": base64.b64encode(piece).decode()}
        connection.request("aibot_upload_media_chunk", body)
    done = connection.request("aibot_upload_media_finish", {"upload_id": begun})
    return kind, str((done.get("body") or {}).get("media_id") or "")

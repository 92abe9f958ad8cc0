"""Blob storage: one port, adapters for a local folder, S3 and memory."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from hub_core.errors import InvalidInput
from hub_core.settings import Settings
from hub_core.storage.local import LocalBlobStore
from hub_core.storage.memory import MemoryBlobStore
from hub_core.storage.port import CHUNK, BlobInfo, BlobStore, DirectParts
from hub_core.storage.s3 import S3BlobStore

__all__ = ["CHUNK", "BlobInfo", "BlobStore", "DirectParts", "LocalBlobStore", "MemoryBlobStore", "S3BlobStore", "open_blob_store"]


def open_blob_store(settings: Settings) -> BlobStore:
    """The store that `HUB_STORAGE_URL` names.

    Raises:
        InvalidInput: the URL is neither `file:` nor `s3:`.
        Unavailable: the bucket cannot be reached or made.
    """
    url = urlsplit(settings.storage)
    if url.scheme == "file":
        return LocalBlobStore(Path(unquote(url.path)))
    if url.scheme == "s3" and url.netloc:
        store = S3BlobStore(
            url.netloc,
            url.path,
            endpoint_url=settings.s3_endpoint_url,
            public_url=settings.s3_public_url,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key,
            timeout_s=settings.s3_timeout_s,
            staging=settings.data_dir / "cache" / "staging",
        )
        store.ensure_bucket()
        return store
    raise InvalidInput("HUB_STORAGE_URL must be file:///path or s3://bucket/prefix.", hint="See docs/settings.md.")

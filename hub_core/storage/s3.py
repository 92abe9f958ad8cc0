"""Blobs in an S3-compatible bucket (boto3)."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from hub_core.errors import Unavailable
from hub_core.storage.port import CHUNK, BlobInfo, absent, check_key
from hub_core.storage.s3_errors import ABSENT, TAKEN, store_errors
from hub_core.storage.s3_parts import S3Parts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PART = 16 * CHUNK
# The client waits longer before each new attempt, and makes fewer when the store fails for everybody.
_ATTEMPTS = 4
_BROKEN_READS = 3


class S3BlobStore:
    """Blobs in a bucket under a prefix. The hub keeps its own digests and never relies on the store's."""

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str = "",
        public_url: str = "",
        access_key: str = "",
        secret_key: str = "",
        timeout_s: float = 20,
        staging: Path,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._staging = staging
        self._staging.mkdir(parents=True, exist_ok=True)
        config = Config(
            # The older signature covers the content type, which clients choose as they send a part.
            signature_version="s3v4",
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            connect_timeout=min(5, timeout_s),
            read_timeout=timeout_s,
            tcp_keepalive=True,
            max_pool_connections=64,
            s3={"addressing_style": "path" if endpoint_url else "auto"},
        )

        def connect(endpoint: str) -> S3Client:
            return boto3.client(
                "s3",
                endpoint_url=endpoint or None,
                aws_access_key_id=access_key or None,
                aws_secret_access_key=secret_key or None,
                region_name="us-east-1" if endpoint else None,
                config=config,
            )

        self._client = connect(endpoint_url)
        # An address is signed for the host that it names, so clients that know the store by another one need their own.
        self._signer = connect(public_url) if public_url else self._client
        self._transfer = TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=4)

    @property
    def staging(self) -> Path:
        """A local folder; files are uploaded from it."""
        return self._staging

    def _key(self, key: str) -> str:
        return self._prefix + check_key(key)

    def put(self, key: str, chunks: Iterable[bytes], *, if_absent: bool = False) -> bool:
        """Store the bytes; with `if_absent` only when the key is free."""
        full = self._key(key)
        with tempfile.NamedTemporaryFile(dir=self._staging) as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            if not if_absent:
                self._upload(full, file.name)
                return True
            file.seek(0)
            try:
                with store_errors(TAKEN):
                    self._client.put_object(Bucket=self._bucket, Key=full, Body=file.read(), IfNoneMatch="*")
            except ClientError:
                return False
            return True

    def put_file(self, key: str, path: Path, *, move: bool = False) -> None:
        """Store a local file, in parts when it is large."""
        self._upload(self._key(key), str(path))
        if move:
            path.unlink()

    def _upload(self, full: str, path: str) -> None:
        # Of a file by name the parts are sent as they are read; of an open one ten whole parts would be in memory.
        with store_errors():
            self._client.upload_file(path, self._bucket, full, Config=self._transfer)

    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes `[start, end)` in chunks of 1 MiB; a broken connection is resumed."""
        full = self._key(key)
        size = self.size(key)
        if size is None:
            raise absent(key)
        stop = size if end is None else min(end, size)

        def chunks() -> Iterator[bytes]:
            position, failures = start, 0
            while position < stop:
                try:
                    with store_errors(ABSENT):
                        body = self._client.get_object(Bucket=self._bucket, Key=full, Range=f"bytes={position}-{stop - 1}")["Body"]
                        for chunk in body.iter_chunks(CHUNK):
                            position += len(chunk)
                            failures = 0
                            yield chunk
                except Unavailable:
                    failures += 1
                    if failures == _BROKEN_READS:
                        raise
                except ClientError as error:
                    raise absent(key) from error

        return chunks()

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes from `start`, all or `length` of them."""
        return b"".join(self.get(key, start, None if length is None else start + length))

    def size(self, key: str) -> int | None:
        """The size in bytes, or None."""
        try:
            with store_errors(ABSENT):
                return self._client.head_object(Bucket=self._bucket, Key=self._key(key))["ContentLength"]
        except ClientError:
            return None

    def delete(self, key: str) -> None:
        """Remove a blob."""
        try:
            with store_errors(ABSENT):
                self._client.delete_object(Bucket=self._bucket, Key=self._key(key))
        except ClientError:
            return

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """All blobs whose key begins with `prefix`."""
        with store_errors():
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for item in page.get("Contents", []):
                    yield BlobInfo(item["Key"][len(self._prefix) :], item["Size"], item["LastModified"])

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002
        """None: blobs are not on this machine."""
        return None

    def rename(self, key: str, new_key: str) -> None:
        """Copy inside the store, in parts when it is large, and delete."""
        try:
            with store_errors(ABSENT):
                source = {"Bucket": self._bucket, "Key": self._key(key)}
                self._client.copy(source, self._bucket, self._key(new_key), Config=self._transfer)  # type: ignore[arg-type]
        except ClientError as error:
            raise absent(key) from error
        self.delete(key)

    @property
    def direct_parts(self) -> S3Parts:
        """S3's own multipart uploads, by presigned addresses."""
        return S3Parts(self._client, self._signer, self._bucket, self._prefix)

    def download_url(self, key: str, *, expires_s: int = 3600, filename: str = "") -> str | None:
        """A presigned URL."""
        params: dict[str, Any] = {"Bucket": self._bucket, "Key": self._key(key)}
        if filename:
            params["ResponseContentDisposition"] = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
        return self._signer.generate_presigned_url("get_object", Params=params, ExpiresIn=expires_s)

    def range_url(self, key: str, start: int, end: int, *, expires_s: int = 3600) -> str | None:
        """A presigned URL; the range is part of what is signed."""
        params = {"Bucket": self._bucket, "Key": self._key(key), "Range": f"bytes={start}-{end - 1}"}
        return self._signer.generate_presigned_url("get_object", Params=params, ExpiresIn=expires_s)

    def ensure_bucket(self) -> None:
        """Make the bucket when it is not there.

        Raises:
            Unavailable: the store does not answer or refuses the credentials.
        """
        try:
            with store_errors({*ABSENT, "NoSuchBucket"}):
                self._client.head_bucket(Bucket=self._bucket)
        except Unavailable as error:
            raise Unavailable(error.message, hint="Check HUB_STORAGE_URL and HUB_S3_*.") from error
        except ClientError:
            # Another node may make it at the same moment.
            with contextlib.suppress(ClientError), store_errors({"BucketAlreadyOwnedByYou"}):
                self._client.create_bucket(Bucket=self._bucket)

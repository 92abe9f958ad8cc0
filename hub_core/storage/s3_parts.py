"""S3's multipart uploads, with presigned addresses for the parts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from hub_core.errors import NotFound
from hub_core.storage.port import check_key
from hub_core.storage.s3_errors import BAD_PARTS, store_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class S3Parts:
    """See `DirectParts`. `signer` knows the store by the name that clients know."""

    client: S3Client
    signer: S3Client
    bucket: str
    prefix: str

    def _key(self, key: str) -> str:
        return self.prefix + check_key(key)

    def begin(self, key: str) -> str:
        """Start an upload."""
        with store_errors():
            return self.client.create_multipart_upload(Bucket=self.bucket, Key=self._key(key))["UploadId"]

    def address(self, key: str, upload: str, number: int, *, expires_s: int = 3600) -> str:
        """A presigned address for a part."""
        params = {"Bucket": self.bucket, "Key": self._key(key), "UploadId": upload, "PartNumber": number}
        return self.signer.generate_presigned_url("upload_part", Params=params, ExpiresIn=expires_s)

    def finish(self, key: str, upload: str, tags: Sequence[tuple[int, str]]) -> None:
        """Make the blob."""
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in sorted(tags)]
        try:
            with store_errors(BAD_PARTS):
                self.client.complete_multipart_upload(
                    Bucket=self.bucket,
                    Key=self._key(key),
                    UploadId=upload,
                    MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
                )
        except ClientError as error:
            raise NotFound("A part did not come, or not as it was.", hint="Send it, and complete again.") from error

    def abandon(self, prefix: str, before: dt.datetime) -> int:
        """Drop what was never finished."""
        dropped = 0
        with store_errors():
            for page in self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                for item in page.get("Uploads", []):
                    if item["Initiated"] < before:
                        self.client.abort_multipart_upload(Bucket=self.bucket, Key=item["Key"], UploadId=item["UploadId"])
                        dropped += 1
        return dropped

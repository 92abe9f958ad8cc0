"""What goes wrong in an S3 store, as the hub's errors."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from hub_core.errors import StorageFull, Unavailable

_FULL = {"QuotaExceeded", "InsufficientCapacity", "XMinioStorageFull", "507"}
ABSENT = {"404", "NoSuchKey", "NotFound"}
TAKEN = {"PreconditionFailed", "412", "ConditionalRequestConflict"}
BAD_PARTS = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "NoSuchUpload", "InvalidRequest", "MalformedXML"}


def error_code(error: ClientError) -> str:
    """The store's word for what went wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def store_errors(expected: Collection[str] = ()) -> Iterator[None]:
    """Turn failures of the store into the hub's errors; answers with an `expected` code stay `ClientError`."""
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _FULL or status == 507:
            raise StorageFull("The bucket of the hub is full; nothing was stored.", hint="Ask an administrator.") from error
        if code in expected:
            raise
        raise Unavailable(
            f"The blob storage refused the request ({code or status}).", hint="Try again; then ask an administrator."
        ) from error
    except (BotoCoreError, boto3.exceptions.Boto3Error) as error:
        raise Unavailable("The blob storage does not answer.", hint="Try again; then ask an administrator.") from error

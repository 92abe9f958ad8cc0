"""Files put into a conversation. Their bytes wait in the blob store until they are committed or swept."""

from __future__ import annotations

import datetime as dt
import hashlib
import unicodedata
import uuid
from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from hub_core import audit
from hub_core.accounts.lookup import storable
from hub_core.authz import Actor, Permission, require_scope
from hub_core.conversations.tables import Attachment
from hub_core.conversations.views import AttachmentView
from hub_core.db import Database, utcnow
from hub_core.errors import AttachmentNotFound, InvalidInput, TooLarge
from hub_core.storage.port import BlobStore


class Attachments:
    """The attachments part of `ConversationService`."""

    _db: Database
    _blobs: BlobStore
    _max_bytes: int

    def store_attachment(self, actor: Actor, filename: str, chunks: Iterable[bytes]) -> AttachmentView:
        """Keep a file as it streams in.

        Raises:
            TooLarge: more than the limit; nothing is kept.
            InvalidInput: no usable file name.
        """
        require_scope(actor, Permission.CHAT)
        attachment_id = str(uuid.uuid4())
        name = clean_filename(filename)
        digest = hashlib.sha256()
        size = 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                size += len(chunk)
                if size > self._max_bytes:
                    limit = self._max_bytes // 2**20
                    raise TooLarge(
                        f"A file in a conversation has at most {limit} MiB.", hint="Push larger files with Git LFS.", limit_mb=limit
                    )
                digest.update(chunk)
                yield chunk

        self._blobs.put(blob_key(attachment_id), counted())
        with self._db.write() as session:
            row = Attachment(
                id=attachment_id, user_id=actor.user_id, filename=name, size=size, sha256=digest.hexdigest(), created_at=utcnow()
            )
            session.add(row)
            audit.record(session, actor, "attachment.create", name, size=size)
            return _attachment(row)

    def get_attachment(self, actor: Actor, attachment_id: str) -> AttachmentView:
        """One of the caller's own, by id, or by file name (the newest of that name).

        Raises:
            AttachmentNotFound: none, or somebody else's.
        """
        attachment_id = storable(attachment_id)
        query = sa.select(Attachment).where(
            Attachment.user_id == actor.user_id, sa.or_(Attachment.id == attachment_id, Attachment.filename == attachment_id)
        )
        with self._db.read() as session:
            row = session.scalar(query.order_by(Attachment.created_at.desc()).limit(1))
            if row is None:
                raise AttachmentNotFound("There is no such file in your conversations.", hint="Attach the file to your message first.")
            return _attachment(row)

    def open_attachment(self, actor: Actor, attachment_id: str) -> Iterator[bytes]:
        """The bytes of one of the caller's own files, in chunks.

        Raises:
            AttachmentNotFound: none, or somebody else's.
        """
        return self._blobs.get(blob_key(self.get_attachment(actor, attachment_id).id))

    def sweep_attachments(self, older_than: dt.timedelta = dt.timedelta(days=7)) -> int:
        """Drop files that nobody committed for a while; returns how many. Called by housekeeping."""
        with self._db.write() as session:
            rows = list(session.scalars(sa.select(Attachment).where(Attachment.created_at < utcnow() - older_than).limit(1000)))
            for row in rows:
                session.delete(row)
        for row in rows:
            self._blobs.delete(blob_key(row.id))
        return len(rows)


def blob_key(attachment_id: str) -> str:
    """Where the bytes of an attachment are in the blob store."""
    return f"attachments/{attachment_id[:2]}/{attachment_id}"


def clean_filename(name: str) -> str:
    """The last part of a path, without control or invisible characters.

    Raises:
        InvalidInput: nothing is left of it.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    clean = "".join(char for char in last if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}).strip()
    if clean in {"", ".", ".."}:
        raise InvalidInput("The file needs a name.", hint="Send it as multipart/form-data with a file name.")
    return clean[-255:]


def _attachment(row: Attachment) -> AttachmentView:
    return AttachmentView(row.id, row.filename, row.size, row.sha256, row.created_at)

"""Conversations: threads with their messages, attachments, and what can be undone."""

from __future__ import annotations

from hub_core.conversations.attachments import Attachments
from hub_core.conversations.retold import RetoldTurns
from hub_core.conversations.threads import Threads
from hub_core.conversations.undo import UndoLog
from hub_core.db import Database
from hub_core.storage.port import BlobStore


class ConversationService(Threads, Attachments, UndoLog, RetoldTurns):
    """Everything a conversation keeps; each caller sees only their own."""

    def __init__(self, db: Database, blobs: BlobStore, max_attachment_bytes: int) -> None:
        self._db = db
        self._blobs = blobs
        self._max_bytes = max_attachment_bytes

"""Conversations as others see them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ThreadView:
    """One conversation."""

    id: str
    title: str
    channel: str
    created_at: dt.datetime
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """Some conversations, newest first; `next` is the cursor of the next page, or None."""

    items: tuple[ThreadView, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message; `payload` holds the whole answer of a turn."""

    id: str
    seq: int
    role: str
    text: str
    payload: dict[str, Any]
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class AttachmentView:
    """A file put into a conversation."""

    id: str
    filename: str
    size: int
    sha256: str
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class UndoView:
    """A change of a thread and the call that reverts it."""

    id: int
    tool: str
    args: dict[str, Any]
    inverse_tool: str
    inverse_args: dict[str, Any]
    created_at: dt.datetime

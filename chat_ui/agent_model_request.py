"""What a client of OpenAI's API asks of the agent: the last message, and the place of the conversation that its history names."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub_core.errors import InvalidInput

MAX_MESSAGES = 5000
NOTHING_TO_DO = "{}"
"""The answer to a chore: no title, no tags, no follow-ups. Clients then use their own."""

_DATA_URL = re.compile(r"data:(?P<type>[\w.+/-]*)(?:;[\w=.+-]+)*;base64,", re.ASCII)
_RETRY, _KEY, _THREAD = "x-stainless-retry-count", "idempotency-key", "x-hub-thread"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, read.

    Attributes:
        text, files: the last message of the person; `files` are name and bytes.
        said: everything that was sent, for counting.
        replies: what was answered before. They alone name the place: clients rewrite the person's words when they add documents to them.
        thread_id: a thread that the client named itself.
        again: the client says that it sends this a second time, or gave it a key.
        chore: not a wish of the person but work of the client's own on the conversation, such as finding a title for it.
    """

    text: str
    files: tuple[tuple[str, bytes], ...]
    said: str
    replies: tuple[str, ...]
    thread_id: str | None
    again: bool
    key: str
    stream: bool
    include_usage: bool
    chore: bool

    @property
    def history(self) -> str:
        """The digest of the place before this message; empty at the beginning."""
        return _digest(*self.replies) if self.replies else ""

    @property
    def digest(self) -> str:
        """The digest of the whole request."""
        return _digest(*self.replies, "?", _folded(self.text), *(hashlib.sha256(data).hexdigest() for _, data in self.files), self.key)

    @property
    def placed(self) -> bool:
        """Whether the history alone tells this message from the same words said at another time."""
        return bool(self.replies) and self.thread_id is None

    @property
    def repeatable(self) -> bool:
        """Whether this may be a message that was answered before."""
        return self.placed or self.again

    def after(self, reply: str) -> str:
        """The digest of the place once it was answered with `reply`."""
        return _digest(*self.replies, _folded(reply))


def read_request(body: Mapping[str, Any], headers: Mapping[str, str]) -> Asked:
    """Read the body of `/v1/chat/completions`. System messages and whatever tunes a language model are left aside.

    Raises:
        InvalidInput: it does not fit, or asks for what the agent does not do.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or len(messages) > MAX_MESSAGES or not all(isinstance(one, dict) for one in messages):
        raise InvalidInput(f"'messages' is a list of 1 to {MAX_MESSAGES:,} messages.", hint="The last one is the person's.")
    if body.get("n") not in (None, 1):
        raise InvalidInput("The agent gives one answer.", hint="Leave out 'n'.")
    last = messages[-1]
    if last.get("role") != "user":
        raise InvalidInput("The last message is not the person's.", hint="Its role is 'user'; the agent runs its own tools.")
    text, files = _content(last.get("content"))
    told = [_text_of(message.get("content")) for message in messages]
    options, metadata = body.get("stream_options"), body.get("metadata")
    named = headers.get(_THREAD) or (metadata.get("thread_id") if isinstance(metadata, dict) else None)
    return Asked(
        text=text,
        files=tuple(files),
        said="\n".join(told),
        replies=tuple(_folded(said) for said, one in zip(told, messages, strict=True) if one.get("role") == "assistant" and said.strip()),
        thread_id=str(named)[:64] if named else None,
        again=headers.get(_RETRY, "0") not in ("", "0") or _KEY in headers,
        key=headers.get(_KEY, "")[:256],
        stream=body.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        chore=text.startswith("### Task:") and "<chat_history>" in text,
    )


def _content(content: Any) -> tuple[str, list[tuple[str, bytes]]]:
    """The text of a message, and its files."""
    files = []
    for part in content if isinstance(content, list) else []:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "image_url":
            inside = part.get("image_url")
            files.append(_file("", inside.get("url") if isinstance(inside, dict) else inside))
        elif kind == "file":
            inside = part.get("file")
            inside = inside if isinstance(inside, dict) else {}
            files.append(_file(str(inside.get("filename") or ""), inside.get("file_data")))
        elif kind != "text":
            raise InvalidInput("A message has text, images and files.", hint="Give files as data URLs.")
    return _text_of(content), files


def _file(name: str, url: Any) -> tuple[str, bytes]:
    found = _DATA_URL.match(url) if isinstance(url, str) else None
    if found is None:
        raise InvalidInput("A file comes with the message, as a data URL.", hint="The hub fetches nothing from other addresses.")
    try:
        data = base64.b64decode(url[found.end() :], validate=True)
    except binascii.Error as error:
        raise InvalidInput("The file in the message is not valid base64.", hint="Send it again.") from error
    return name or f"file.{found['type'].rpartition('/')[2] or 'bin'}", data


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def _folded(text: str) -> str:
    """A text without what clients change in it: spaces and line breaks."""
    return " ".join(text.split())


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()

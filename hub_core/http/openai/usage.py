"""Tokens that a request took, as its server told them: from a JSON answer, or from the last event of a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson

MAX_EVENT = 1024 * 1024


def tokens(answer: Any) -> tuple[int, int]:
    """Prompt and completion tokens of an answer; 0 where it does not say."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(usage, dict):
        return 0, 0
    return _number(usage.get("prompt_tokens")), _number(usage.get("completion_tokens"))


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40 else 0


class EventStream:
    """Passes server-sent events on as they are, and notes the tokens that one of them tells.

    The hub asks every server for its count. `keep_usage` is whether the caller asked too; otherwise the event that holds nothing else
    stays here, as a client that did not ask for it may not know it.
    """

    def __init__(self, *, keep_usage: bool) -> None:
        self._keep_usage = keep_usage
        self._rest = b""
        self.prompt_tokens = 0
        self.completion_tokens = 0

    async def through(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The events of `chunks`, whole ones at a time."""
        async for chunk in chunks:
            # Most chunks are whole events without a count: they go on untouched.
            if not self._rest and b'"usage"' not in chunk and chunk.endswith(b"\n\n"):
                yield chunk
                continue
            whole, mark, self._rest = (self._rest + chunk).rpartition(b"\n\n")
            if len(self._rest) > MAX_EVENT:
                whole, self._rest = whole + mark + self._rest, b""
                mark = b""
            if whole:
                passed = self._look(whole + mark)
                if passed:
                    yield passed
        if self._rest:
            yield self._rest

    def _look(self, events: bytes) -> bytes:
        if b'"usage"' not in events:
            return events
        return b"".join(event + b"\n\n" for event in events.split(b"\n\n") if event and not self._is_only_usage(event))

    def _is_only_usage(self, event: bytes) -> bool:
        if b'"usage"' not in event or not event.startswith(b"data:"):
            return False
        try:
            content = orjson.loads(event[5:])
        except orjson.JSONDecodeError:
            return False
        prompt, completion = tokens(content)
        self.prompt_tokens, self.completion_tokens = max(self.prompt_tokens, prompt), max(self.completion_tokens, completion)
        return not self._keep_usage and isinstance(content, dict) and content.get("choices") == [] and bool(content.get("usage"))

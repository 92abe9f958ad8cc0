"""Calls of the HTTP APIs of WeChat and WeCom: JSON in, JSON out, errors as `errcode` in an answer with status 200.

The access token is part of the address, so addresses are never logged nor put into an error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import httpx

from chat_ui.bridges.port import ChannelError, Undeliverable
from chat_ui.bridges.tencent.tokens import Tokens

log = logging.getLogger(__name__)
TIMEOUT_S = 10.0
CHUNK = 64 * 1024
BAD_TOKEN = frozenset({40001, 40014, 42001})
CLOSED = frozenset({45015, 45047})
"""The person has to write first: they were silent for 48 hours, or got as many messages as one of theirs allows."""
SLOW_DOWN = frozenset({45009, 45011, 45033, 45035})
NEVER = frozenset({
    40003,  # no such person
    40013, 40125,  # the account or its secret is wrong
    40056,  # no such application
    43004,  # the person does not follow the account
    48001, 48002,  # the account may not do this
    50005, 60111, 81013,  # no such person, or the application is not for them
})  # fmt: skip
SLOW_DOWN_S, CLOSED_S = 60.0, 3600.0


class Closed(ChannelError):
    """The platform takes messages for this person only after they write again."""


class Refused(ChannelError):
    """The platform answered with an `errcode`."""

    def __init__(self, code: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{code} {message}", retry_after)
        self.code = code


class Api:
    """The API of one account.

    Args:
        url: its base address; another one in tests, and where a proxy stands between.
    """

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url.rstrip("/"), timeout=TIMEOUT_S, follow_redirects=False)

    def close(self) -> None:
        """End its connections."""
        self._client.close()

    def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """One call without a token.

        Raises:
            ChannelError: it failed; `Undeliverable` when it always will.
        """
        try:
            answer = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise ChannelError(f"{path}: {type(error).__name__}") from error
        return _understood(path, answer.status_code, _json(answer))

    def signed(self, tokens: Tokens, method: str, path: str, *, params: dict[str, str] | None = None, **options: Any) -> dict[str, Any]:
        """One call with the account's token; once more where the platform does not know it any more.

        Raises:
            ChannelError: as `call`.
        """
        token = tokens.get()
        try:
            return self.call(method, path, params={**(params or {}), "access_token": token}, **options)
        except Refused as error:
            if error.code not in BAD_TOKEN:
                raise
        tokens.refused(token)
        return self.call(method, path, params={**(params or {}), "access_token": tokens.get()}, **options)

    def download(self, tokens: Tokens, path: str, params: dict[str, str], limit: int) -> Iterator[bytes]:
        """The bytes of a file.

        Raises:
            ChannelError: as `call`; `Undeliverable` when the file is larger than `limit`.
        """
        token = tokens.get()
        try:
            yield from self._bytes(path, {**params, "access_token": token}, limit)
            return
        except Refused as error:
            if error.code not in BAD_TOKEN:
                raise
        tokens.refused(token)
        yield from self._bytes(path, {**params, "access_token": tokens.get()}, limit)

    def _bytes(self, path: str, params: dict[str, str], limit: int) -> Iterator[bytes]:
        try:
            with self._client.stream("GET", path, params=params) as answer:
                kind = answer.headers.get("content-type", "")
                if answer.status_code != 200 or "json" in kind or ("text/plain" in kind and "content-disposition" not in answer.headers):
                    answer.read()
                    _understood(path, answer.status_code, _json(answer))
                    raise ChannelError(f"{path}: no file")
                yield from limited(answer.iter_bytes(CHUNK), limit)
        except httpx.HTTPError as error:
            raise ChannelError(f"{path}: {type(error).__name__}") from error


def limited(chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """The chunks.

    Raises:
        Undeliverable: they are more than `limit` bytes.
    """
    left = limit
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise Undeliverable("the file is too large")
        yield chunk


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _understood(path: str, status: int, answer: dict[str, Any]) -> dict[str, Any]:
    if status != 200 or not answer:
        raise ChannelError(f"{path}: status {status}")
    code, message = answer.get("errcode", 0), str(answer.get("errmsg", "")).split(" rid:")[0].split(", hint:")[0][:120]
    if code in (0, None):
        return answer
    log.info("the platform refused a call: %s errcode=%s", path, code)
    if code in NEVER:
        raise Undeliverable(f"{code} {message}")
    if code in CLOSED:
        raise Closed(f"{code} {message}", CLOSED_S)
    raise Refused(int(code), message, SLOW_DOWN_S if code in SLOW_DOWN else None)

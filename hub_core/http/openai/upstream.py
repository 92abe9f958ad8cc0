"""The gateway's connections to the copies of deployments: kept open, asked at once, closed when a caller leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import orjson

CONNECT_S, SILENCE_S = 5.0, 600.0
_JSON = {"content-type": "application/json"}
# What it would say of itself, and formats that nobody here unpacks.
_UNSAID = ("accept-encoding", "user-agent")

BROKEN = (aiohttp.ClientError, TimeoutError)
"""What an answer that breaks off, or a server that is silent for too long, shows as."""


class NoConnection(Exception):
    """Nobody listens there: nothing was sent."""


class Upstream:
    """One per application, for one event loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: object) -> Answer:
        """Send JSON and give the beginning of the answer.

        Raises:
            NoConnection: nothing was sent. One of `BROKEN`: it may have been.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
                cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, skip_auto_headers=_UNSAID,
            )  # fmt: skip
        try:
            return Answer(await self._session.post(url, data=orjson.dumps(body), headers=_JSON, allow_redirects=False))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NoConnection from error

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()


class Answer:
    """An answer that comes."""

    def __init__(self, found: aiohttp.ClientResponse) -> None:
        self._found = found
        self.status = found.status
        self.headers = found.headers

    @property
    def failed(self) -> bool:
        """Whether its status tells of an error."""
        return self.status >= 400

    async def whole(self) -> bytes:
        """All of it. Raises one of `BROKEN`."""
        return await self._found.read()

    def chunks(self) -> AsyncIterator[bytes]:
        """It, as it comes. Raises one of `BROKEN`."""
        return self._found.content.iter_any()

    def close(self) -> None:
        """Let go of it: of what has not come yet the connection is closed, which ends the work behind it."""
        self._found.close()

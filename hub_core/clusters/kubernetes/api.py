"""Calls of a Kubernetes API server, over the official client: JSON in, JSON out, and few kinds of errors.

The client brings what is hard: kubeconfig, credentials that renew themselves, TLS. Its classes for objects are left out: the hub sends
objects of its own and reads a few fields, and a watch over thousands of pods would spend its time on making instances.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from hub_core.running_errors import ClusterRefused, ClusterUnavailable

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from urllib3 import HTTPResponse

WATCH_S = 300
CONNECT_S = 4.0
MERGE = "application/merge-patch+json"
MAX_SAID = 300


class Missing(Exception):
    """There is no such object, namespace or kind of object (404)."""


class Exists(Exception):
    """An object of that name is there already (409)."""


class Gone(Exception):
    """The server has forgotten the version that was asked for (410): list anew."""


class Api:
    """One API server. Safe from several threads."""

    def __init__(self, client: ApiClient, name: str, timeout_s: float) -> None:
        self.name = name
        self.calls = 0
        self._client = client
        self._timeout_s = timeout_s

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Read one object or a list.

        Raises (all calls):
            ClusterUnavailable: the server does not answer, or not now.
            ClusterRefused: it does not want this; the message says why.
            Missing, Exists, Gone.
        """
        return self._json("GET", path, query)

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make an object. Raises Exists where there is one of that name."""
        return self._json("POST", path, {}, body)

    def merge(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change an object: objects are merged, lists replaced, nulls remove."""
        return self._json("PATCH", path, {}, body, MERGE)

    def delete(self, path: str) -> None:
        """Delete an object and what belongs to it; nothing happens where there is none."""
        try:
            self._json("DELETE", path, {"propagationPolicy": "Background"})
        except Missing:
            return

    def text(self, path: str, **query: str) -> str:
        """Read a text, such as a log."""
        return self._call("GET", path, query).decode("utf-8", "replace")

    def watch(self, path: str, query: Mapping[str, str]) -> Watch:
        """Begin to read changes. The server ends a watch after some minutes, and so does a silence that is longer."""
        from urllib3.exceptions import ProtocolError

        asked = {**query, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_S)}
        try:
            return Watch(self._open("GET", path, asked, read_s=WATCH_S + 30.0))
        except ProtocolError as error:
            raise self._away(str(error)) from error

    # -- below -----------------------------------------------------------------------------------------------------

    def _json(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None, content: str = ""
    ) -> dict[str, Any]:
        raw = self._call(method, path, query, body, content)
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise self._away("answers nonsense") from error
        return value if isinstance(value, dict) else {}

    def _call(self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None, content: str = "") -> bytes:
        from urllib3.exceptions import HTTPError, ProtocolError

        for again in (True, False):
            # A kept connection may have been closed at this moment; every call of ours may be repeated.
            try:
                return bytes(self._open(method, path, query, body, content).data)
            except ProtocolError as error:
                if not again:
                    raise self._away(str(error)) from error
            except HTTPError as error:
                raise self._away(str(error)) from error
        raise AssertionError

    def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        content: str = "",
        read_s: float = 0.0,
    ) -> HTTPResponse:
        from kubernetes.client.exceptions import ApiException
        from kubernetes.config.config_exception import ConfigException
        from urllib3.exceptions import HTTPError, ProtocolError

        headers = {"Accept": "application/json"} | ({"Content-Type": content or "application/json"} if body is not None else {})
        self.calls += 1
        try:
            request = self._client.param_serialize(
                method, path, query_params=list(query.items()), header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            answer: HTTPResponse = self._client.call_api(*request, _request_timeout=(CONNECT_S, read_s or self._timeout_s)).response
            if not 200 <= answer.status < 300:
                raise self._refused(answer.status, bytes(answer.data))
        except ProtocolError:
            raise
        except (HTTPError, ApiException, ConfigException, OSError) as error:
            raise self._away(str(error)) from error
        return answer

    def _refused(self, status: int, raw: bytes) -> Exception:
        try:
            said = str(orjson.loads(raw).get("message", ""))
        except (orjson.JSONDecodeError, AttributeError):
            said = raw[:MAX_SAID].decode("utf-8", "replace")
        known: dict[int, type[Exception]] = {404: Missing, 409: Exists, 410: Gone}
        if status in known:
            return known[status](said)
        if status in (401, 429) or status >= 500:
            return self._away(f"status {status}: {said}")
        return ClusterRefused(f"The cluster '{self.name}' refuses it: {_clean(said)}", hint="Ask an administrator.", status=status)

    def _away(self, why: str) -> ClusterUnavailable:
        return ClusterUnavailable(
            f"The cluster '{self.name}' does not answer.", hint="What runs there goes on; try again later.", why=_clean(why)
        )


class Watch:
    """A stream of changes; `stop` ends it from another thread."""

    def __init__(self, answer: HTTPResponse) -> None:
        self._answer = answer
        self._stopped = threading.Event()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The events.

        Raises:
            Gone: the server has forgotten where we are.
            ClusterUnavailable: the stream broke.
        """
        from urllib3.exceptions import HTTPError

        rest = b""
        try:
            for chunk in self._answer.stream(1 << 16):
                lines = (rest + chunk).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    if line:
                        yield _event(line)
        except (HTTPError, OSError, ValueError) as error:
            if not self._stopped.is_set():
                raise ClusterUnavailable("The watch of a cluster broke.", why=_clean(str(error))) from error
        finally:
            self._answer.close()

    def stop(self) -> None:
        """End the stream; may be called twice."""
        self._stopped.set()
        try:
            self._answer.shutdown()
        except (ValueError, RuntimeError, OSError):
            return  # it has ended by itself


def _event(line: bytes) -> dict[str, Any]:
    event: dict[str, Any] = orjson.loads(line)
    if event.get("type") == "ERROR":
        status = event.get("object", {})
        if status.get("code") == 410:
            raise Gone(str(status.get("message", "")))
        raise ClusterUnavailable("The watch of a cluster broke.", why=_clean(str(status.get("message", ""))))
    return event


def _clean(said: str) -> str:
    text = " ".join("".join(char if char.isprintable() else " " for char in said).split())
    return text if len(text) <= MAX_SAID else text[: MAX_SAID - 1] + "…"

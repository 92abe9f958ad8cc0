"""A copy of all objects of one kind, kept up to date by a watch: asking it costs no call.

It lists once, then reads changes from the version that the list had. A watch that breaks is taken up where it was; when the server has
forgotten that version (410), it lists anew. What the hub itself wrote goes in at once, and older news about it is left out.
"""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import structlog

from hub_core.clusters.kubernetes.api import Api, Gone, Missing, Watch
from hub_core.running_errors import ClusterRefused, ClusterUnavailable

PAGE = "500"
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
REMEMBERED = 20_000
QUICK_S = 1.0
OPTIONAL_S = 120.0

log = structlog.get_logger(__name__)
Key = tuple[str, str]
"""Namespace (empty for objects of the whole cluster) and name."""


class Fact(Protocol):
    """What is kept of an object."""

    @property
    def key(self) -> Key:
        """Where it is."""

    @property
    def uid(self) -> str:
        """Tells it from another one that had its name before."""

    @property
    def version(self) -> str:
        """The object's resourceVersion."""


F = TypeVar("F", bound=Fact)


class Mirror(Generic[F]):
    """The objects of one kind.

    Args:
        path: of the list, over all namespaces.
        keep: what to keep of an object; None where it is not our business, whatever the server's filter let through.
        on_change: told before and after of each object that changed (None: was not there, is not there), under the mirror's lock.
        optional: a kind that a cluster may not have; then there are no objects of it.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        query: Mapping[str, str],
        keep: Callable[[dict[str, Any]], F | None],
        on_change: Callable[[F | None, F | None], None] = lambda _before, _after: None,
        *,
        optional: bool = False,
    ) -> None:
        self.there = not optional
        self._api = api
        self._path = path
        self._query = query
        self._keep = keep
        self._on_change = on_change
        self._optional = optional
        self._kept: dict[Key, F] = {}
        self._deleted: OrderedDict[str, None] = OrderedDict()
        self._version = ""
        self._lock = threading.RLock()
        self._synced = threading.Event()
        self._stop = threading.Event()
        self._watch: Watch | None = None
        self._thread: threading.Thread | None = None
        self._error: ClusterUnavailable | None = None

    # -- asking ----------------------------------------------------------------------------------------------------

    def check(self, wait_s: float = 0.0) -> None:
        """Make sure that what is here is true, or was a moment ago.

        Raises:
            ClusterUnavailable: the cluster cannot be read; since when is another matter.
        """
        synced = self._synced.wait(wait_s)
        error = self._error
        if error is not None:
            raise error
        if not synced:
            raise ClusterUnavailable(f"The cluster '{self._api.name}' has not answered yet.", hint="Try again in a moment.")

    @property
    def running(self) -> bool:
        """Whether it is kept up to date."""
        return self._thread is not None

    @property
    def version(self) -> int:
        """How far it has read; 0 before it has begun."""
        return int(self._version) if self._version.isdecimal() else 0

    def get(self, key: Key) -> F | None:
        """What is under a name."""
        with self._lock:
            return self._kept.get(key)

    def all(self) -> list[F]:
        """Everything."""
        with self._lock:
            return list(self._kept.values())

    def read(self, **query: str) -> list[F]:
        """Everything, as a list from the server: for a process that does not keep a copy. Raises like `Api.get`."""
        return [fact for fact in map(self._read, self._pages(query)[0]) if fact is not None]

    # -- what the hub wrote ----------------------------------------------------------------------------------------

    def put(self, body: dict[str, Any]) -> None:
        """Note what a call of ours answered."""
        with self._lock:
            self._take(body)

    def drop(self, key: Key) -> None:
        """Note that a call of ours deleted it; news from before the call do not bring it back."""
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._forget(known, for_good=True)

    # -- keeping up ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow, in a thread."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._loop, name=f"mirror-{self._api.name}{self._path}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end; `close` waits for that."""
        self._stop.set()
        watch = self._watch
        if watch is not None:
            watch.stop()

    def close(self) -> None:
        """Stop following, and forget everything."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._lock:
            self._kept.clear()
            self._version = ""
            self._synced.clear()
            self._error = None

    def _loop(self) -> None:
        failures = 0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                if not self._version:
                    self._list()
                self._follow()
                failures = failures + 1 if time.monotonic() - began < QUICK_S else 0
            except Gone:
                self._version = ""
                failures += 1
            except (Missing, ClusterRefused) as error:
                failures += 1
                if self._optional:
                    self._has_none()
                else:
                    told = f"The cluster '{self._api.name}' cannot be read ({self._path}): {error}"
                    self._failed(ClusterUnavailable(told, hint="See docs/kubernetes.md for the rights that the hub needs.", why=str(error)))
            except ClusterUnavailable as error:
                failures += 1
                self._failed(error)
            if failures:
                self._stop.wait(BACKOFF_S[min(failures, len(BACKOFF_S)) - 1] * random.uniform(0.7, 1.3))  # noqa: S311 - no secret

    def _failed(self, error: ClusterUnavailable) -> None:
        if self._error is None and not self._stop.is_set():
            log.warning("a cluster cannot be followed", cluster=self._api.name, path=self._path, why=error.details.get("why", ""))
        self._error = error

    def _list(self) -> None:
        bodies, version = self._pages()
        with self._lock:
            there = {fact.key: fact for fact in map(self._read, bodies) if fact is not None}
            # What a call of ours made while the list was on its way is newer than the list, and stays.
            for known in [fact for key, fact in self._kept.items() if key not in there and not _newer(fact.version, version)]:
                self._forget(known)
            for fact in there.values():
                self._set(fact)
            self._version, self.there = version, True
        self._error = None
        self._synced.set()

    def _has_none(self) -> None:
        """The cluster does not have this kind; look again later."""
        with self._lock:
            for known in list(self._kept.values()):
                self._forget(known)
            self._version, self.there = "", False
        self._synced.set()
        self._stop.wait(OPTIONAL_S)

    def _pages(self, more: Mapping[str, str] | None = None) -> tuple[list[dict[str, Any]], str]:
        bodies: list[dict[str, Any]] = []
        query = {**self._query, **(more or {}), "limit": PAGE}
        while True:
            page = self._api.get(self._path, **query)
            bodies += page.get("items") or []
            about = page.get("metadata") or {}
            if not about.get("continue"):
                return bodies, str(about.get("resourceVersion", ""))
            query["continue"] = str(about["continue"])

    def _follow(self) -> None:
        watch = self._api.watch(self._path, {**self._query, "resourceVersion": self._version})
        self._watch = watch
        self._error = None
        if self._stop.is_set():
            watch.stop()
        for event in watch:
            body = event.get("object") or {}
            with self._lock:
                if event.get("type") == "DELETED":
                    self._lost(body, for_good=True)
                elif event.get("type") != "BOOKMARK":
                    self._take(body)
                self._version = _version(body) or self._version
            if self._stop.is_set():
                return

    def _take(self, body: dict[str, Any]) -> None:
        fact = self._read(body)
        if fact is not None:
            self._set(fact)
        else:
            self._lost(body)  # its labels changed: it is not ours any more

    def _read(self, body: dict[str, Any]) -> F | None:
        """What to keep of an object. One that is made in a way that nobody thought of must not end the thread."""
        try:
            return self._keep(body)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            about = body.get("metadata") or {}
            log.warning(
                "an object of a cluster cannot be read", cluster=self._api.name, path=self._path, name=about.get("name"), why=str(error)
            )
            return None

    def _lost(self, body: dict[str, Any], *, for_good: bool = False) -> None:
        about = body.get("metadata") or {}
        known = self._kept.get((str(about.get("namespace", "")), str(about.get("name", ""))))
        if known is not None and known.uid == str(about.get("uid", "")):
            self._forget(known, for_good=for_good)

    def _set(self, fact: F) -> None:
        known = self._kept.get(fact.key)
        if fact.uid in self._deleted or (known is not None and known.uid == fact.uid and not _newer(fact.version, known.version)):
            return
        self._kept[fact.key] = fact
        self._on_change(known, fact)

    def _forget(self, fact: F, *, for_good: bool = False) -> None:
        del self._kept[fact.key]
        if for_good:
            self._deleted[fact.uid] = None
            while len(self._deleted) > REMEMBERED:
                self._deleted.popitem(last=False)
        self._on_change(fact, None)


def _version(body: Mapping[str, Any]) -> str:
    return str((body.get("metadata") or {}).get("resourceVersion", ""))


def _newer(version: str, known: str) -> bool:
    """Whether one version of an object comes after another; versions are numbers that grow, as far as anybody has seen."""
    return int(version) > int(known) if version.isdecimal() and known.isdecimal() else version != known

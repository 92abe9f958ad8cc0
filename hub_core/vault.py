"""Keeps the secrets of a conversation in memory, so that everything stored of it holds only marks.

A question or an approval may need a password that was said before. It waits here, and nowhere else: after a restart, or on
another node, the mark stays a mark and the person is asked to say it again.
"""

from __future__ import annotations

import re
import secrets as random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from hub_core.secrecy import HIDDEN, rewrite

_MARK = re.compile(HIDDEN + r"[0-9a-f]{12}•")
_SHORTEST = 6
_MOST_SCOPES = 10_000
_MOST_SECRETS = 1000

Change = Callable[[str], str]


class Vault:
    """Secrets by scope (the id of a thread, or of a person outside of threads). Forgets a scope that rested for `ttl_s` seconds."""

    def __init__(self, ttl_s: float = 3600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl = ttl_s
        self._clock = clock
        self._lock = threading.Lock()
        self._scopes: OrderedDict[str, tuple[float, dict[str, str]]] = OrderedDict()  # scope -> last use, secret -> mark

    def learn(self, scope: str, secrets: Iterable[str]) -> None:
        """From now on these texts are secrets of the scope."""
        new = [secret for secret in secrets if len(secret) >= _SHORTEST and HIDDEN not in secret]
        if not new:
            return
        marks = self._marks(scope) | {}
        for secret in new:
            marks.setdefault(secret, f"{HIDDEN}{random.token_hex(6)}•")
        for oldest in list(marks)[:-_MOST_SECRETS]:
            del marks[oldest]  # every stored text is searched for each of them
        with self._lock:
            self._scopes[scope] = (self._clock(), marks)
            while len(self._scopes) > _MOST_SCOPES:
                self._scopes.popitem(last=False)

    def secrets(self, scope: str) -> set[str]:
        """What is known of a scope."""
        return set(self._marks(scope))

    def sealing(self, scope: str) -> Change | None:
        """Replaces the scope's secrets in a text by their marks; None when there are none."""
        marks = sorted(self._marks(scope).items(), key=lambda item: -len(item[0]))

        def change(text: str) -> str:
            for secret, mark in marks:
                text = text.replace(secret, mark)
            return text

        return change if marks else None

    def opening(self, scope: str) -> Change | None:
        """Puts the scope's secrets back in the place of their marks; None when there are none."""
        known = {mark: secret for secret, mark in self._marks(scope).items()}
        return (lambda text: _MARK.sub(lambda match: known.get(match[0], match[0]), text)) if known else None

    def seal(self, scope: str, value: Any) -> Any:
        """A copy of JSON-like data without the scope's secrets."""
        change = self.sealing(scope)
        return rewrite(value, change) if change else value

    def open(self, scope: str, value: Any) -> Any:
        """A copy of JSON-like data with the secrets that are still known."""
        change = self.opening(scope)
        return rewrite(value, change) if change else value

    def forget(self, scope: str) -> None:
        """The scope is over."""
        with self._lock:
            self._scopes.pop(scope, None)

    def _marks(self, scope: str) -> dict[str, str]:
        now = self._clock()
        with self._lock:
            while self._scopes and next(iter(self._scopes.values()))[0] < now - self._ttl:
                self._scopes.popitem(last=False)
            if scope not in self._scopes:
                return {}
            marks = self._scopes[scope][1]
            self._scopes[scope] = (now, marks)
            self._scopes.move_to_end(scope)
            return marks


def shown(value: Any) -> Any:
    """A copy of JSON-like data as people see it: every mark is the same dots."""
    return rewrite(value, lambda text: _MARK.sub(HIDDEN, text))


def has_lost_secret(value: Any) -> bool:
    """Whether JSON-like data still holds dots where a secret stood."""
    if isinstance(value, dict):
        return any(has_lost_secret(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_lost_secret(item) for item in value)
    return isinstance(value, str) and (HIDDEN in value)

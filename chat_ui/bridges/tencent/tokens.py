"""One access token per account, the same for all processes of the hub.

Asking for a token gives the one that is in force, and ends none: WeChat's `stable_token` without `force_refresh`, and WeCom's `gettoken`.
So processes need not share what they got. Only making a new one before its time would end the others' token; where that is needed, one
process does it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from chat_ui.bridges.port import ChannelError
from hub_core.conversations.leases import Leases
from hub_core.errors import ThreadBusy

EARLY_S = 300.0
"""How long before its end a token is asked for anew; around then both platforms take the old and the new one."""
FORCE_EVERY_S = 60.0
WAIT_S = 10.0

Fetch = Callable[[bool], tuple[str, float]]
"""Asks the platform for the token in force and the seconds that it is left, or, when told so, for a new one."""


class Tokens:
    """Keeps the token of one account.

    Args:
        name: of the account; processes that share it take turns.
        can_force: whether the platform can be made to give a new token before the old one ends.
    """

    def __init__(self, name: str, leases: Leases, fetch: Fetch, *, can_force: bool) -> None:
        self._name = f"bridge-token:{name}"[:64]
        self._leases = leases
        self._fetch = fetch
        self._can_force = can_force
        self._lock = threading.Lock()
        self._token = ""
        self._ends = 0.0
        self._forced = -FORCE_EVERY_S

    def get(self) -> str:
        """The token.

        Raises:
            ChannelError: the platform gives none.
        """
        with self._lock:
            if not self._token or time.monotonic() >= self._ends:
                self._keep(self._fetch(False))
            return self._token

    def refused(self, token: str) -> None:
        """The platform does not know this token: another program with the same secret made a new one, or it ended early.

        Raises:
            ChannelError: the platform gives no other.
        """
        with self._lock:
            if token != self._token:
                return  # another thread noticed before
            try:
                with self._leases.hold(self._name, wait_s=WAIT_S):
                    self._keep(self._fetch(False))
                    if self._token == token and self._can_force and time.monotonic() - self._forced >= FORCE_EVERY_S:
                        self._forced = time.monotonic()
                        self._keep(self._fetch(True))
            except ThreadBusy as error:
                raise ChannelError("another process asks for a new access token") from error

    def _keep(self, found: tuple[str, float]) -> None:
        token, left = found
        self._token, self._ends = token, time.monotonic() + left - min(EARLY_S, left / 2)

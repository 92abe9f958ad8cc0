"""Passes for apps of Spaces: what stands in their address in the place of a session, which an app must never see or use.

A pass is for one person and one Space, for some hours, signed by the hub. The person's rights are looked at again at every use. One that
was made for a browser ends with its session. Whoever has it, the app itself included, can do no more with it than open that app.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from hub_core.accounts.sessions import SessionService
from hub_core.authz import Actor, Permission
from hub_core.errors import Unauthenticated
from hub_core.signing import UrlSigner

SECONDS = 12 * 3600
PURPOSE = "space-app"
_PASS = re.compile(r"(?P<repo>\d{1,18})-(?P<user>\d{0,18})-(?P<session>[0-9a-f]{0,32})-(?P<expires>\d{1,12})-(?P<signature>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who opens the app of which Space."""

    actor: Actor
    repo_id: int


class SpacePasses:
    """Makes passes and reads them."""

    def __init__(self, signer: UrlSigner, sessions: SessionService) -> None:
        self._signer = signer
        self._sessions = sessions

    def make(self, actor: Actor, repo_id: int, secret: str = "") -> str:
        """A pass, as a part of a path.

        Args:
            secret: of the session that it shall end with; empty for nobody's.
        """
        session = self._sessions.mark(secret) if secret else ""
        signed = dict(part.split("=", 1) for part in self._query(repo_id, session, actor.user_id).split("&"))
        return f"{repo_id}-{signed['u']}-{session}-{signed['e']}-{signed['s']}"

    def _query(self, repo_id: int, session: str, user_id: int | None) -> str:
        return self._signer.query(PURPOSE, repo_id, session, user_id=user_id, seconds=SECONDS)

    def read(self, text: str) -> Visitor:
        """Who a pass stands for.

        Raises:
            Unauthenticated: it was not made here, or the person has signed out or is disabled since.
            PermissionDenied: it has expired.
        """
        found = _PASS.fullmatch(text)
        if found is None:
            raise Unauthenticated("This address was not made by the hub.", hint="Open the Space again.")
        given = {"u": found["user"], "e": found["expires"], "s": found["signature"]}
        user_id = self._signer.check(given, PURPOSE, found["repo"], found["session"])
        if found["session"] and not self._sessions.is_open(user_id, found["session"]):
            raise Unauthenticated("You have signed out.", hint="Sign in, and open the Space again.")
        actor = self._sessions.person(user_id, Permission.REPO_FILES, "space")
        return Visitor(replace(actor, repo_id=int(found["repo"])) if user_id is not None else actor, int(found["repo"]))

"""Passes for Git LFS: over SSH a client proves who it is with a key, and then needs something for HTTP."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

from hub_core.accounts.sessions import SessionService
from hub_core.authz import Actor, Permission
from hub_core.errors import Unauthenticated
from hub_core.signing import UrlSigner

PASS_SECONDS = 3600
_MARK = "lfspass-"


class LfsPasses:
    """Makes passes and reads them. A pass stands for one person on one repo, to download or to upload, for an hour."""

    def __init__(self, signer: UrlSigner, sessions: SessionService) -> None:
        self._signer = signer
        self._sessions = sessions

    def make(self, actor: Actor, repo_id: int, operation: str) -> str:
        """A pass for `download` or `upload`; whoever has it acts as `actor`, whose rights are looked at again at every use."""
        signed = self._signer.query("lfs-pass", repo_id, operation, user_id=actor.user_id, seconds=PASS_SECONDS)
        return _MARK + base64.urlsafe_b64encode(f"{urlencode({'r': repo_id, 'o': operation})}&{signed}".encode()).decode()

    def among(self, headers: Mapping[str, str]) -> str:
        """The pass that a request carries; empty when it has none."""
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        return secret if scheme.lower() == "bearer" and secret.startswith(_MARK) else ""

    def actor(self, secret: str) -> Actor:
        """Who a pass stands for.

        Raises:
            Unauthenticated: it was not made here.
            PermissionDenied: it has expired.
        """
        try:
            params = dict(parse_qsl(base64.urlsafe_b64decode(secret[len(_MARK) :].encode()).decode()))
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Unauthenticated("This pass cannot be read.", hint="Run the Git command again.") from error
        repo_id, operation = params.get("r", ""), params.get("o", "")
        user_id = self._signer.check(params, "lfs-pass", repo_id, operation)
        permission = Permission.REPO_WRITE if operation == "upload" else Permission.REPO_FILES
        return replace(self._sessions.person(user_id, permission), repo_id=int(repo_id))

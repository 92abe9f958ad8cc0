"""Addresses that authorise themselves for a while: LFS clients send no credential with the transfer itself."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from urllib.parse import urlencode

from hub_core.errors import PermissionDenied, Unauthenticated
from hub_core.storage import BlobStore

_KEY = "system/url-signing-key"


def load_key(blobs: BlobStore) -> bytes:
    """The hub's signing key, made at first use and shared by all nodes."""
    blobs.put(_KEY, [secrets.token_bytes(32)], if_absent=True)
    return blobs.read(_KEY)


class UrlSigner:
    """Signs what an address may be used for."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def query(self, purpose: str, *facts: object, user_id: int | None, seconds: int = 6 * 3600) -> str:
        """A query string for one purpose and its facts."""
        expires = int(time.time()) + seconds
        user = "" if user_id is None else str(user_id)
        return urlencode({"u": user, "e": expires, "s": self._sign(purpose, *facts, user, expires)})

    def check(self, params: Mapping[str, str], purpose: str, *facts: object) -> int | None:
        """The user that the address was made for (None: nobody signed in).

        Raises:
            Unauthenticated: not signed by this hub for this.
            PermissionDenied: it was, and has expired.
        """
        user, expires, signature = params.get("u", ""), params.get("e", ""), params.get("s", "")
        expected = self._sign(purpose, *facts, user, expires)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise Unauthenticated("This address was not made by the hub.", hint="Ask for a new one with the LFS batch API.")
        if int(expires) < time.time():
            # Not a 401, which makes git-lfs send the same again without end; after a 403 it asks for a new address.
            raise PermissionDenied("This address has expired.", hint="Ask for a new one with the LFS batch API.")
        return int(user) if user else None

    def _sign(self, *facts: object) -> str:
        text = "\n".join(str(fact) for fact in facts)
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

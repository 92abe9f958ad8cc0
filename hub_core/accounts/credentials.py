"""Secrets that stand for a person: tokens and session cookies. Only their sha256 is ever stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import zlib

PREFIX = "hub_"


def make_token() -> str:
    """A new token: `hub_`, 43 url-safe characters of 32 random bytes, 6 characters of checksum."""
    body = secrets.token_urlsafe(32)
    return f"{PREFIX}{body}{_checksum(body)}"


def make_session_secret() -> str:
    """A new secret for a session cookie."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored and looked up instead of the secret.

    Looking up a digest needs no constant-time comparison: who does not know the secret cannot steer the digest.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare two secrets or digests in constant time."""
    return hmac.compare_digest(left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))


def looks_mistyped(token: str) -> bool:
    """Whether a text starts like a token of ours and its checksum is wrong: cut off or mistyped."""
    body, check = token[len(PREFIX) : -6], token[-6:]
    return token.startswith(PREFIX) and not same(_checksum(body), check)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode('utf-8', 'surrogatepass')) & 0xFFFFFF:06x}"

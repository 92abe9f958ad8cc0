"""Passwords: argon2id hashes, generation, and verification that takes as long for users who do not exist."""

from __future__ import annotations

import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub_core.errors import InvalidInput

MIN_LENGTH = 8
MAX_LENGTH = 256
AT_ONCE = 4
_ALPHABET = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Passwords:
    """Hashes and verifies. The defaults are OWASP's argon2id profile with 19 MiB; tests pass a cheaper one."""

    def __init__(self, time_cost: int = 2, memory_kib: int = 19456) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        # Anybody can ask for a check, and each takes its memory: a flood of them waits in line.
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        # Verified against when there is no user, so that the answer's time does not tell whether one exists.
        self._decoy = self._hasher.hash(secrets.token_urlsafe(16))

    def hash(self, password: str) -> str:
        """The hash to store.

        Raises:
            InvalidInput: shorter than 8 or longer than 256 characters.
        """
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            raise InvalidInput(f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.", hint="Choose another password.")
        return self._hasher.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` fits the stored hash; `None` or an empty hash costs the same and is False."""
        try:
            with self._slots:
                self._hasher.verify(stored or self._decoy, password[: MAX_LENGTH + 1].encode("utf-8", "replace"))
        except (VerificationError, InvalidHashError):
            return False
        return bool(stored)

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters and should be replaced."""
        return self._hasher.check_needs_rehash(stored)


def generate_password() -> str:
    """A random password of 20 characters without look-alikes (about 115 bits)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(20))

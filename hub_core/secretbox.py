"""Encrypts secrets before they are stored: AES-256-GCM, bound to the place where they are stored.

The key is `HUB_SECRET_KEY`. Without one a hub on SQLite, which is one node, makes a key and keeps it in its data folder. Nodes that
share a PostgreSQL database hold no state, so a key of theirs would be lost or differ: there the setting is needed.
"""

from __future__ import annotations

import base64
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub_core.errors import InvalidInput, NoSecretKey
from hub_core.settings import Settings
from hub_core.storage.local import disk_errors

KEY_FILE = "secret.key"
MIN_KEY = 32
_VERSION = b"\x01"
_NONCE = 12


class SecretBox:
    """Seals and opens texts.

    Raises:
        InvalidInput: `HUB_SECRET_KEY` is too short.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.secret_key and len(settings.secret_key) < MIN_KEY:
            raise InvalidInput(f"HUB_SECRET_KEY has fewer than {MIN_KEY} characters.", hint="For example: openssl rand -base64 32")
        self._given = settings.secret_key
        keeps_file = sa.make_url(settings.database).get_backend_name() == "sqlite"
        self._file = settings.data_dir / KEY_FILE if keeps_file else None

    def check(self) -> None:
        """Make sure that there is a key to seal with, or one can be made.

        Raises:
            NoSecretKey: neither.
        """
        if not self._given and self._file is None:
            raise _no_key()

    def seal(self, text: str, place: str) -> bytes:
        """Encrypt a text for one place (a row); elsewhere it cannot be opened.

        Raises:
            NoSecretKey: see `check`.
        """
        nonce = secrets.token_bytes(_NONCE)
        return _VERSION + nonce + self._cipher(make=True).encrypt(nonce, text.encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> str:
        """The text.

        Raises:
            NoSecretKey: the key is missing, or another one than the text was sealed with.
        """
        nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            return self._cipher(make=False).decrypt(nonce, rest, place.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise NoSecretKey(
                "A stored secret cannot be read with this hub's key.", hint="Put the old key back, or set it again."
            ) from error

    def _cipher(self, *, make: bool) -> AESGCM:
        key = HKDF(SHA256(), 32, None, b"hubtalk secrets").derive(self._key(make).encode())
        return AESGCM(key)

    def _key(self, make: bool) -> str:
        if self._given:
            return self._given
        if self._file is not None and (self._file.exists() or make):
            return _kept_in(self._file)
        raise _no_key()


def _no_key() -> NoSecretKey:
    return NoSecretKey("This hub has no key to keep secrets with.", hint="An administrator sets HUB_SECRET_KEY.")


def put_key(settings: Settings, key: bytes) -> None:
    """Put a key of a backup in the place of the hub's own."""
    with disk_errors():
        _written(settings.data_dir, key).replace(settings.data_dir / KEY_FILE)


def _kept_in(path: Path) -> str:
    """The key in a file; made whole or not at all, and never replaced."""
    with disk_errors():
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            made = _written(path.parent, base64.b64encode(secrets.token_bytes(32)) + b"\n")
            try:
                with suppress(FileExistsError):  # another process of this hub was faster
                    os.link(made, path)
            finally:
                made.unlink(missing_ok=True)
        return path.read_text(encoding="ascii").strip()


def _written(folder: Path, key: bytes) -> Path:
    """A new file with the key that only its owner may read."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{KEY_FILE}.")
    with os.fdopen(handle, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)

"""Signatures and encryption of callbacks, as WeChat (safe mode) and WeCom document them under "message encryption" (消息加解密).

Signature: sha1, in hex, of the token, the timestamp, the nonce and, where the body is encrypted, its `Encrypt`, sorted and joined.
Encryption: AES-256-CBC; the key is base64 of `EncodingAESKey` and "="; its first 16 bytes are the initialisation vector; the text is 16
random bytes, its length in 4 bytes (big-endian), itself, and the id of the receiver; padded by PKCS#7 to blocks of 32 bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32
NONCE = 16
STALE_S = 600
"""How old, or how far ahead, the time of a signature may be: the platforms repeat within seconds, and clocks differ by minutes."""
_AES_KEY = re.compile(r"[A-Za-z0-9+/]{43}")


class NotGenuine(Exception):
    """What came was not made by the platform for us, or is too old. Whoever sent it learns no more than that."""


def signature(token: str, *parts: str) -> str:
    """The signature of the parts of a request."""
    return hashlib.sha1("".join(sorted((token, *parts))).encode(), usedforsecurity=False).hexdigest()


def check_signature(given: str, token: str, timestamp: str, nonce: str, *encrypted: str, now: float | None = None) -> None:
    """Let through what was signed with our token a short while ago. Takes the same time however much of a wrong signature is right.

    Raises:
        NotGenuine: another signature, or an old one.
    """
    wanted = signature(token, timestamp, nonce, *encrypted)
    if not token or not hmac.compare_digest(wanted.encode(), given.encode()):
        raise NotGenuine("the signature is wrong")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 12):
        raise NotGenuine("the time is no number")
    if abs((time.time() if now is None else now) - int(timestamp)) > STALE_S:
        raise NotGenuine("the signature is old")


class MessageCipher:
    """Encrypts and decrypts for one receiver: the app id of an Official Account, the corp id of WeCom.

    Raises:
        ValueError: the key is not 43 characters of base64.
    """

    def __init__(self, encoding_aes_key: str, receiver: str) -> None:
        if not _AES_KEY.fullmatch(encoding_aes_key):
            raise ValueError("an EncodingAESKey has 43 letters and digits")
        self._receiver = receiver.encode()
        # The last character carries two bits that are not part of the key; the official samples have ones there.
        self._key = base64.b64decode(encoding_aes_key + "=")

    def encrypt(self, text: str, *, salt: bytes | None = None) -> str:
        """The text as the platform reads it; `salt` replaces the 16 random bytes, for test vectors only."""
        body = text.encode()
        plain = (secrets.token_bytes(NONCE) if salt is None else salt) + len(body).to_bytes(4, "big") + body + self._receiver
        padding = BLOCK - len(plain) % BLOCK
        encryptor = self._cipher().encryptor()
        return base64.b64encode(encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()).decode()

    def decrypt(self, encrypted: str) -> str:
        """The text.

        Raises:
            NotGenuine: damaged, made with another key, or for another receiver.
        """
        try:
            raw = base64.b64decode(encrypted, validate=True)
        except (binascii.Error, ValueError) as error:
            raise NotGenuine("not base64") from error
        plain = unpad(self._aes(raw))
        start = NONCE + 4
        end = start + int.from_bytes(plain[NONCE:start], "big")
        if len(plain) < start or end > len(plain) or not hmac.compare_digest(plain[end:], self._receiver):
            raise NotGenuine("for another receiver")
        try:
            return plain[start:end].decode()
        except UnicodeDecodeError as error:
            raise NotGenuine("not a text") from error

    def _aes(self, raw: bytes) -> bytes:
        if not raw or len(raw) % 16:
            raise NotGenuine("no whole blocks")
        decryptor = self._cipher().decryptor()
        return decryptor.update(raw) + decryptor.finalize()

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))


def decrypt_file(encrypted: bytes, aes_key: str) -> bytes:
    """A file that somebody sent to an intelligent bot: the same cipher, with a key of its own in plain base64.

    Raises:
        NotGenuine: damaged, or not this key.
    """
    try:
        key = base64.b64decode(aes_key + "=" * (-len(aes_key) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotGenuine("not a key") from error
    if len(key) != BLOCK or not encrypted or len(encrypted) % 16:
        raise NotGenuine("not a key, or no whole blocks")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    return unpad(decryptor.update(encrypted) + decryptor.finalize())


def unpad(plain: bytes) -> bytes:
    """Without its PKCS#7 padding to 32 bytes.

    Raises:
        NotGenuine: it has none.
    """
    count = plain[-1] if plain else 0
    if not 1 <= count <= BLOCK or plain[-count:] != bytes([count]) * count:
        raise NotGenuine("the padding is wrong")
    return plain[:-count]

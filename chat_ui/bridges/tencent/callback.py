"""What the platforms send to the hub's address: checked, decrypted, parsed. Whatever is not theirs gets one answer, and no reason."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import PlainTextResponse, Response

from chat_ui.bridges.tencent.crypto import MessageCipher, NotGenuine, check_signature, signature
from chat_ui.bridges.tencent.xml import MAX_BODY, BadXml, build, parse
from hub_core.errors import InvalidInput
from hub_core.settings import Settings

log = logging.getLogger(__name__)
HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


@dataclass(frozen=True, slots=True)
class Callbacks:
    """The shared secret of one account and, where its messages are encrypted, their cipher.

    With a cipher, messages in the clear are refused: else who has seen one signed address could write anything in anybody's name.
    """

    token: str
    cipher: MessageCipher | None

    def echo(self, query: Mapping[str, str]) -> str:
        """What the console wants to hear when the address is saved.

        Raises:
            NotGenuine: the request is not from the platform.
        """
        said = query.get("echostr", "")
        if "msg_signature" not in query:
            self._check(query, "signature")
            return said
        self._check(query, "msg_signature", said)
        if self.cipher is None:
            raise NotGenuine("encrypted, and no key is configured")
        return self.cipher.decrypt(said)

    def fields(self, query: Mapping[str, str], body: bytes) -> dict[str, str]:
        """The fields of a message.

        Raises:
            NotGenuine: it is not from the platform, or in the clear where it has to be encrypted. BadXml: it has not the documented shape.
        """
        if self.cipher is None:
            self._check(query, "signature")
            return parse(body)
        encrypted = parse(body).get("Encrypt", "")
        self._check(query, "msg_signature", encrypted)
        return parse(self.cipher.decrypt(encrypted))

    def reply(self, xml: str, timestamp: str, nonce: str) -> str:
        """An answer as the platform reads it: encrypted and signed where its messages are."""
        if self.cipher is None:
            return xml
        encrypted = self.cipher.encrypt(xml)
        signed = signature(self.token, timestamp, nonce, encrypted)
        return build({"Encrypt": encrypted, "MsgSignature": signed, "TimeStamp": int(timestamp), "Nonce": nonce})

    def _check(self, query: Mapping[str, str], name: str, *encrypted: str) -> None:
        check_signature(query.get(name, ""), self.token, query.get("timestamp", ""), query.get("nonce", ""), *encrypted)


def callbacks(token: str, aes_key: str, receiver: str) -> Callbacks:
    """For the settings of an account; an empty key is for messages in the clear.

    Raises:
        InvalidInput: the key has a wrong shape.
    """
    try:
        return Callbacks(token, MessageCipher(aes_key, receiver) if aes_key else None)
    except ValueError as error:
        raise InvalidInput(f"The key of a chat platform is wrong: {error}.", hint="See docs/settings.md.") from error


async def body_of(request: Request) -> bytes:
    """The body of a request.

    Raises:
        BadXml: it is longer than any message.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise BadXml("too long")
    return bytes(body)


def refused(platform: str, error: NotGenuine | BadXml) -> Response:
    """The answer to what is not the platform's."""
    log.warning("a callback was refused: %s: %s", platform, error)
    return said("", 403 if isinstance(error, NotGenuine) else 400)


def said(text: str, status: int = 200) -> Response:
    """A plain text."""
    return PlainTextResponse(text, status, headers=HEADERS)


def missing(settings: Settings, *names: str) -> str:
    """The settings that are empty, as a sentence; empty when there are none."""
    empty = [f"HUB_{name.upper()}" for name in names if not getattr(settings, name)]
    return f"{', '.join(empty)} missing" if empty else ""


def key_problem(aes_key: str) -> str:
    """What is wrong with an `EncodingAESKey`."""
    try:
        callbacks("", aes_key, "")
    except InvalidInput as error:
        return error.message
    return ""


def address_problem(settings: Settings, path: str) -> str:
    """What is wrong with the address that the platform shall call."""
    try:
        url, port = urlsplit(settings.public_url), urlsplit(settings.public_url).port
    except ValueError:
        return "HUB_PUBLIC_URL is no address"
    if not url.hostname:
        return f"HUB_PUBLIC_URL is empty: the platform has to reach its {path}, and links have to lead to it"
    if port not in (None, 80, 443):
        return "HUB_PUBLIC_URL names a port: the platforms call 80 and 443 only"
    return ""

"""The XML of callbacks and passive replies. It comes from outside: no document types, no entities, no large bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

MAX_BODY = 128 * 1024
"""Bytes of a callback. The longest texts have 2,048 bytes and the documented envelopes a few hundred more."""
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class BadXml(Exception):
    """The body is no XML of the documented shape."""


def parse(body: bytes | str) -> dict[str, str]:
    """The fields directly under the root and their texts; of a repeated field the first. Nested fields are left out.

    Raises:
        BadXml: too long, damaged, or with declarations that no message needs.
    """
    data = body.encode() if isinstance(body, str) else body
    if len(data) > MAX_BODY:
        raise BadXml("too long")
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise BadXml(type(error).__name__) from error
    found: dict[str, str] = {}
    for child in root:
        found.setdefault(child.tag, (child.text or "") if len(child) == 0 else "")
    return found


def sender(fields: Mapping[str, str]) -> tuple[str, str]:
    """Who sent a message, and of what kind it is.

    Raises:
        BadXml: fields are missing that every message has.
    """
    person, kind = fields.get("FromUserName", ""), fields.get("MsgType", "")
    if not person or not kind or len(person) > 128:
        raise BadXml("fields are missing")
    return person, kind


def build(fields: Mapping[str, str | int | Mapping[str, str | int]]) -> str:
    """A message: numbers as they are, texts as CDATA, one level of nesting."""
    return f"<xml>{_fields(fields)}</xml>"


def _fields(fields: Mapping[str, str | int | Mapping[str, str | int]]) -> str:
    return "".join(f"<{name}>{_value(value)}</{name}>" for name, value in fields.items())


def _value(value: str | int | Mapping[str, str | int]) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return f"<![CDATA[{_ILLEGAL.sub('', value).replace(']]>', ']]]]><![CDATA[>')}]]>"
    return _fields(value)

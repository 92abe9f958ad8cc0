"""What people write: titles of one line, bodies of many, both without characters that play tricks on a screen."""

from __future__ import annotations

import unicodedata

from hub_core.errors import InvalidInput, TooLarge

MAX_TITLE = 200
MAX_BODY = 65_536
# They turn the direction of what follows, so that a text reads otherwise than it is.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
_LINE = "\u2028\u2029\x85"


def check_title(text: str) -> str:
    """A title as it is stored: one line of at most 200 characters.

    Raises:
        InvalidInput: nothing is left of it, or it is too long.
    """
    clean = " ".join("".join(_shown(char, " ") for char in text).split())
    if not clean:
        raise InvalidInput("A title is missing.", hint="Say in a line what it is about.")
    if len(clean) > MAX_TITLE:
        raise InvalidInput(f"A title has at most {MAX_TITLE} characters.", hint="Put the rest into the text.")
    return clean


def check_body(text: str, *, required: bool = True) -> str:
    """The text of a comment (Markdown) as it is stored.

    Raises:
        InvalidInput: it is empty, and `required`. TooLarge: it has more than 65,536 characters.
    """
    if len(text) > MAX_BODY:
        raise TooLarge(f"A comment has at most {MAX_BODY:,} characters.", hint="Put long texts into a file of the repo.")
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    clean = "".join(char if char in "\n\t" else _shown(char, "") for char in lines).strip()
    if required and not clean:
        raise InvalidInput("The comment is empty.", hint="Say something.")
    return clean


def _shown(char: str, instead: str) -> str:
    if char in _LINE:
        return " "
    category = unicodedata.category(char)
    if category == "Cc":
        return instead
    return "" if category == "Cs" or char in _TURNING else char

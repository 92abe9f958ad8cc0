"""Numbers in addresses and pages of this dialect: `?per=&page=`, beginning at page 1."""

from __future__ import annotations

from dataclasses import dataclass

from hub_core.errors import InvalidInput
from hub_core.http.huggingface.edge import Call

MAX_PER = 100
_MAX_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class PageAsked:
    """How many items are wanted, after how many."""

    size: int
    skip: int


def page_of(call: Call) -> PageAsked:
    """The page that is asked for.

    Raises:
        InvalidInput: `per` or `page` is not a positive number.
    """
    size = min(_positive(call, "per", 20), MAX_PER)
    return PageAsked(size, (min(_positive(call, "page", 1), _MAX_PAGE) - 1) * size)


def number_in(call: Call, name: str) -> int:
    """A number in the path.

    Raises:
        InvalidInput: it is something else.
    """
    said = call.param(name)
    if not (said.isascii() and said.isdecimal() and len(said) < 10):
        raise InvalidInput("The id is not a number.")
    return int(said)


def _positive(call: Call, name: str, default: int) -> int:
    said = call.request.query_params.get(name, "")
    if not said:
        return default
    if not (said.isascii() and said.isdecimal() and said.strip("0")):
        raise InvalidInput(f"'{name}' is not a positive number.", hint=f"For example: {name}=20")
    return int(said[:9])

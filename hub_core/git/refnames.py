"""Which names refs may have (the rules of `git check-ref-format`, and the hub's own)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hub_core.errors import InvalidRef

MAX_REF = 250
_SHA = re.compile(r"[0-9a-f]{40}")
_BAD = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
HEADS = "refs/heads/"
TAGS = "refs/tags/"
PULLS = "refs/pr/"
PUSHABLE = (HEADS, TAGS)
"""Clients may push here, and to `refs/pr/N` where there is one; `refs/convert/*` is the hub's."""
_PULL = re.compile(r"refs/pr/([1-9][0-9]{0,8})")


def valid_ref(name: str) -> bool:
    """Whether a full ref name is well-formed."""
    if not name.startswith("refs/") or name.count("/") < 2 or len(name.encode("utf-8", "surrogatepass")) > MAX_REF:
        return False
    if _BAD.search(name) or name.endswith(("/", ".")) or not name.isprintable():
        return False
    return all(part and not part.startswith(".") and not part.endswith(".lock") for part in name.split("/"))


def check_short(name: str, what: str = "branch") -> str:
    """Return a branch or tag name if it may be used.

    Raises:
        InvalidRef: it breaks Git's rules, looks like a commit id, or is `HEAD`.
    """
    full = (HEADS if what == "branch" else TAGS) + name
    if not valid_ref(full) or name.startswith(("-", "refs/")) or name in {"HEAD", "@"} or _SHA.fullmatch(name):
        raise InvalidRef(
            f"A {what} name has no spaces, '..', '~', '^', ':', '?', '*', '[' or '\\', does not begin with '-' or '.', "
            "and does not end with '.lock', '.' or '/'.",
            hint="For example: feature/new-tokenizer" if what == "branch" else "For example: v1.0",
        )
    return name


def pull_number(name: str) -> int | None:
    """The number of the pull request that a ref belongs to; None for other refs."""
    found = _PULL.fullmatch(name)
    return int(found[1]) if found else None


def is_sha(text: str) -> bool:
    """Whether it is a full object id in lower-case hex."""
    return bool(_SHA.fullmatch(text))


class RefNames:
    """Names of refs, of which none may be a folder of another."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = set(names)
        self._folders = {folder for name in self._names for folder in _folders(name)}

    def add(self, name: str) -> None:
        """Take a name in."""
        self._names.add(name)
        self._folders.update(_folders(name))

    def clash(self, name: str) -> str | None:
        """A ref that cannot live beside `name`, because one would be a folder of the other."""
        if name in self._folders:
            return next(other for other in self._names if other.startswith(name + "/"))
        return next((folder for folder in _folders(name) if folder in self._names), None)


def _folders(name: str) -> Iterator[str]:
    while (name := name.rpartition("/")[0]) != "":
        yield name

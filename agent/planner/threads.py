"""Which discussion is meant when nobody says its number: by its author, by words of its title, or as the only one there is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from agent.planner.patterns import CJK

# Shares of a title's words (or pairs of characters, in Chinese and Japanese) that a message must have to mean it.
_ENOUGH = 0.4


@dataclass(frozen=True, slots=True)
class Thread:
    """A discussion or pull request, as far as it can be named in a sentence."""

    number: int
    title: str
    author: str
    is_pull_request: bool
    is_open: bool


@runtime_checkable
class KnowsThreads(Protocol):
    """A world that can look into a repo's discussions."""

    def threads(self, repo: str) -> Sequence[Thread]:
        """Its newest discussions and pull requests; none when the repo cannot be read."""
        ...


def meant(
    threads: Sequence[Thread], said: str, authors: Sequence[str], *, pulls: bool | None, is_open: bool | None, required: bool
) -> Thread | None:
    """The one thread that fits what was said, if there is exactly one.

    Args:
        said: the message in lower case, without names. authors: people it names.
        pulls: only pull requests, or only others; None for both. is_open: as for `pulls`. required: the only one there is will do.
    """
    fit = [thread for thread in threads if pulls is None or thread.is_pull_request == pulls]
    fit = [thread for thread in fit if is_open is None or thread.is_open == is_open]
    if authors and (own := [thread for thread in fit if thread.author in authors]):
        return own[0] if len(own) == 1 else _titled(own, said)
    return _titled(fit, said) or (fit[0] if required and len(fit) == 1 else None)


def _titled(threads: Sequence[Thread], said: str) -> Thread | None:
    scored = sorted(((_share(thread.title.lower(), said), thread.number, thread) for thread in threads), reverse=True)
    if not scored or scored[0][0] < _ENOUGH or (len(scored) > 1 and scored[1][0] == scored[0][0]):
        return None
    return scored[0][2]


def _share(title: str, said: str) -> float:
    if CJK.search(title):
        text = re.sub(r"\s+", "", title)
        parts = {text[at : at + 2] for at in range(len(text) - 1)}
        hits = [part for part in parts if part in re.sub(r"\s+", "", said)]
    else:
        parts = {word for word in re.findall(r"[a-z0-9]+", title) if len(word) > 3}
        hits = [word for word in parts if re.search(rf"\b{re.escape(word)}", said)]
    return len(hits) / len(parts) if parts else 0.0

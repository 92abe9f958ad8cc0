"""Which paths the lines of `.gitattributes` and `.gitignore` mean: Git's wildmatch, in time that grows with pattern times path.

Regular expressions would not do: a pattern like `*a*a*a*a*b` makes them try for hours, and anybody may push one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

MAX_FILE = 256 * 1024
MAX_LINES = 5000
_P = TypeVar("_P")
_T = TypeVar("_T")
_ANY_FOLDERS = "**"
_RUN = "*"
_WORDS = re.compile(r"[^ \t\r\n\v\f]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(.*)')
_SPACES = " \t\n\r\v\f"
_POSIX: dict[str, Callable[[str], bool]] = {
    "alnum": lambda char: char.isascii() and char.isalnum(),
    "alpha": lambda char: char.isascii() and char.isalpha(),
    "digit": lambda char: char.isascii() and char.isdigit(),
    "lower": lambda char: char.isascii() and char.islower(),
    "space": _SPACES.__contains__,
    "upper": lambda char: char.isascii() and char.isupper(),
}


@dataclass(frozen=True, slots=True)
class _OneOf:
    """A place for one character: any (`?`), or of a class (`[a-z]`)."""

    negated: bool = True
    chars: str = ""
    ranges: tuple[tuple[str, str], ...] = ()
    tests: tuple[Callable[[str], bool], ...] = ()

    def fits(self, char: str) -> bool:
        found = char in self.chars or any(low <= char <= high for low, high in self.ranges) or any(test(char) for test in self.tests)
        return found is not self.negated


_Token = str | _OneOf
_Segment = tuple[_Token, ...] | str


@dataclass(frozen=True, slots=True)
class Glob:
    """A compiled pattern. `folders_only` patterns (`build/`) mean folders."""

    segments: tuple[_Segment, ...]
    folders_only: bool = False

    def matches(self, parts: Sequence[str]) -> bool:
        """Whether a path, split at its slashes, is meant."""
        return _wild(self.segments, parts, lambda segment: segment == _ANY_FOLDERS, _segment_fits)


def compile_glob(pattern: str) -> Glob | None:
    """Compile a pattern; None for one that Git would not understand, and which so means nothing."""
    folders_only = pattern.endswith("/")
    body = pattern.rstrip("/")
    raw = body.removeprefix("/").split("/")
    if "/" not in body:
        raw.insert(0, _ANY_FOLDERS)
    if raw[-1] == _ANY_FOLDERS:
        # `a/**` means what is in a, not a itself.
        raw.append(_RUN)
    segments: list[_Segment] = []
    for part in raw:
        if part == _ANY_FOLDERS:
            segments.append(part)
            continue
        tokens = _tokens(part)
        if not tokens:
            return None
        segments.append(tokens)
    return Glob(tuple(segments), folders_only)


def _tokens(text: str) -> tuple[_Token, ...] | None:
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        char = text[position]
        position += 1
        if char == "\\":
            if position == len(text):
                return None
            # Two characters, so that an escaped star is not the wildcard.
            tokens.append("\\" + text[position])
            position += 1
        elif char == "?":
            tokens.append(_OneOf())
        elif char == "[":
            found = _class(text, position)
            if found is None:
                return None
            tokens.append(found[0])
            position = found[1]
        elif char != _RUN or tokens[-1:] != [_RUN]:
            tokens.append(char)
    return tuple(tokens)


def _class(text: str, position: int) -> tuple[_OneOf, int] | None:
    """A class from after its `[` on, and where it ends; None when it does not end."""
    negated = text[position : position + 1] in {"!", "^"}
    position += negated
    chars: list[str] = []
    ranges: list[tuple[str, str]] = []
    tests: list[Callable[[str], bool]] = []
    first = True
    while position < len(text):
        if text[position] == "]" and not first:
            return _OneOf(negated, "".join(chars), tuple(ranges), tuple(tests)), position + 1
        first = False
        posix = re.compile(r"\[:([a-z]+):\]").match(text, position)
        if posix:
            if posix[1] not in _POSIX:
                return None
            tests.append(_POSIX[posix[1]])
            position = posix.end()
            continue
        position += text[position] == "\\"
        low, position = text[position : position + 1], position + 1
        if text[position : position + 1] == "-" and text[position + 1 : position + 2] not in {"", "]"}:
            position += 1 + (text[position + 1] == "\\")
            ranges.append((low, text[position : position + 1]))
            position += 1
        else:
            chars.append(low)
    return None


def _segment_fits(segment: _Segment, name: str) -> bool:
    return _wild(segment, name, lambda token: token == _RUN, _token_fits)


def _token_fits(token: _Token, char: str) -> bool:
    return token.fits(char) if isinstance(token, _OneOf) else token[-1] == char


def _wild(pattern: Sequence[_P], text: Sequence[_T], is_run: Callable[[_P], bool], fits: Callable[[_P, _T], bool]) -> bool:
    """Match with runs of any length; only the last run is ever tried again, which is enough."""
    at, position, run, mark = 0, 0, -1, 0
    while position < len(text):
        if at < len(pattern) and is_run(pattern[at]):
            run, mark, at = at, position, at + 1
        elif at < len(pattern) and fits(pattern[at], text[position]):
            at, position = at + 1, position + 1
        elif run >= 0:
            mark += 1
            at, position = run + 1, mark
        else:
            return False
    return all(is_run(item) for item in pattern[at:])


@dataclass(slots=True)
class Attributes:
    """The `filter` attribute of paths, from the `.gitattributes` of every folder on the way."""

    read: Callable[[str], bytes | None]
    """Content of a path, None when it is not there."""
    _rules: dict[str, list[tuple[Glob, str | None]]] = field(default_factory=dict)

    def filter_of(self, path: str) -> str | None:
        """`lfs` or another filter, empty for "no filter", None where nothing is said."""
        parts, bytewise = path.split("/"), _bytewise(path).split("/")
        found: str | None = None
        for depth in range(len(parts)):
            for glob, value in self._of("/".join(parts[:depth])):
                if glob.matches(bytewise[depth:]):
                    found = value
        return found

    def _of(self, folder: str) -> list[tuple[Glob, str | None]]:
        if folder not in self._rules:
            content = self.read(f"{folder}/.gitattributes" if folder else ".gitattributes")
            self._rules[folder] = list(_filter_rules(content or b""))
        return self._rules[folder]


def _filter_rules(content: bytes) -> Iterator[tuple[Glob, str | None]]:
    """Patterns and the filter that each sets: a name, empty (`-filter`) or None (`!filter`)."""
    for line in _lines(content):
        text = line.strip(_SPACES)
        if text.startswith(("#", "!", "[attr]")):
            continue
        quoted = _QUOTED.fullmatch(text)
        pattern, *words = [quoted[1].replace('\\"', '"'), *_WORDS.findall(quoted[2])] if quoted else _WORDS.findall(text)
        glob = compile_glob(pattern)
        if glob is None or glob.folders_only:
            continue
        for word in words:
            name, _, value = word.partition("=")
            if name in {"filter", "-filter", "!filter"}:
                yield glob, None if word == "!filter" else value


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """One `.gitignore`."""

    rules: tuple[tuple[Glob, bool], ...]

    def ignores(self, path: str) -> bool:
        """Whether the path, or a folder above it, is ignored."""
        parts = _bytewise(path).split("/")
        for depth in range(1, len(parts) + 1):
            verdict = self._verdict(parts[:depth], is_folder=depth < len(parts))
            if verdict:
                return True
        return False

    def _verdict(self, parts: Sequence[str], *, is_folder: bool) -> bool:
        for glob, ignored in reversed(self.rules):
            if (is_folder or not glob.folders_only) and glob.matches(parts):
                return ignored
        return False


def read_ignore(content: bytes) -> IgnoreRules:
    """Read a `.gitignore`."""
    rules: list[tuple[Glob, bool]] = []
    for line in _lines(content):
        text = line.rstrip("\r") if line.endswith("\\ ") else line.rstrip(_SPACES)
        if not text or text.startswith("#"):
            continue
        glob = compile_glob(text.removeprefix("!"))
        if glob is not None:
            rules.append((glob, not text.startswith("!")))
    return IgnoreRules(tuple(rules))


def _lines(content: bytes) -> list[str]:
    if len(content) > MAX_FILE:
        return []
    return [line for line in content.decode("latin-1").split("\n")[:MAX_LINES] if line.strip(_SPACES)]


def _bytewise(path: str) -> str:
    """One character a byte: for Git `?` stands for one byte."""
    return path.encode("utf-8", "surrogateescape").decode("latin-1")


def lfs_line(path: str) -> bytes:
    """The line of a root `.gitattributes` that sends exactly one path to LFS."""
    shown = "".join("[[:space:]]" if char in _SPACES else "\\" + char if char in "*?[\\" else char for char in path)
    return f"/{shown} filter=lfs diff=lfs merge=lfs -text".encode()

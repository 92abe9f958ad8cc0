"""Answers in the shape that a platform can show: tables drawn otherwise, long texts split where it hurts least."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chat_ui.bridges.port import Capabilities

_RULE = re.compile(r"\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*")
_CELL = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"\[([^\]\n]+)\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a Markdown text; cells are Markdown of one line."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A fenced block."""

    text: str
    info: str = ""


Segment = str | Table | Code


def segments(markdown: str) -> list[Segment]:
    """A text as paragraphs (with everything that is in them), tables and code blocks, in order."""
    found: list[Segment] = []
    plain: list[str] = []
    lines = markdown.split("\n")
    at = 0

    def flush() -> None:
        text = "\n".join(plain).strip("\n")
        if text.strip():
            found.append(text)
        plain.clear()

    while at < len(lines):
        line = lines[at]
        ticks = line[: len(line) - len(line.lstrip("`"))]
        if len(ticks) >= 3:
            flush()
            end = next((number for number in range(at + 1, len(lines)) if lines[number].strip() == ticks), len(lines))
            found.append(Code("\n".join(lines[at + 1 : end]), line[len(ticks) :].strip()))
            at = end + 1
        elif "|" in line and at + 1 < len(lines) and "|" in lines[at + 1] and _RULE.fullmatch(lines[at + 1].strip()):
            flush()
            header = _cells(line)
            at += 2
            rows = []
            while at < len(lines) and "|" in lines[at] and lines[at].strip():
                cells = _cells(lines[at])
                rows.append(tuple([*cells, *[""] * len(header)][: len(header)]))
                at += 1
            found.append(Table(tuple(header), tuple(rows)))
        else:
            plain.append(line)
            at += 1
    flush()
    return found


def fitted(markdown: str, capabilities: Capabilities) -> str:
    """The text with its tables as the platform shows them best, and without marks where it shows none."""
    if capabilities.tables == "markdown":
        return markdown
    parts = []
    for part in segments(markdown):
        if isinstance(part, Table):
            parts.append(f"```\n{aligned(part)}\n```" if capabilities.tables == "monospace" else listed(part))
        elif isinstance(part, Code):
            parts.append(f"```{part.info}\n{part.text}\n```")
        else:
            parts.append(part)
    text = "\n\n".join(parts)
    return text if capabilities.markdown else unmarked(text)


def aligned(table: Table) -> str:
    """A table in columns of one width each, for a font of one width (East Asian characters take two)."""
    rows = [[unmarked(cell) for cell in row] for row in (table.header, *table.rows)]
    widths = [max(_width(row[column]) for row in rows) for column in range(len(table.header))]
    lines = ["  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def listed(table: Table) -> str:
    """A table as a list: the first column, then the others with their names."""
    lines = []
    for row in table.rows:
        facts = [f"{name}: {cell}" for name, cell in zip(table.header[1:], row[1:], strict=True) if cell]
        lines.append(" · ".join([f"- {row[0]}", *facts]))
    return "\n".join(lines)


def unmarked(markdown: str) -> str:
    """A text without the marks of Markdown; links show where they lead."""
    text = _LINK.sub(r"\1 (\2)", markdown)
    text = re.sub(r"^```.*$\n?", "", text, flags=re.MULTILINE)
    text = re.sub(r"^#{1,6} ", "", text, flags=re.MULTILINE)
    text = re.sub(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    text = re.sub(r"`([^`\n]+)`", r"\1", text)
    return re.sub(r"\\([\\|*_\[\]()`#-])", r"\1", text)


def split(text: str, limit: int, *, counts_bytes: bool = False) -> list[str]:
    """A text in pieces of at most `limit`, cut between paragraphs, else lines, else words. A code block that is cut is closed and opened again."""
    measure: Callable[[str], int] = (lambda piece: len(piece.encode())) if counts_bytes else len
    pieces: list[str] = []
    current = ""
    fence = ""
    for line in text.split("\n"):
        reserve = 2 * (len(fence) + 5) if fence else 0
        for part in _short(line, limit - max(reserve, 16), measure):
            joined = f"{current}\n{part}" if current else part
            if measure(joined) + (len(fence) + 1 if fence else 0) > limit and current.strip():
                pieces.append(f"{current}\n{fence}" if fence else current)
                current = f"{fence}\n{part}" if fence else part
            else:
                current = joined
        mark = line[: len(line) - len(line.lstrip("`"))]
        if len(mark) >= 3:
            fence = "" if fence and line.strip() == fence else fence or mark
    if current.strip():
        pieces.append(current)
    return _balanced(pieces, limit, measure) or [""]


def _balanced(pieces: list[str], limit: int, measure: Callable[[str], int]) -> list[str]:
    """Prefer to cut at an empty line where the last half of a piece has one outside of code."""
    done: list[str] = []
    rest = pieces[:]
    while rest:
        piece = rest.pop(0)
        cut = piece.rfind("\n\n")
        if rest and "```" not in piece and cut > len(piece) // 2 and measure(f"{piece[cut + 2 :]}\n{rest[0]}") <= limit:
            rest[0] = f"{piece[cut + 2 :]}\n{rest[0]}"
            piece = piece[:cut]
        done.append(piece.strip("\n"))
    return [piece for piece in done if piece.strip()]


def _short(line: str, limit: int, measure: Callable[[str], int]) -> Sequence[str]:
    """A line in parts that fit, cut between words where it has some."""
    parts = []
    while measure(line) > limit:
        end = min(len(line), limit)
        while measure(line[:end]) > limit:
            end = max(1, end - max(1, (measure(line[:end]) - limit) // 4))
        space = line.rfind(" ", end // 2, end)
        end = space + 1 if space > 0 else end
        parts.append(line[:end])
        line = line[end:]
    return [*parts, line]


def _cells(line: str) -> list[str]:
    text = line.strip()
    text = text[1:] if text.startswith("|") else text
    text = text[:-1] if text.endswith("|") and not text.endswith("\\|") else text
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(text)]


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 0 if unicodedata.combining(char) else 1 for char in text)

"""Markdown as WeCom's applications draw it: headings, bold, links, quotes and inline code; no lists, no blocks of code."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^```.*$\n?", re.MULTILINE)
_ITALIC = re.compile(r"(?<![*\w])[*_](?=\S)([^*_\n]+?)(?<=\S)[*_](?![*\w])")
_ESCAPED = re.compile(r"\\([\\|*_\[\]()`#.!>~-])")
_BULLET = re.compile(r"^(\s*)[*+] ", re.MULTILINE)


def wecom_markdown(text: str) -> str:
    """The text with what WeCom would show as plain signs taken out."""
    return _ESCAPED.sub(r"\1", _ITALIC.sub(r"\1", _BULLET.sub(r"\1- ", _FENCE.sub("", text))))

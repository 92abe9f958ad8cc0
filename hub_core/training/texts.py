"""Rows of a dataset as texts to learn from: which columns they are in, and each row as one example."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub_core.errors import UnsuitableData

MESSAGES, PAIR, TEXT = "messages", "pair", "text"
CHATS = ("messages", "conversations", "conversation")
# A question and its answer, by the names that datasets give them.
PAIRS = (
    ("prompt", "completion"), ("instruction", "output"), ("prompt", "response"), ("instruction", "response"), ("question", "answer"),
    ("input", "output"), ("prompt", "chosen"),
)  # fmt: skip
TEXTS = ("text", "content")
# What the other dialects of chats call the same roles.
_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
_KNOWN = frozenset({"system", "user", "assistant", "tool"})
MAX_SHOWN = 20
MAX_TURNS = 200
HINT = "It needs a column `messages`, the columns `prompt` and `completion`, `instruction` and `output`, or a column `text`."

Example = dict[str, Any]
"""What a program learns from: `{"messages": [{"role", "content"}, …]}` or `{"text": …}`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Where the texts of a dataset are: its kind (messages, pair, text) and the columns."""

    kind: str
    columns: tuple[str, ...]

    def example(self, row: Mapping[str, Any]) -> Example | None:
        """A row as an example; None for a row without a text in it."""
        values = [row.get(column) for column in self.columns]
        if self.kind == MESSAGES:
            turns = _messages(values[0])
            return {"messages": turns} if turns else None
        texts = [value.strip() if isinstance(value, str) else "" for value in values]
        if self.kind == TEXT:
            return {"text": texts[0]} if texts[0] else None
        question = "\n\n".join(text for text in (texts[0], *texts[2:]) if text)
        if not question or not texts[1]:
            return None
        return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": texts[1]}]}


def recognise(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Shape | None:
    """The shape of a table with these columns, some of whose rows are given; None where it has no texts to learn from."""
    found = {name.strip().lower(): name for name in reversed(names)}
    for name in CHATS:
        if name in found and any(_messages(row.get(found[name])) for row in rows):
            return Shape(MESSAGES, (found[name],))
    for question, answer in PAIRS:
        if question in found and answer in found:
            more = (found["input"],) if question == "instruction" and "input" in found else ()
            shape = Shape(PAIR, (found[question], found[answer], *more))
            if any(shape.example(row) for row in rows):
                return shape
    for name in TEXTS:
        if name in found and any(isinstance(row.get(found[name]), str) for row in rows):
            return Shape(TEXT, (found[name],))
    return None


def unsuitable(dataset: str, names: Sequence[str]) -> UnsuitableData:
    """The error for a dataset of whose columns none is recognised; it names those that are there."""
    listed = ", ".join(f"`{name[:60]}`" for name in names[:MAX_SHOWN]) + (", …" if len(names) > MAX_SHOWN else "")
    return UnsuitableData(
        f"{dataset} has no texts to learn from: its columns are {listed}.", hint=HINT, columns=list(names[:MAX_SHOWN]), dataset=dataset
    )


def plain_text(example: Example) -> str:
    """All of an example's text, for counting."""
    return str(example["text"]) if "text" in example else "\n".join(f"{turn['role']}\n{turn['content']}" for turn in example["messages"])


def _messages(value: Any) -> list[dict[str, str]]:
    """A conversation in which an assistant says something; empty for anything else. CSV has them as JSON."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    if not isinstance(value, list) or not 0 < len(value) <= MAX_TURNS:
        return []
    turns = []
    for item in value:
        if not isinstance(item, dict):
            return []
        role, content = str(item.get("role") or item.get("from") or "").lower(), item.get("content", item.get("value"))
        role = _ROLES.get(role, role)
        if role not in _KNOWN or not isinstance(content, str):
            return []
        turns.append({"role": role, "content": content})
    return turns if any(turn["role"] == "assistant" and turn["content"].strip() for turn in turns) else []

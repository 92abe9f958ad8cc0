"""Rows of a dataset as texts to learn from: which columns they are in, and each row as one example."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub_core.running_errors import UnsuitableData

MESSAGES, CHOICE, PAIR, TEXT, ROW = "messages", "choice", "pair", "text", "row"
CHATS = ("messages", "conversations", "conversation")
# A question and its answer, by the names that datasets give them.
PAIRS = (
    ("prompt", "completion"), ("instruction", "output"), ("prompt", "response"), ("instruction", "response"), ("question", "answer"),
    ("input", "output"), ("prompt", "chosen"),
)  # fmt: skip
# A question with several answers, of which one is right: by its number, its letter, or its text.
CHOICES = tuple((question, choices, answer) for question in ("question", "query", "prompt") for choices in ("choices", "options") for answer in ("answer", "label", "answerkey"))  # fmt: skip
TEXTS = ("text", "content")
# What the other dialects of chats call the same roles.
_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
_KNOWN = frozenset({"system", "user", "assistant", "tool"})
MAX_SHOWN = 20
MAX_TURNS = 200
MAX_CHOICES = 26
HINT = "It needs a column `messages`, the columns `prompt` and `completion`, `instruction` and `output`, or a column `text`."

Example = dict[str, Any]
"""What a program learns from: `{"messages": [{"role", "content"}, …]}` or `{"text": …}`; with several answers also `choices` and the number of the right `answer`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Where the texts of a dataset are: its kind (messages, choice, pair, text, or row: all of it) and the columns."""

    kind: str
    columns: tuple[str, ...]

    def example(self, row: Mapping[str, Any]) -> Example | None:
        """A row as an example; None for a row without a text in it."""
        values = [row.get(column) for column in self.columns]
        if self.kind == MESSAGES:
            turns = _messages(values[0])
            return {"messages": turns} if turns else None
        if self.kind == CHOICE:
            return _choice(*values)
        if self.kind == ROW:
            return {"text": "\n".join(str(value) for value in values)}
        texts = [value.strip() if isinstance(value, str) else "" for value in values]
        if self.kind == TEXT:
            return {"text": texts[0]} if texts[0] else None
        question = "\n\n".join(text for text in (texts[0], *texts[2:]) if text)
        if not question or not texts[1]:
            return None
        return {"messages": _asked(question, texts[1])}


def recognise(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Shape | None:
    """The shape of a table with these columns, some of whose rows are given; None where it has no texts to learn from."""
    found = {name.strip().lower(): name for name in reversed(names)}
    for name in CHATS:
        if name in found and any(_messages(row.get(found[name])) for row in rows):
            return Shape(MESSAGES, (found[name],))
    for columns in CHOICES:
        if set(columns) <= found.keys():
            shape = Shape(CHOICE, tuple(found[column] for column in columns))
            if any(shape.example(row) for row in rows):
                return shape
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


def _asked(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def _choice(question: Any, choices: Any, answer: Any) -> Example | None:
    """A question with its answers; the dialect of ARC has them as `{"text": […], "label": […]}`."""
    labels: list[Any] = []
    if isinstance(choices, dict):
        choices, labels = choices.get("text"), choices.get("label") or []
    if not isinstance(question, str) or not question.strip() or not isinstance(choices, list) or not 2 <= len(choices) <= MAX_CHOICES:
        return None
    if not all(isinstance(choice, str) and choice.strip() for choice in choices):
        return None
    letters = [chr(ord("a") + number) for number in range(len(choices))]
    said = str(answer).strip().lower()
    for names in (
        [str(label).lower() for label in labels],
        [choice.strip().lower() for choice in choices],
        letters,
        [str(n) for n in range(len(choices))],
    ):
        if said in names and names.index(said) < len(choices):
            right = names.index(said)
            return {
                "messages": _asked(question.strip(), choices[right].strip()),
                "choices": [choice.strip() for choice in choices],
                "answer": right,
            }
    return None


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

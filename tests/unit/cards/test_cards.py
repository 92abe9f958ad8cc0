"""Cards: what people write in front matter, what attackers write."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_core.repos.cards import read_card

CARD = b"""---
# about
language:
- en
- no
license: Apache-2.0  # checked
tags: [chat, small]
datasets: acme/talks
base_model: acme/base
pipeline_tag: text-generation
library_name: transformers
task_categories:
- question-answering
pretty_name: "Small talk"
---
# Title

[![badge](x)](y)

A **small** model with [a link](https://example.com) and `code`,
on two lines.

More.
"""


def test_card_fields_are_read() -> None:
    card = read_card(CARD)
    assert card.license == "apache-2.0"
    assert card.languages == ("en", "no")
    assert card.tags == ("chat", "small")
    assert (card.datasets, card.base_models) == (("acme/talks",), ("acme/base",))
    assert (card.pipeline_tag, card.library_name, card.pretty_name) == ("text-generation", "transformers", "Small talk")
    assert card.description == "A small model with a link and code, on two lines."
    assert card.warnings == ()


def test_hub_tags_follow_the_hub_convention() -> None:
    assert read_card(CARD).hub_tags == [
        "text-generation", "transformers", "chat", "small", "dataset:acme/talks", "base_model:acme/base",
        "task_categories:question-answering", "en", "no", "license:apache-2.0",
    ]  # fmt: skip


@pytest.mark.parametrize("text", [b"", b"# Only a title", b"plain", b"---\n---\n", b"---", b"---\nlicense: mit"])
def test_readme_without_front_matter_is_an_empty_card(text: bytes) -> None:
    card = read_card(text)
    assert card.raw == {}
    assert card.license is None


def test_explicit_description_wins_and_is_shortened() -> None:
    card = read_card(b"---\ndescription: " + b"word " * 200 + b"\n---\nBody.")
    assert card.description is not None
    assert card.description.startswith("word word")
    assert len(card.description) <= 300


@pytest.mark.parametrize(
    "front",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]",
        "a: &a [*a]",
        "a: " + "[" * 5000,
        "a: " + "[" * 50 + "]" * 50,
        "- just\n- a list",
        "a: b: c",
        "a: !!python/object/apply:os.system [id]",
        "when: 2024-13-45",
        "x: !!int ''",
        "x: !!timestamp {a: 1}",
        "? [a, b]\n: c",
        "a: '" + "x" * 600_000 + "'",
        "\x00",
    ],
)
def test_hostile_front_matter_gives_a_warning(front: str) -> None:
    card = read_card(f"---\n{front}\n---\nBody text.\n".encode())
    assert card.raw == {}
    assert card.warnings
    assert card.description == "Body text."


def test_odd_values_become_plain_json() -> None:
    card = read_card(b"---\nd: 2024-01-02\nf: .nan\nb: !!binary aGk=\n1: one\nlicense: [mit, other]\ntags: {a: 1}\n---\n")
    assert card.raw == {"d": "2024-01-02", "f": None, "b": "hi", "1": "one", "license": ["mit", "other"], "tags": {"a": 1}}
    assert card.license == "mit"
    assert card.tags == ()
    assert "tags" in card.warnings[0]


@given(st.binary(max_size=400), st.booleans())
def test_reading_never_raises_and_is_json(data: bytes, front: bool) -> None:
    card = read_card(b"---\n" + data + b"\n---\n" + data if front else data)
    json.dumps([card.raw, card.hub_tags, card.description], allow_nan=False).encode()

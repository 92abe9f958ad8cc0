"""Cards: what people write in front matter, what attackers write, and rewriting one field."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_core.errors import HubError, InvalidInput
from hub_core.repos.cards import read_card, write_card_field

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


@given(st.text(max_size=200))
def test_writing_only_raises_hub_errors_and_can_be_read_back(front: str) -> None:
    text = f"---\n{front}\n---\nBody\n".encode("utf-8", "replace")
    try:
        changed = write_card_field(text, "license", "mit")
    except HubError:
        return
    assert read_card(changed).license == "mit"
    assert changed.endswith(b"Body\n")


def test_writing_changes_one_line_only() -> None:
    assert write_card_field(CARD, "license", "mit") == CARD.replace(b"license: Apache-2.0  # checked", b"license: mit")


def test_writing_replaces_a_block_and_keeps_the_comments_around_it() -> None:
    text = b"---\r\n# first\r\ntags:\r\n- a\r\n- b\r\n# second\r\nlicense: mit\r\n---\r\nx"
    assert write_card_field(text, "tags", ["c"]) == b"---\r\n# first\r\ntags:\r\n- c\r\n# second\r\nlicense: mit\r\n---\r\nx"


def test_writing_adds_removes_and_starts() -> None:
    assert write_card_field(b"---\na: 1\n---\nx", "license", "mit") == b"---\na: 1\nlicense: mit\n---\nx"
    assert write_card_field(b"---\na: 1\nlicense: mit\n---\nx", "license", None) == b"---\na: 1\n---\nx"
    assert write_card_field(b"# Hi\n", "license", "mit") == b"---\nlicense: mit\n---\n\n# Hi\n"
    assert write_card_field(b"", "license", "mit") == b"---\nlicense: mit\n---\n"
    assert write_card_field(b"# Hi\n", "license", None) == b"# Hi\n"
    assert write_card_field(b"---\n{a: 1}\n---\nx", "license", "mit") == b"---\na: 1\nlicense: mit\n---\nx"


def test_values_that_would_change_the_structure_are_quoted() -> None:
    changed = write_card_field(b"---\na: 1\n---\nx", "license", "mit\n---\nevil: true")
    assert read_card(changed).raw["a"] == 1
    assert "evil" not in read_card(changed).raw


@pytest.mark.parametrize("text", [b"---\n- a\n---\n", b"---\na: b: c\n---\n", b"---\na: &x 1\nb: *x\n---\n", b"\xff\xfe"])
def test_writing_into_broken_front_matter_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidInput):
        write_card_field(text, "license", "mit")

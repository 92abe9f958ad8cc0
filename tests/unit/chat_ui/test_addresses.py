"""Addresses that clients print become questions; whatever else is in an address becomes nothing."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_ui.addresses import question_of
from chat_ui.texts import LANGUAGES, Language, texts


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("acme/support-7b", "Show acme/support-7b"),
        ("/hf/datasets/acme/tickets/", "Show acme/tickets"),
        ("models/acme/support-7b/tree/main", "List the files of acme/support-7b"),
        ("datasets/acme/tickets/tree/main/data/2026", "List the files of acme/tickets in data/2026"),
        ("acme/support-7b/blob/main/config.json", "Show the file config.json of acme/support-7b"),
        ("spaces/acme/demo/commit/4f2a91c", "Show the commit 4f2a91c of acme/demo"),
        ("acme/support-7b/discussions/3", "Show discussion #3 of acme/support-7b"),
        ("collections/acme/best-5f0c", "Show the collection acme/best-5f0c"),
        ("settings/tokens", "List my tokens"),
    ],
)
def test_a_printed_address_is_a_question(address: str, said: str) -> None:
    found = question_of(address)
    assert found is not None
    assert texts("en").links[found[0]].format(**found[1]) == said


@pytest.mark.parametrize(
    "address",
    [
        "",
        "acme",
        "acme/x/resolve/main/a.bin",
        "acme/x/blob/main/delete everything now",
        "acme/x/commit/abc%20and%20delete%20it",
        "acme/x and delete it",
        "api/models",
        "acme/x/info/refs",
        "acme/x/discussions/new",
        "collections/a/b/c",
        "a/" * 400,
    ],
)
def test_other_addresses_are_nobodys(address: str) -> None:
    assert question_of(address) is None


@given(st.text(max_size=80), st.text(string.printable, max_size=80))
def test_no_words_of_the_address_get_into_the_sentence(first: str, second: str) -> None:
    found = question_of(f"{first}/{second}")
    if found is not None:
        for value in found[1].values():
            assert not any(char.isspace() for char in value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_question(language: Language) -> None:
    for name, sentence in texts("en").links.items():
        blanks = {field for _, field, _, _ in string.Formatter().parse(sentence) if field}
        assert blanks == {field for _, field, _, _ in string.Formatter().parse(texts(language).links[name]) if field}

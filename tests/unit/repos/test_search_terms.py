"""How texts and words are cut for the search index, whatever is in them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub_core.repos.terms import Findable, any_of, findable, fold, term, word_terms, words_of

# Scripts that people name and describe repos in, with what folds in a surprising way.
LETTERS = "abzAZ019 -_./#\"'ßİıſﬁＡｂ１㎏éeé中文客服机器翻譯カナガｶﾞひらがな한국어각 नमस्ते\u3000\u00ad\x00\ud800😀"
TEXT = st.text(st.sampled_from(LETTERS) | st.characters(), max_size=60)


@example("¨", [])
@example("'\u0308a", [])
@given(TEXT, st.lists(TEXT, max_size=3))
def test_the_index_never_misses_a_text_that_has_the_word(word: str, parts: list[str]) -> None:
    for said in words_of(word):
        found = findable([*parts, "x" + said + "y"], [])
        assert said in found.text
        assert set(word_terms(said)) <= found.terms


@given(TEXT)
def test_every_part_of_a_text_finds_it(text: str) -> None:
    found = findable([text], [])
    line = found.text
    for start in range(len(line)):
        for end in range(start + 1, min(len(line), start + 12) + 1):
            assert set(word_terms(line[start:end])) <= found.terms


@given(TEXT)
def test_a_folded_text_is_one_storable_line_and_stays_as_it_is(text: str) -> None:
    folded = fold(text)
    assert "\n" not in folded and "\0" not in folded
    assert folded.encode("utf-8").decode() == folded
    assert fold(folded) == folded


@given(TEXT)
def test_numbers_fit_a_column_of_integers(text: str) -> None:
    assert all(-(2**31) <= number < 2**31 for number in findable([text], [text]).terms)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("roberta-base", "bert"),
        ("面向客服场景的模型", "客服"),
        ("面向客服场景的模型", "服"),
        ("問い合わせ分類", "分類"),
        ("고객 지원", "지원"),
        ("ＬＬＡＭＡ－３", "llama-3"),
        ("ｶﾀｶﾅ", "カタカナ"),
        ("STRASSE", "straße"),
        ("v3.1", "3.1"),
    ],
)
def test_what_people_would_call_a_part_of_it(text: str, word: str) -> None:
    [said] = words_of(word)
    found = findable([text], [])
    assert said in found.text
    assert set(word_terms(said)) <= found.terms


def test_words_are_what_stands_between_blanks() -> None:
    assert words_of("  \"Phi\"  'mini'\u3000客服 phi ") == ["phi", "mini", "客服"]
    assert words_of('" \' ""') == []
    assert len(words_of(" ".join(map(str, range(50))))) == 8


@pytest.mark.parametrize("word", ["a", "7", "-", "_", "%"])
def test_some_words_the_index_knows_nothing_of(word: str) -> None:
    assert word_terms(word) == []


def test_a_facet_is_no_word() -> None:
    found = findable(["text"], ["kind:model", "tag:two  words"])
    assert set(any_of(["kind:model", "tag:two words"])) <= found.terms
    assert "model" not in found.text
    assert Findable("", "").terms == {term("")}

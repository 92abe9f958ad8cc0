from __future__ import annotations

import pytest

from agent.language import detect_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("list my models", "en"), ("列出模型", "zh"), ("把 support-x 设为私有", "zh"), ("删除", "zh"), ("最新版本", "zh"), ("モデルを見せて", "ja"), ("削除", "ja"), ("公開", "ja"), ("一覧", "ja"),
        ("非公開", "ja"), ("모델 보여줘", "ko"), ("support-x 삭제", "ko"), ("show me 「モデル」 please now", "en"), ("ｓｈｏｗ", "en"), ("support-x を消して", "ja"), ("", "en"),
    ],
)  # fmt: skip
def test_language_of_a_message(text: str, language: str) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize("thread", ["en", "zh", "ja", "ko"])
def test_text_without_a_language_keeps_the_threads(thread: str) -> None:
    for text in ("support-x", "42", "ok", "3fa9c21", "👍"):
        assert detect_language(text, thread) == thread


def test_characters_of_both_keep_japanese_or_chinese() -> None:
    assert detect_language("全部", "ja") == "ja"
    assert detect_language("全部", "zh") == "zh"
    assert detect_language("全部", "en") == "zh"

"""Tokens are counted by the model's own tokenizer, in a process that a bad one cannot hurt anybody from; else they are estimated."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from hub_core.reading import BytesReader
from hub_core.training import tokens

HERE = [Path(sys.executable)]


def tokenizer() -> BytesReader:
    made = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return BytesReader("tokenizer.json", made.to_str().encode())


def test_the_model_s_own_tokenizer_counts() -> None:
    counts = tokens.count(["a b c", "a", "한국어 문장"], tokenizer(), HERE)
    assert (counts.each, counts.counted) == ((3, 1, 2), True)
    assert counts.mean == 2
    assert counts.longest in (2, 3)


@pytest.mark.parametrize("reader", [None, BytesReader("tokenizer.json", b"{}"), BytesReader("tokenizer.json", b"\xff" * 100)])
def test_without_one_tokens_are_estimated(reader: BytesReader | None) -> None:
    counts = tokens.count(["The quick brown fox jumps over the lazy dog.", "这是一个句子"], reader, HERE)
    assert not counts.counted
    assert 8 <= counts.each[0] <= 14
    assert counts.each[1] == 6


def test_a_tokenizer_that_takes_forever_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(tokens, "PROGRAM", slow)
    monkeypatch.setattr(tokens, "TIMEOUT_S", 0.5)
    began = time.monotonic()
    assert not tokens.count(["a"], tokenizer(), HERE).counted
    assert time.monotonic() - began < 20


def test_a_python_without_the_package_is_passed_over(tmp_path: Path) -> None:
    assert tokens.count(["a b"], tokenizer(), [tmp_path / "none", *HERE]).counted

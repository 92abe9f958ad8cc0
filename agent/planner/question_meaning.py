"""Columns and values by what a word means: for words that the lexicon does not have, in any of its languages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from agent.planner.encoder import encode
from agent.planner.question_columns import ColumnInfo, core_words

# As near as this, and nearer than the next one by this, is the same thing. Measured over pairs of column names in four languages.
NEAR, NEAR_VALUE, AHEAD = 0.74, 0.82, 0.12
MAX_COLUMNS, MAX_VALUES = 60, 60
_LATIN_LEAST, _OTHER_LEAST = 4, 2


def nearest(word: str, columns: Sequence[ColumnInfo]) -> tuple[ColumnInfo, float] | None:
    """The one column whose name means what the word means, and how near it is."""
    if len(word) < (_LATIN_LEAST if word.isascii() else _OTHER_LEAST) or not 0 < len(columns) <= MAX_COLUMNS:
        return None
    said = _vector(word)
    ranked = sorted(((float(said @ _vector(core_words(column))), at) for at, column in enumerate(columns)), reverse=True)
    second = ranked[1][0] if len(ranked) > 1 else 0.0
    if ranked[0][0] < NEAR or ranked[0][0] - second < AHEAD:
        return None
    return columns[ranked[0][1]], ranked[0][0]


def nearest_value(word: str, columns: Sequence[ColumnInfo]) -> tuple[tuple[ColumnInfo, str], float] | None:
    """The one known value that the word means in another language, with its column, and how near it is."""
    pairs = [(column, value) for column in columns for value in column.values]
    if len(word) < (_LATIN_LEAST if word.isascii() else _OTHER_LEAST) or not 0 < len(pairs) <= MAX_VALUES:
        return None
    said = _vector(word)
    # In its own language a value is said as it is written; another word of that language is another value.
    ranked = sorted(((float(said @ _vector(value)), at) for at, (_, value) in enumerate(pairs)), reverse=True)
    score, at = ranked[0]
    if score < NEAR_VALUE or (len(ranked) > 1 and score - ranked[1][0] < AHEAD) or (word.isascii() and pairs[at][1].isascii()):
        return None
    return pairs[at], score


@lru_cache(maxsize=4096)
def _vector(text: str) -> npt.NDArray[np.float32]:
    vector: npt.NDArray[np.float32] = encode([re.sub(r"\s+", " ", text)])[0]
    return vector

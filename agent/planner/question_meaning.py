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
NEAR, AHEAD = 0.74, 0.12
MAX_COLUMNS = 60
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


@lru_cache(maxsize=4096)
def _vector(text: str) -> npt.NDArray[np.float32]:
    vector: npt.NDArray[np.float32] = encode([re.sub(r"\s+", " ", text)])[0]
    return vector

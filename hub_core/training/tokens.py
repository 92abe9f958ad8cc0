"""How many tokens texts have: by the model's own tokenizer in a process of its own, or estimated.

A tokenizer comes with the model, so it may be anything: its patterns can take forever. The process has a limit on time and memory.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hub_core.reading import FileReader, read_exact

PROGRAM = Path(__file__).parent / "programs" / "count.py"
MAX_TOKENIZER = 64 << 20
TIMEOUT_S = 15.0
LATIN_PER_TOKEN = 3.8
_WIDE_FROM = 0x2E80  # Chinese, Japanese and Korean: about a token for each character


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens of each text; `counted` is false where they were estimated."""

    each: tuple[int, ...]
    counted: bool

    @property
    def mean(self) -> float:
        """Of a text."""
        return sum(self.each) / max(1, len(self.each))

    @property
    def longest(self) -> int:
        """Of all but the longest twentieth."""
        return sorted(self.each)[max(0, int(len(self.each) * 0.95) - 1)] if self.each else 0


def count(texts: Sequence[str], tokenizer: FileReader | None, pythons: Sequence[Path]) -> Counts:
    """Tokens of each text.

    Args:
        tokenizer: the model's `tokenizer.json`, if it has one.
        pythons: that may have the package `tokenizers`; the first that has it counts.
    """
    if tokenizer is not None and 0 < tokenizer.size <= MAX_TOKENIZER:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tokenizer.json"
            path.write_bytes(read_exact(tokenizer, 0, tokenizer.size))
            for python in pythons:
                counted = _ask(python, path, texts)
                if counted is not None:
                    return Counts(tuple(counted), True)
    return Counts(tuple(_estimate(text) for text in texts), False)


def _ask(python: Path, tokenizer: Path, texts: Sequence[str]) -> list[int] | None:
    try:
        asked = subprocess.run(
            [str(python), "-I", str(PROGRAM), str(tokenizer)], input=json.dumps(list(texts)).encode(), capture_output=True,
            timeout=TIMEOUT_S, env={"LC_ALL": "C.UTF-8", "RAYON_NUM_THREADS": "1"}, check=True,
        )  # fmt: skip
        counts = json.loads(asked.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    fits = isinstance(counts, list) and len(counts) == len(texts) and all(isinstance(item, int) and item >= 0 for item in counts)
    return counts if fits else None


def _estimate(text: str) -> int:
    wide = sum(ord(char) >= _WIDE_FROM for char in text)
    return max(1, round(wide + (len(text) - wide) / LATIN_PER_TOKEN))

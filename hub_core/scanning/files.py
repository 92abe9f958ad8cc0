"""Looking through one file: for secrets where it is text, for imports where it is a pickle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hub_core.reading import FileReader
from hub_core.scanning.imports import Verdict
from hub_core.scanning.pickles import ENDINGS, look_through
from hub_core.scanning.secrets import Secret, secrets_in

RULES = 1
"""Grows when the rules change: what was scanned by older ones is scanned again."""
MAX_TEXT = 64 << 20
MAX_FINDINGS = 200
_WINDOW, _OVERLAP = 4 << 20, 64 << 10
_HEAD = 8192
# What cannot be text, so that nothing is read of it.
_BINARY = (
    ".safetensors", ".gguf", ".onnx", ".h5", ".msgpack", ".tflite", ".pb", ".npy", ".npz", ".parquet", ".arrow", ".feather", ".zip", ".gz", ".bz2",
    ".xz", ".7z", ".tar", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".mp3", ".mp4", ".wav", ".flac", ".ogg", ".pdf", ".woff", ".woff2", ".ttf", ".so",
    ".dll", ".exe", ".whl", ".jar", ".model", ".db", ".sqlite",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in a file, as it may be stored and shown."""

    kind: str
    level: str
    rule: str
    detail: str
    line: int = 0


def is_looked_at(path: str, size: int) -> bool:
    """Whether anything is looked for in a file of this name and size."""
    lower = path.lower()
    return lower.endswith(ENDINGS) or (not lower.endswith(_BINARY) and 0 < size <= MAX_TEXT)


def findings_in(reader: FileReader, note: Callable[[Secret], str | None]) -> list[Finding]:
    """Everything of note in a file.

    Args:
        note: told of each secret; gives its level, or None for one that is none.
    """
    found: list[Finding] = []
    lower = reader.name.lower()
    if lower.endswith(ENDINGS):
        found += _imports(reader)
    if not lower.endswith(_BINARY) and reader.size <= MAX_TEXT:
        for secret, line in _secrets(reader):
            level = note(secret)
            if level is not None:
                found.append(Finding("secret", level, secret.kind, secret.masked, line))
            if len(found) >= MAX_FINDINGS:
                break
    return found


def _imports(reader: FileReader) -> Iterator[Finding]:
    report = look_through(reader)
    bad = [(name, verdict) for name, verdict in report.imports.items() if verdict is not Verdict.SAFE]
    for name, verdict in sorted(bad, key=lambda item: (item[1] is not Verdict.UNSAFE, item[0]))[:MAX_FINDINGS]:
        yield Finding("pickle", str(verdict), "import", name[:200])
    if report.trouble is not None:
        yield Finding("pickle", str(Verdict.SUSPICIOUS), str(report.trouble), "")


def _secrets(reader: FileReader) -> Iterator[tuple[Secret, int]]:
    """Secrets with the number of their line, window by window."""
    if b"\0" in reader.read(0, _HEAD):
        return
    start, lines, last = 0, 1, -1
    while start < reader.size:
        data = reader.read(start, _WINDOW + _OVERLAP)
        for secret in sorted(secrets_in(data), key=lambda item: item.start):
            at = start + secret.start
            if at > last:
                last = at
                yield secret, lines + data.count(b"\n", 0, secret.start)
        lines += data.count(b"\n", 0, _WINDOW)
        start += _WINDOW

"""Why a program ended, in plain words, from its exit status and the last lines it wrote."""

from __future__ import annotations

import re
import signal

MAX_LINE = 300
# What the last lines say -> what that means for a person. The first that fits is told.
_SIGNS: tuple[tuple[str, str], ...] = (
    (
        r"out of memory|outofmemory|cannot allocate memory|failed to allocate|bad_alloc|memoryerror|unable to allocate",
        "It needs more memory than it was given",
    ),
    (r"no space left on device|disk quota exceeded", "The disk is full"),
    (r"file size limit exceeded|file too large", "It wrote a file that is larger than allowed"),
    (r"address already in use", "The port was taken"),
    (
        r"unknown model architecture|unsupported architecture|architectures? .* not supported|unrecognized model|model type .* not recogni",
        "This runtime does not know the model's architecture",
    ),
    (r"invalid magic|corrupt|truncated|not within file bounds|failed to read|header too large|invalid header", "A file of the model is damaged or not complete"),
    (r"no module named|modulenotfounderror|importerror", "A package that it needs is not installed"),
    (r"cuda driver|no cuda|no nvidia|cuda error", "There is no GPU that it can use"),
    (r"permission denied", "It may not read or write something"),
    (r"no such file or directory|filenotfounderror", "A file that it needs is not there"),
    (r"(cannot|could not) be started", "The program cannot be started"),
)  # fmt: skip


def explain(code: int | None, log: str, times: int = 1) -> str:
    """One or two sentences on why a program ended.

    Args:
        code: its exit status, negative for a signal; None when nobody knows.
        times: how often that happened in a row.
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    said = "\n".join(lines[-30:]).lower()
    meaning = next((text for pattern, text in _SIGNS if re.search(pattern, said)), "")
    if not meaning and code == -signal.SIGKILL:
        meaning = "The system or an operator killed it"
    often = f" {times} times in a row" if times > 1 else ""
    told = f"{meaning}: it" if meaning else "It"
    last = _telling(lines)
    return f"{told} ended{often} ({_how(code)})." + (f" Its log says: {last}" if last else " It wrote nothing.")


def _how(code: int | None) -> str:
    if code is None:
        return "nobody saw how"
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _telling(lines: list[str]) -> str:
    """The line that tells most: the last that names an error, else the last one."""
    tail = lines[-30:]
    chosen = next((line for line in reversed(tail) if re.search(r"error|failed|fatal|cannot|unable|exception", line, re.IGNORECASE)), "")
    shown = "".join(char if char.isprintable() else " " for char in (chosen or (tail[-1] if tail else "")))
    return shown if len(shown) <= MAX_LINE else shown[: MAX_LINE - 1] + "…"

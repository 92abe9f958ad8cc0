"""Why a program ended, in plain words, from its exit status and the last lines it wrote."""

from __future__ import annotations

import re
import signal

from hub_core.clusters.reasons import Reason, because, together

MAX_LINE = 300
LINES = 60
# What a line says -> the code of the reason. The words are those of llama.cpp, PyTorch, transformers, safetensors, vLLM, SGLang, TGI
# and uvicorn. In one line the first that fits is told: what names a cause stands before what names its effect.
_SIGNS: tuple[tuple[str, str], ...] = (
    (r"cuda ?(malloc )?out of memory|cudamalloc failed: out of memory|torch\.(cuda\.)?outofmemoryerror|hip out of memory", "out_of_gpu_memory"),
    (r"no available memory for the cache blocks|free memory on device .* less than desired|not enough memory\. please try to increase --mem", "out_of_gpu_memory"),
    (r"larger than the (available kv cache memory|maximum number of tokens that can be stored)|max_model_len .* greater than the derived", "context_too_long"),
    (r"out of memory|outofmemory|oom-kill|cannot allocate memory|can't allocate memory|failed to allocate|bad_alloc|memoryerror|unable to allocate", "out_of_memory"),
    (r"no space left on device|disk quota exceeded", "disk_full"),
    (r"file size limit exceeded|file too large", "file_too_large"),
    (r"address already in use|couldn't bind http server socket|eaddrinuse|could not bind", "port_taken"),
    (r"unknown model architecture|unsupported architecture|architectures? .* not supported|architectures? .* failed to be inspected", "unknown_architecture"),
    (r"does not recognize this architecture|unrecognized (model|configuration class)|model type .* not recogni|unsupported model type|unknown pre-tokenizer type", "unknown_architecture"),
    (r"trust_remote_code", "code_in_model"),
    (r"invalid magic|failed to read magic|corrupt|truncated|not within (the )?file bounds|missing tensor|failed to read|incomplete metadata", "damaged_file"),
    (r"header ?too ?large|invalid ?header|error while deserializing header|wrong number of tensors", "damaged_file"),
    (r"libcu(da|dart|blas|dnn)[\w.-]*so|found no nvidia driver|not compiled with cuda|failed to infer device type|could not find a cuda", "no_gpu"),
    (r"cuda driver|nvidia driver|no cuda|no nvidia|cuda error|no gpu (is )?(found|available)|nvml", "no_gpu"),
    (r"no module named|modulenotfounderror|importerror", "missing_package"),
    (r"permission denied|operation not permitted", "no_permission"),
    (r"no such file or directory|filenotfounderror|error no file named|can't load (the )?(tokenizer|model|configuration)|does not appear to have a file named", "missing_file"),
    (r"(cannot|could not) be started", "cannot_start"),
)  # fmt: skip
_ERROR = re.compile(r"error|failed|fatal|cannot|unable|exception", re.IGNORECASE)


def explain(code: int | None, log: str, times: int = 1) -> Reason:
    """Some sentences on why a program ended: what that means, how it ended, and the line of its log that tells most.

    Args:
        code: its exit status, negative for a signal; None when nobody knows.
        times: how often that happened in a row.
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()][-LINES:]
    meaning, line = _cause(lines)
    if not meaning and code == -signal.SIGKILL:
        meaning = "killed"
    last = because("log_says", line=line) if line else because("log_empty")
    return together(because(meaning) if meaning else "", _how(code, times), last)


def _cause(lines: list[str]) -> tuple[str, str]:
    """The code of the last line that names a cause, and that line; without one, the last that names an error, else the last."""
    for line in reversed(lines):
        said = line.lower()
        if code := next((code for pattern, code in _SIGNS if re.search(pattern, said)), ""):
            return code, _shown(line)
    return "", _shown(next((line for line in reversed(lines) if _ERROR.search(line)), lines[-1] if lines else ""))


def _how(code: int | None, times: int) -> Reason:
    often, values = ("_often", {"times": times}) if times > 1 else ("", {})
    if code is None:
        return because(f"ended{often}", **values)
    if code >= 0:
        return because(f"exited{often}", status=code, **values)
    known = code in {-number for number in signal.Signals}
    return because(f"signalled{often}", signal=signal.Signals(-code).name if known else str(-code), **values)


def _shown(line: str) -> str:
    text = "".join(char if char.isprintable() else " " for char in line)
    return text if len(text) <= MAX_LINE else text[: MAX_LINE - 1] + "…"

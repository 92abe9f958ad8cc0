"""Which models can be learned from here, and which of their files are needed: weights without code, of architectures that are for text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from hub_core.models.facts import ModelFacts
from hub_core.models.inspect import weight_format
from hub_core.models.transformers_info import transformers_info
from hub_core.running_errors import UnsuitableModel

# Architectures of GGUF files that the transformers library turns back into its own.
GGUF_ARCHITECTURES = frozenset({"llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "falcon", "stablelm", "gpt2", "starcoder2", "olmo2"})  # fmt: skip
_OWN = {".json", ".txt", ".model", ".jinja", ".tiktoken"}  # configuration and tokenizer
MAX_OWN_FILES = 40


@dataclass(frozen=True, slots=True)
class Learner:
    """The files of a model that a program gets: `gguf` is the one that holds the weights, empty for safetensors."""

    paths: tuple[str, ...]
    gguf: str
    bytes: int


def learner(name: str, paths: Sequence[str], facts: ModelFacts) -> Learner:
    """What a program needs of the model.

    Raises:
        UnsuitableModel: it is no language model, quantised beyond learning, or has only files that could run code.
    """
    if facts.format == "safetensors":
        return _safetensors(name, paths, facts)
    if facts.format == "gguf":
        return _gguf(name, facts)
    raise UnsuitableModel(
        f"{name} has no safetensors or GGUF weights ({facts.format}).", hint="Other formats can run code when they are loaded.", repo=name
    )


def _safetensors(name: str, paths: Sequence[str], facts: ModelFacts) -> Learner:
    info = transformers_info(facts)
    if info is None or info.task != "text-generation":
        what = facts.architecture or facts.library or facts.format
        raise UnsuitableModel(
            f"{name} is no language model that transformers loads ({what}).", hint="Take a causal language model.", repo=name
        )
    if facts.quantization:
        raise UnsuitableModel(f"{name} is quantised ({facts.quantization}).", hint="Take the model that it was made from.", repo=name)
    weights = {file.path: file.size for file in facts.files if file.format == "safetensors" and "/" not in file.path}
    own = [path for path in paths if "/" not in path and PurePosixPath(path).suffix in _OWN and weight_format(path) is None]
    return Learner((*sorted(weights), *own[:MAX_OWN_FILES]), "", sum(weights.values()))


def _gguf(name: str, facts: ModelFacts) -> Learner:
    if facts.architecture not in GGUF_ARCHITECTURES:
        raise UnsuitableModel(
            f"GGUF files of the architecture '{facts.architecture}' cannot be learned from here.",
            hint="Take the model's safetensors.",
            repo=name,
        )
    variants = facts.extra.get("variants") or []
    single = [file for file in facts.files if file.format == "gguf"]
    if not variants:
        return Learner((single[0].path,), single[0].path, single[0].size)
    largest = max(variant["parameters"] for variant in variants)
    best = max((one for one in variants if one["parameters"] == largest), key=lambda one: int(one["bytes"]))
    if best["shards"] > 1:
        raise UnsuitableModel(f"The GGUF file of {name} comes in parts.", hint="Take the model's safetensors.", repo=name)
    return Learner((best["path"],), best["path"], int(best["bytes"]))

"""How much memory a model takes while it is served, from its headers. An estimate: to refuse what cannot fit, not to pack tightly."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from hub_core.models.facts import ModelFacts
from hub_core.models.inspect import weight_format
from hub_core.running_errors import NoRuntime
from hub_core.runtimes.catalogue import Runtime

MIB = 1024**2
_SHARD = re.compile(r"-\d{5}-of-\d{5}(?=\.gguf$)")
_BYTES_PER_CACHED_VALUE = 2


def memory_needed(facts: ModelFacts, runtime: Runtime) -> int:
    """Bytes: the weights that are loaded, what the runtime itself takes, and the cache of the context."""
    weights = weight_bytes(facts, runtime)
    return int(weights * runtime.memory.factor) + runtime.memory.fixed_mb * MIB + context_bytes(facts, runtime.context)


def weight_bytes(facts: ModelFacts, runtime: Runtime) -> int:
    """Bytes of the files that are loaded."""
    chosen = set(weight_paths(facts, runtime))
    return sum(file.size for file in facts.files if file.path in chosen)


def context_bytes(facts: ModelFacts, context: int) -> int:
    """Bytes of the keys and values of so many tokens; 0 where the headers do not say how large the model is inside."""
    layers, width = facts.extra.get("block_count"), facts.extra.get("embedding_length")
    config = facts.extra.get("config", {})
    layers, width = layers or config.get("layers"), width or config.get("hidden_size")
    if not layers or not width:
        return 0
    return int(2 * layers * width * _BYTES_PER_CACHED_VALUE * min(context, facts.context_length or context))


def weight_paths(facts: ModelFacts, runtime: Runtime) -> list[str]:
    """The files with weights that a runtime loads: one GGUF file with its shards, or all files of the format.

    Raises:
        NoRuntime: there are none that it loads, or only files that could run code when loaded.
    """
    usable = [file for file in facts.files if ("*" in runtime.formats or file.format in runtime.formats) and file.safe]
    if not usable:
        raise NoRuntime(f"The repo has no weights that {runtime.title} loads.", hint="Upload safetensors or GGUF files.")
    if runtime.weights == "folder":
        return [file.path for file in usable]
    groups: dict[str, list[str]] = {}
    for file in usable:
        groups.setdefault(_SHARD.sub("", file.path), []).append(file.path)
    best = _best_variant(facts)
    return sorted(groups[_SHARD.sub("", best)] if best and _SHARD.sub("", best) in groups else next(iter(groups.values())))


def needed_paths(paths: list[str], facts: ModelFacts, runtime: Runtime) -> list[str]:
    """The files of a repo that are put before a runtime: weights of other formats, and what can run code, stay away."""
    chosen = set(weight_paths(facts, runtime))
    if runtime.weights == "file":
        return sorted(chosen)
    return sorted(path for path in paths if path in chosen or (weight_format(path) is None and PurePosixPath(path).suffix != ".py"))


def _best_variant(facts: ModelFacts) -> str:
    """Among several quantisations `Q4_K_M`, which is what people mean as a rule, else the smallest; never a projector or a draft model."""
    variants = facts.extra.get("variants", [])
    if not variants:
        return next((file.path for file in facts.files if file.format == "gguf"), "")
    largest = max(variant["parameters"] for variant in variants)
    whole = [variant for variant in variants if variant["parameters"] == largest]
    usual = [variant for variant in whole if "Q4_K_M" in str(variant["quantization"])]
    return str((usual or sorted(whole, key=lambda variant: variant["bytes"]))[0]["path"])

"""The small JSON files beside the weights: `config.json`, `adapter_config.json`, shard indexes and the like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hub_core.errors import UnsupportedFormat
from hub_core.models.facts import clip
from hub_core.reading import FileReader, read_exact

MAX_JSON = 8 << 20


def read_json(reader: FileReader) -> dict[str, Any]:
    """One small JSON object.

    Raises:
        UnsupportedFormat: too large, not JSON, or not an object.
    """
    if reader.size > MAX_JSON:
        raise UnsupportedFormat(f"'{reader.name}' is larger than {MAX_JSON >> 20} MiB.", hint="Configuration files are small.")
    try:
        value = json.loads(read_exact(reader, 0, reader.size).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UnsupportedFormat(f"'{reader.name}' is not valid JSON.", hint="Correct the file and upload it again.") from error
    if not isinstance(value, dict):
        raise UnsupportedFormat(f"'{reader.name}' is not a JSON object.", hint="Correct the file and upload it again.")
    return value


def config_facts(config: Mapping[str, Any]) -> dict[str, Any]:
    """What `config.json` says: architecture, model_type, context_length, dtype, quantization and sizes (only what is there)."""
    text = config.get("text_config") if isinstance(config.get("text_config"), dict) else {}
    both = {**(text or {}), **{key: value for key, value in config.items() if value is not None}}
    architectures = both.get("architectures")
    facts = {
        "architecture": _string(architectures[0]) if isinstance(architectures, list) and architectures else None,
        "model_type": _string(both.get("model_type")),
        "context_length": _first_whole(both, "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"),
        "dtype": _string(both.get("torch_dtype")) or _string(both.get("dtype")),
        "quantization": _quantization(both.get("quantization_config")),
        "hidden_size": _first_whole(both, "hidden_size", "n_embd", "d_model"),
        "layers": _first_whole(both, "num_hidden_layers", "n_layer", "num_layers"),
        "vocabulary_size": _first_whole(both, "vocab_size"),
    }
    return {key: value for key, value in facts.items() if value is not None}


def adapter_facts(config: Mapping[str, Any]) -> dict[str, Any]:
    """What `adapter_config.json` says: peft_type, base_model, rank, alpha, target_modules, task (only what is there)."""
    modules = config.get("target_modules")
    facts = {
        "peft_type": _string(config.get("peft_type")),
        "base_model": _string(config.get("base_model_name_or_path")),
        "rank": _first_whole(config, "r", "rank"),
        "alpha": _first_whole(config, "lora_alpha"),
        "target_modules": [clip(str(module), 100) for module in modules[:50]] if isinstance(modules, list) else _string(modules),
        "task": _string(config.get("task_type")),
    }
    return {key: value for key, value in facts.items() if value is not None}


def shard_names(index: Mapping[str, Any]) -> list[str]:
    """The shard files that a `*.index.json` names."""
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict):
        return []
    return sorted({name for name in weight_map.values() if isinstance(name, str)})


def _quantization(config: Any) -> str | None:
    if not isinstance(config, dict):
        return None
    method = _string(config.get("quant_method"))
    bits = _first_whole(config, "bits", "w_bit")
    if bits is None:
        bits = 4 if config.get("load_in_4bit") is True else 8 if config.get("load_in_8bit") is True else None
    parts = [part for part in (method, f"{bits}-bit" if bits else None) if part]
    return " ".join(parts) or None


def _string(value: Any) -> str | None:
    return clip(value, 200) if isinstance(value, str) and value else None


def _first_whole(values: Mapping[str, Any], *keys: str) -> int | None:
    for key in keys:
        value = values.get(key)
        if type(value) is int and 0 <= value < 1 << 48:
            return value
    return None

"""The look inside a model repo: which formats it has and what their headers say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any, TypeVar

from hub_core.errors import UnsupportedFormat
from hub_core.models.configs import adapter_facts, config_facts, read_json, shard_names
from hub_core.models.facts import ModelFacts, WeightFile
from hub_core.models.gguf import GgufHeader, read_gguf
from hub_core.models.safetensors import SafetensorsHeader, merge_headers, read_safetensors
from hub_core.reading import FileReader

H = TypeVar("H")
MAX_HEADERS = 256
_FORMATS = {
    ".safetensors": "safetensors", ".gguf": "gguf", ".bin": "pytorch", ".pt": "pytorch", ".pth": "pytorch", ".ckpt": "pytorch",
    ".pkl": "pickle", ".pickle": "pickle", ".joblib": "pickle", ".onnx": "onnx", ".h5": "keras", ".keras": "keras", ".tflite": "tflite",
    ".mlmodel": "coreml", ".msgpack": "flax", ".npz": "numpy",
}  # fmt: skip
_UNSAFE = {"pytorch", "pickle", "keras"}
_NOT_WEIGHTS = re.compile(r"(training_args|optimizer|scheduler|rng_state(_\d+)?|random_states_\d+)\.(bin|pt|pth|pkl)$")
_CONFIGS = {
    "config.json", "adapter_config.json", "model_index.json", "modules.json", "model.safetensors.index.json", "tokenizer_config.json",
}  # fmt: skip
_GGUF_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
_SAFE_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.safetensors$")


def wanted(path: str) -> bool:
    """Whether `inspect_model` makes use of the file."""
    return weight_format(path) is not None or path in _CONFIGS


def weight_format(path: str) -> str | None:
    """The format of a file with weights, by its name; None for other files."""
    pure = PurePosixPath(path)
    return None if _NOT_WEIGHTS.search(pure.name) else _FORMATS.get(pure.suffix.lower())


def inspect_model(files: Mapping[str, FileReader]) -> ModelFacts:
    """What a model repo holds, from headers and small JSON files; no weights are read and nothing is loaded.

    Args:
        files: path inside the repo -> reader; files that are of no use (see `wanted`) may be left out.

    Raises:
        UnsupportedFormat: there is neither a weight nor a configuration file, or none of the weight files can be read.
    """
    weights = tuple(_weight(path, files[path]) for path in sorted(files) if weight_format(path))
    notes: list[str] = []
    jsons = _read_configs(files, notes)
    if not weights and not jsons:
        raise UnsupportedFormat("The repo has no weights and no config.json to look into.", hint="Upload safetensors or GGUF files.")
    formats = {weight.format for weight in weights}
    if "safetensors" in formats:
        facts = _from_safetensors(files, jsons, weights, notes)
    elif "gguf" in formats:
        facts = _from_gguf(files, weights, notes)
    else:
        facts = {"format": weights[0].format if weights else "config"}
    unsafe = [weight.path for weight in weights if not weight.safe]
    if unsafe:
        notes.append(f"{len(unsafe)} file(s) can run code when they are loaded and were not opened, for example {unsafe[0]}.")
    return _with_configs(facts, jsons, weights, notes)


def _weight(path: str, reader: FileReader) -> WeightFile:
    form = weight_format(path) or "unknown"
    return WeightFile(path, reader.size, form, form not in _UNSAFE)


def _read_configs(files: Mapping[str, FileReader], notes: list[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(_CONFIGS & files.keys()):
        try:
            # modules.json is a list; that it is there is what counts.
            found[path] = {} if path == "modules.json" else read_json(files[path])
        except UnsupportedFormat as error:
            notes.append(error.message)
    return found


def _with_configs(facts: dict[str, Any], jsons: dict[str, dict[str, Any]], weights: tuple[WeightFile, ...], notes: list[str]) -> ModelFacts:
    """Fill from the configuration files what the headers left open."""
    config = config_facts(jsons.get("config.json", {}))
    extra: dict[str, Any] = facts.pop("extra", {})
    if config:
        extra["config"] = config
    if "adapter_config.json" in jsons:
        extra["adapter"] = adapter_facts(jsons["adapter_config.json"])
    if "chat_template" in jsons.get("tokenizer_config.json", {}):
        extra.setdefault("has_chat_template", True)
    for name, key in (("architecture", "architecture"), ("quantization", "quantization"), ("context_length", "context_length")):
        facts[name] = facts.get(name) or config.get(key)
    facts["architecture"] = facts["architecture"] or config.get("model_type")
    total = sum(weight.size for weight in weights)
    return ModelFacts(
        **facts, files=weights, bytes_total=total, library=_library(facts["format"], jsons, config), extra=extra, warnings=tuple(notes)
    )


def _library(form: str, jsons: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    if "adapter_config.json" in jsons:
        return "peft"
    if "model_index.json" in jsons:
        return "diffusers"
    if "modules.json" in jsons:
        return "sentence-transformers"
    if form == "gguf":
        return "gguf"
    if "model_type" in config:
        return "transformers"
    return form if form in {"onnx", "keras", "tflite", "coreml"} else None


def _from_safetensors(
    files: Mapping[str, FileReader], jsons: dict[str, dict[str, Any]], weights: tuple[WeightFile, ...], notes: list[str]
) -> dict[str, Any]:
    paths = [weight.path for weight in weights if weight.format == "safetensors"]
    listed = shard_names(jsons.get("model.safetensors.index.json", {}))
    if listed:
        missing = [name for name in listed if name not in files]
        if missing:
            notes.append(f"{len(missing)} of {len(listed)} shards named by the index are missing.")
        paths = [name for name in listed if name in files] or paths
    elif "model.safetensors" in paths:
        paths = ["model.safetensors"]
    elif not any(_SAFE_SHARD.search(path) for path in paths):
        # Without an index, the files at the top belong together only if they are shards.
        top = [path for path in paths if "/" not in path]
        paths = top[:1] if top and "model_index.json" not in jsons else paths
    read = _headers(files, paths, notes, read_safetensors)
    merged: SafetensorsHeader = merge_headers(read.values())
    extra: dict[str, Any] = {"tensors": merged.tensors, "shards": len(read)}
    if merged.metadata:
        extra["metadata"] = merged.metadata
    return {"format": "safetensors", "parameters": merged.parameters, "dtypes": merged.dtypes, "extra": extra}


def _from_gguf(files: Mapping[str, FileReader], weights: tuple[WeightFile, ...], notes: list[str]) -> dict[str, Any]:
    paths = [weight.path for weight in weights if weight.format == "gguf"]
    read: dict[str, GgufHeader] = _headers(files, paths, notes, read_gguf)
    groups: dict[str, list[str]] = {}
    for path in read:
        groups.setdefault(_GGUF_SHARD.sub("", path), []).append(path)
    variants = [_variant(files, [read[path] for path in group], group) for group in groups.values()]
    # A projector or a draft model beside the model proper is smaller than it.
    best = max(variants, key=lambda variant: (variant["parameters"], -variant["bytes"]))
    header = next(header for path, header in read.items() if path == best["path"])
    extra = {
        key: value
        for key, value in asdict(header).items()
        if key in {"version", "name", "embedding_length", "block_count", "vocabulary_size", "license", "has_chat_template"}
        and value is not None
    }
    extra["tensors"] = best["tensors"]
    if len(variants) > 1:
        extra["variants"] = variants
    return {
        "format": "gguf",
        "parameters": best["parameters"],
        "dtypes": best["dtypes"],
        "architecture": header.architecture,
        "quantization": header.quantization,
        "context_length": header.context_length,
        "extra": extra,
    }


def _variant(files: Mapping[str, FileReader], headers: list[GgufHeader], paths: list[str]) -> dict[str, Any]:
    dtypes: dict[str, int] = {}
    for header in headers:
        for dtype, count in header.dtypes.items():
            dtypes[dtype] = dtypes.get(dtype, 0) + count
    return {
        "path": paths[0],
        "quantization": headers[0].quantization,
        "parameters": sum(dtypes.values()),
        "tensors": sum(header.tensors for header in headers),
        "dtypes": dtypes,
        "bytes": sum(files[path].size for path in paths),
        "shards": len(paths),
    }


def _headers(files: Mapping[str, FileReader], paths: list[str], notes: list[str], read: Callable[[FileReader], H]) -> dict[str, H]:
    """The headers that can be read; the others become notes.

    Raises:
        UnsupportedFormat: not one of them can be read.
    """
    found: dict[str, H] = {}
    failed: UnsupportedFormat | None = None
    for path in paths[:MAX_HEADERS]:
        try:
            found[path] = read(files[path])
        except UnsupportedFormat as error:
            failed = failed or error
            notes.append(error.message)
    if len(paths) > MAX_HEADERS:
        notes.append(f"Only the first {MAX_HEADERS} of {len(paths)} files were looked into.")
    if not found:
        raise failed or UnsupportedFormat("There is no weight file that can be read.", hint="Upload safetensors or GGUF files.")
    return found

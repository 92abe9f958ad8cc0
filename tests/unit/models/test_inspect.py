"""The look inside whole model repos."""

from __future__ import annotations

import json

import pytest

from hub_core.errors import UnsupportedFormat
from hub_core.models.inspect import inspect_model, wanted
from hub_core.reading import BytesReader, PathReader
from tests.common.model_files import gguf, safetensors, smollm2


def _json(name: str, value: object) -> BytesReader:
    return BytesReader(name, json.dumps(value).encode())


CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 4096, "torch_dtype": "bfloat16"}


def test_transformers_model_is_known_by_weights_and_config() -> None:
    facts = inspect_model({"model.safetensors": safetensors(), "config.json": _json("config.json", CONFIG)})
    assert (facts.format, facts.parameters, facts.architecture, facts.context_length) == ("safetensors", 44, "LlamaForCausalLM", 4096)
    assert facts.library == "transformers"
    assert facts.extra["config"]["dtype"] == "bfloat16"
    assert json.dumps(facts.to_json())


def test_shards_of_an_index_are_added_up_and_missing_ones_are_said() -> None:
    names = [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]
    index = {"weight_map": {f"w{n}": name for n, name in enumerate(names)}}
    files = {name: safetensors(name, w=(5, 5)) for name in names[:2]} | {"model.safetensors.index.json": _json("i", index)}
    facts = inspect_model(files)
    assert facts.parameters == 50
    assert facts.extra["shards"] == 2
    assert "1 of 3 shards" in facts.warnings[0]


def test_real_gguf_model() -> None:
    facts = inspect_model({"SmolLM2.gguf": PathReader(smollm2(), "SmolLM2.gguf")})
    assert (facts.format, facts.parameters, facts.quantization, facts.context_length) == ("gguf", 134_515_008, "Q4_1", 8192)
    assert facts.extra["license"] == "apache-2.0"
    assert facts.bytes_total == 98_362_432


def test_several_gguf_variants_are_listed() -> None:
    facts = inspect_model({"a-Q4.gguf": gguf(), "b-Q8.gguf": gguf(version=2)})
    assert [variant["path"] for variant in facts.extra["variants"]] == ["a-Q4.gguf", "b-Q8.gguf"]


def test_lora_adapter() -> None:
    adapter = {"peft_type": "LORA", "base_model_name_or_path": "acme/base", "r": 8, "lora_alpha": 16, "target_modules": ["q", "v"]}
    facts = inspect_model({"adapter_model.safetensors": safetensors(), "adapter_config.json": _json("adapter_config.json", adapter)})
    assert facts.library == "peft"
    assert facts.extra["adapter"] == {"peft_type": "LORA", "base_model": "acme/base", "rank": 8, "alpha": 16, "target_modules": ["q", "v"]}


def test_pickle_files_are_flagged_and_never_opened() -> None:
    class Closed(BytesReader):
        def read(self, start: int, length: int) -> bytes:
            raise AssertionError("opened")

    facts = inspect_model({"pytorch_model.bin": Closed("pytorch_model.bin", b"x" * 10)})
    assert facts.format == "pytorch"
    assert facts.files[0].safe is False
    assert "can run code" in facts.warnings[0]


def test_broken_config_is_a_warning_and_broken_weights_an_error() -> None:
    facts = inspect_model({"model.safetensors": safetensors(), "config.json": BytesReader("config.json", b"{oops")})
    assert "config.json" in facts.warnings[0]
    with pytest.raises(UnsupportedFormat):
        inspect_model({"model.safetensors": BytesReader("model.safetensors", b"version https://git-lfs")})


def test_repo_without_model_files_is_said_so() -> None:
    with pytest.raises(UnsupportedFormat, match="no weights"):
        inspect_model({"README.md": BytesReader("README.md", b"hi")})


@pytest.mark.parametrize(
    ("path", "use"),
    [("model.safetensors", True), ("config.json", True), ("README.md", False), ("optimizer.pt", False), ("data/config.json", False)],
)
def test_only_useful_files_are_wanted(path: str, use: bool) -> None:
    assert wanted(path) is use


@pytest.mark.parametrize(
    "value", [{"architectures": "x", "max_position_embeddings": -1}, {"text_config": 3}, {"architectures": [1], "quantization_config": []}]
)
def test_configs_of_wrong_types_do_no_harm(value: object) -> None:
    facts = inspect_model({"model.safetensors": safetensors(), "config.json": _json("config.json", value)})
    assert facts.parameters == 44

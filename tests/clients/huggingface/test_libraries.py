"""`datasets` and `transformers` on top of the hub, each in a process of its own: they read `HF_ENDPOINT` while they are imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub_core.authz import Visibility
from hub_core.repos.kinds import RepoKind
from tests.common.data_files import parquet_file
from tests.common.hf_hub import HfHub

pytestmark = pytest.mark.clients

ROWS = b"".join(b"%d,row %d\n" % (n, n) for n in range(300))

DATASETS = """
import json, sys, datasets
datasets.disable_progress_bars()
found = {}
for name in sys.argv[1:4]:
    loaded = datasets.load_dataset(name)
    streamed = datasets.load_dataset(name, streaming=True, split="train")
    found[name] = [{split: rows.num_rows for split, rows in loaded.items()}, loaded["train"][1], list(streamed.take(2))[1]]
found["branch"] = datasets.load_dataset(sys.argv[1], revision="feat/x", split="train").num_rows
found["files"] = datasets.load_dataset(sys.argv[1], data_files="test.csv", split="train").num_rows
try:
    datasets.load_dataset("ann/absent")
except Exception as error:
    found["absent"] = type(error).__name__
print(json.dumps(found))
"""

TRANSFORMERS = """
import json, sys, transformers
config = transformers.AutoConfig.from_pretrained(sys.argv[1])
tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
found = {"config": type(config).__name__, "ids": tokenizer("hello world")["input_ids"]}
for name in ("ann/absent", "gpt2"):
    try:
        transformers.AutoConfig.from_pretrained(name)
    except Exception as error:
        found[name] = type(error).__name__
print(json.dumps(found))
"""


def run(script: str, *arguments: str, home: Path, endpoint: str, token: str) -> Any:
    """What the script prints as JSON in its last line."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = {**kept, "HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_TOKEN": token, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run([sys.executable, "-c", script, *arguments], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_data_is_loaded_whole_streamed_and_by_branch(hub: HfHub, tmp_path: Path) -> None:
    """With `localhost` the calls for the dataset viewer reach the hub too, which has none: the library goes on without."""
    parquet = parquet_file({"id": range(10), "text": [f"row {n}" for n in range(10)]})
    lines = b"".join(b'{"id": %d, "text": "row %d"}\n' % (n, n) for n in range(20))
    csv = hub.repo({"train.csv": b"id,text\n" + ROWS, "test.csv": b"id,text\n1,a\n"}, kind=RepoKind.DATASET, visibility=Visibility.PRIVATE)
    hub.services.git.create_branch(csv.id, "feat/x", hub.services.git.resolve(csv.id))
    hub.commit(csv, {"train.csv": b"id,text\n" + ROWS + b"300,more\n"})
    jsonl = hub.repo({"train.jsonl": lines}, kind=RepoKind.DATASET)
    table = hub.repo(
        {"README.md": b"---\nlicense: mit\n---\n", "data/train-00000-of-00001.parquet": parquet.read(0, parquet.size)},
        kind=RepoKind.DATASET,
    )
    names = [repo.full_name for repo in (csv, jsonl, table)]
    found = run(DATASETS, *names, home=tmp_path, endpoint=hub.url.replace("127.0.0.1", "localhost"), token=hub.ann_token)
    row = {"id": 1, "text": "row 1"}
    assert found[names[0]] == [{"train": 301, "test": 1}, row, row]
    assert found[names[1]] == [{"train": 20}, row, row]
    assert found[names[2]] == [{"train": 10}, row, row]
    assert (found["branch"], found["files"], found["absent"]) == (300, 1, "DatasetNotFoundError")


def test_a_configuration_and_a_tokenizer_are_loaded(hub: HfHub, tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world"]
    model = {"type": "WordLevel", "vocab": {word: n for n, word in enumerate(words)}, "unk_token": "[UNK]"}
    tokenizer: dict[str, Any] = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None, "model": model,
    }  # fmt: skip
    files = {
        "config.json": {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 7},
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"},
    }
    repo = hub.repo({path: json.dumps(content).encode() for path, content in files.items()}, visibility=Visibility.PRIVATE)
    found = run(TRANSFORMERS, repo.full_name, home=tmp_path, endpoint=f"{hub.url}/hf", token=hub.ann_token)
    assert found == {"config": "BertConfig", "ids": [5, 6], "ann/absent": "OSError", "gpt2": "OSError"}

"""What libraries write: `push_to_hub` of `datasets` and `transformers`; and DuckDB over `hf://`. Each runs in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_core.authz import Visibility
from hub_core.repos.kinds import RepoKind
from tests.clients.huggingface.test_libraries import run
from tests.common.data_files import parquet_file
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub

pytestmark = pytest.mark.clients
LOCAL_ONLY = pytest.mark.parametrize("hub", ["local"], indirect=True)

DATASETS = """
import json, sys, datasets
from datasets import Dataset, DatasetDict, load_dataset
datasets.disable_progress_bars()
name = sys.argv[1]
def rows(count, word):
    return Dataset.from_dict({"id": list(range(count)), "text": [f"{word} {n}" for n in range(count)]})
DatasetDict({"train": rows(300, "row"), "test": rows(30, "case")}).push_to_hub(name, private=True)
found = {"first": {split: data.num_rows for split, data in load_dataset(name).items()}}
rows(500, "new").push_to_hub(name, split="train", num_shards=3, commit_message="More rows")
rows(7, "word").push_to_hub(name, config_name="small", split="train")
found["second"] = load_dataset(name, "default", split="train").num_rows
found["kept"] = load_dataset(name, "default", split="test")[1]
found["small"] = load_dataset(name, "small", split="train")[6]
found["streamed"] = sum(1 for _ in load_dataset(name, "default", split="train", streaming=True))
found["configs"] = sorted(datasets.get_dataset_config_names(name))
streamed = load_dataset(name, "default", split="test", streaming=True).map(lambda row: {"length": len(row["text"])})
streamed.push_to_hub(name + "-lengths", private=True)
found["lengths"] = load_dataset(name + "-lengths", split="test")[0]
print(json.dumps(found))
"""

TRANSFORMERS = """
import json, sys
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoTokenizer, BertConfig, PreTrainedTokenizerFast
name = sys.argv[1]
words = ["[PAD]", "[UNK]", "hello", "world"]
plain = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
plain.pre_tokenizer = pre_tokenizers.Whitespace()
PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="[UNK]", pad_token="[PAD]").push_to_hub(name, private=True, commit_message="Words")
BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=4).push_to_hub(name)
print(json.dumps({"ids": AutoTokenizer.from_pretrained(name)("hello there world")["input_ids"], "size": AutoConfig.from_pretrained(name).hidden_size}))
"""

DUCKDB = """
import json, sys, duckdb
from huggingface_hub import HfFileSystem
duckdb.register_filesystem(HfFileSystem())
name = sys.argv[1]
found = {
    "csv": duckdb.sql(f"select team, sum(minutes) from 'hf://datasets/{name}/tickets.csv' group by team order by team").fetchall(),
    "parquet": duckdb.sql(f"select count(*), max(id) from read_parquet('hf://datasets/{name}/data/*.parquet')").fetchall(),
    "revision": duckdb.sql(f"select count(*) from 'hf://datasets/{name}@first/tickets.csv'").fetchall(),
}
print(json.dumps(found))
"""


def test_datasets_are_pushed_added_to_and_read_back(hub: HfHub, tmp_path: Path) -> None:
    name = f"ann/pushed-{next(hub.numbers)}"
    found = run(DATASETS, name, home=tmp_path, endpoint=hub.url, token=hub.ann_token)
    assert found["first"] == {"train": 300, "test": 30}
    assert (found["second"], found["streamed"]) == (500, 500)
    assert found["kept"] == {"id": 1, "text": "case 1"}
    assert found["small"] == {"id": 6, "text": "word 6"}
    assert found["configs"] == ["default", "small"]
    assert found["lengths"] == {"id": 0, "text": "case 0", "length": 6}
    view = hub.services.repos.get(actor_for(hub.ann), name, RepoKind.DATASET)
    assert view.visibility == Visibility.PRIVATE


@LOCAL_ONLY
def test_a_tokenizer_and_a_configuration_are_pushed(hub: HfHub, tmp_path: Path) -> None:
    name = f"ann/words-{next(hub.numbers)}"
    found = run(TRANSFORMERS, name, home=tmp_path, endpoint=hub.url, token=hub.ann_token)
    assert found == {"ids": [2, 1, 3], "size": 8}
    titles = [commit.title for commit in hub.api().list_repo_commits(name)]
    assert "Words" in titles


@LOCAL_ONLY
def test_duckdb_reads_tables_by_their_address_in_the_hub(hub: HfHub, tmp_path: Path) -> None:
    parts = {f"data/part-{n}.parquet": parquet_file({"id": range(n * 10, n * 10 + 10)}) for n in range(3)}
    files = {path: reader.read(0, reader.size) for path, reader in parts.items()}
    table = b"team,minutes\nbilling,10\nbilling,5\nshipping,7\n"
    repo = hub.repo({**files, "tickets.csv": table}, kind=RepoKind.DATASET, visibility=Visibility.PRIVATE)
    hub.api().create_tag(repo.full_name, tag="first", repo_type="dataset")
    hub.commit(repo, {"tickets.csv": table + b"shipping,1\n"})
    found = run(DUCKDB, repo.full_name, home=tmp_path, endpoint=hub.url, token=hub.ann_token)
    assert found == {"csv": [["billing", 15], ["shipping", 8]], "parquet": [[30, 29]], "revision": [[3]]}

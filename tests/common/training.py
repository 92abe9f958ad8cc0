"""A hub that trains with the fake program: the real packages are a gigabyte, and what they do is tested with real weights elsewhere."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from hub_core.authz import Actor
from hub_core.git import FileChange
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services
from hub_core.training.service import Recipe, TrainingService, Wish
from hub_core.training.trainer import LocalTrainer
from tests.common import fake_trainer

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 256,
    "max_position_embeddings": 512,
}  # fmt: skip
ROWS = [{"prompt": f"What is {number} and {number}?", "completion": f"It is {2 * number}."} for number in range(60)]


def training(services: Services, *, grace_s: float = 1.0) -> Services:
    """The same hub, whose programs are fake."""
    from pathlib import Path

    trainer = LocalTrainer(services.platform.data_dir, grace_s=grace_s, program=Path(fake_trainer.__file__))
    service = TrainingService(services.db, services.git, services.files, services.repos, services.jobs, services.platform, trainer)
    return dataclasses.replace(services, training=service)


def weights(parameters: int = 1000) -> bytes:
    """A safetensors file that says it has so many values; only the header is ever read."""
    header = json.dumps({"w": {"dtype": "F16", "shape": [parameters], "data_offsets": [0, 2 * parameters]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(2 * parameters)


def add_base(services: Services, actor: Actor, name: str = "base", **config: Any) -> Repo:
    """A language model with a licence."""
    services.repos.create(actor, name, RepoKind.MODEL, license="apache-2.0")
    repo = services.repos.find(actor, name, RepoKind.MODEL)
    files = {"model.safetensors": weights(), "config.json": json.dumps(CONFIG | config).encode(), "evil.py": b"raise SystemExit"}
    services.files.commit(actor, repo, [FileChange(path, content) for path, content in files.items()], "Add weights")
    return repo


def add_rows(services: Services, actor: Actor, rows: Iterable[Mapping[str, Any]] = ROWS, name: str = "tickets", path: str = "train.jsonl") -> Repo:  # fmt: skip
    """A dataset of JSON lines."""
    services.repos.create(actor, name, RepoKind.DATASET)
    repo = services.repos.find(actor, name, RepoKind.DATASET)
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    services.files.commit(actor, repo, [FileChange(path, content)], "Add rows")
    return repo


def start(services: Services, actor: Actor, model: Repo, dataset: Repo, **wish: Any) -> int:
    """Start a fine-tune; the job's number. Words of the recipe and of the wish may be mixed."""
    words = {field.name for field in dataclasses.fields(Recipe)}
    recipe = Recipe(**{key: value for key, value in wish.items() if key in words})
    rest = {key: value for key, value in wish.items() if key not in words}
    plan = services.training.plan_finetune(actor, model, dataset, Wish(recipe=recipe, **rest))
    return services.training.start_finetune(actor, plan).id

"""A hub that trains with the fake program: the real packages are a gigabyte, and what they do is tested with real weights elsewhere."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hub_core.authz import Actor
from hub_core.git import FileChange
from hub_core.jobs.kinds import Lane
from hub_core.jobs.tables import Job
from hub_core.jobs.worker import Worker
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
    trainer = LocalTrainer(services.platform.data_dir, grace_s=grace_s, program=Path(fake_trainer.__file__))
    service = TrainingService(
        services.db, services.git, services.files, services.repos, services.jobs, services.platform, trainer, services.training.handed
    )
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


def job(hub: Services, number: int) -> Job:
    """A job's row as it is now."""
    with hub.db.read() as session:
        return session.get_one(Job, number)


def repos(hub: Services) -> set[str]:
    """Names of all repos that are there."""
    with hub.db.read() as session:
        return {row.full_name for row in session.scalars(sa.select(Repo).where(Repo.deleted_at.is_(None)))}


def says(how: str, count: int = 60) -> list[dict[str, str]]:
    """Rows that tell the fake program how to be."""
    return [{"text": f"{how} row {number}"} for number in range(count)]


def text(hub: Services, actor: Actor, repo: Repo, path: str) -> str:
    """A file of a repo."""
    return hub.files.read_text(actor, repo, path).content


@contextmanager
def working(hub: Services) -> Iterator[None]:
    """A worker with a thread for training, for the time of the block."""
    worker = Worker(hub, {Lane.TRAINING: 1}, poll_s=0.02)
    worker.start()
    try:
        yield
    finally:
        worker.close()


def go(hub: Services) -> None:
    """Let slow programs go on."""
    (hub.platform.data_dir / "training" / "go").touch()


def programs(hub: Services) -> list[int]:
    """The processes of training programs of this hub."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(hub.platform.data_dir / "training").encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found

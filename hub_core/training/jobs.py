"""The jobs `finetune` and `evaluate`: lay out the files, run the program, take over its result.

A job may begin again after a crash: what is in its folder counts (files that were copied, checkpoints), and a model that was pushed is
known by the job's own row, which is written in the transaction in which the repo appears.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.authz import Actor, Permission
from hub_core.clusters.port import GIB, ModelFiles
from hub_core.datasets.formats import data_files
from hub_core.db import utcnow
from hub_core.deployments.hardware import Hardware
from hub_core.deployments.platform import LOCAL
from hub_core.errors import Conflict, HubError, StorageFull
from hub_core.jobs.context import JobContext, StopJob
from hub_core.jobs.kinds import JobKind, Lane
from hub_core.jobs.tables import Job
from hub_core.jobs.traces import Series, read_trace, write_trace
from hub_core.models.facts import ModelFacts
from hub_core.models.inspect import inspect_model, wanted
from hub_core.reading import FileReader
from hub_core.repos.copying import copy_files
from hub_core.repos.tables import Repo
from hub_core.running_errors import TrainingFailed
from hub_core.storage.local import disk_errors
from hub_core.training import corpus, publish
from hub_core.training.models import Learner, learner
from hub_core.training.paying import Meter
from hub_core.training.service import EVALUATE, FINETUNE, HARNESS
from hub_core.training.trainer import PACKAGES, PLACE, Event, Order, Trainer, sweep

TRACE_EVERY_S = 2.0
WAIT_S = 2.0
KEEP_FOLDER = dt.timedelta(days=3)
SPARE = 512 * 1024**2
# Shares of the whole at which each part ends.
_INSTALLED, _COPIED, _TRAINED = 0.05, 0.1, 0.95


@dataclass(slots=True)
class _Told:
    """What a program told so far, passed on to the job's row and trace now and then."""

    ctx: JobContext
    trainer: Trainer
    meter: Meter
    first: float
    last: float
    series: Series = field(default_factory=Series)
    measures: dict[str, Any] = field(default_factory=dict)
    done: dict[str, Any] = field(default_factory=dict)
    share: float = 0.0
    message: str = ""
    written: float = 0.0

    def hear(self, event: Event) -> None:
        """An event of the program."""
        match event["kind"]:
            case "step":
                keys = ("step", "loss", "lr", "epoch", "tokens_per_s")
                self.series.add({key: event[key] for key in keys if isinstance(event.get(key), int | float)})
                self.share = float(event["step"]) / max(1, int(event["steps"]))
                self.message = f"Step {event['step']} of {event['steps']}, loss {event['loss']:.4g}"
            case "measure":
                self.measures[str(event["name"])] = {key: value for key, value in event.items() if key not in ("kind", "name")}
            case "stage":
                self.message = str(event.get("message", ""))[:200]
                self.share = float(event.get("share", self.share))
            case "waits":
                self.message = str(event.get("message", ""))[:200]
                self.meter.waits()
            case "runs":
                self.meter.runs(event.get("since"))
            case "done":
                self.done = event

    def check(self) -> None:
        """Tell, and raise where the job is to end."""
        self.ctx.progress(self.first + (self.last - self.first) * min(1.0, self.share), self.message)
        if time.monotonic() - self.written > TRACE_EVERY_S:
            self._write()
        self.meter.tick()

    def close(self) -> None:
        """The program has ended."""
        self._write()
        self.meter.close()

    def _write(self) -> None:
        self.written = time.monotonic()
        write_trace(self.ctx.services.db, self.ctx.job_id, self.trainer.log(self.ctx.job_id), self.series.points())


def run_finetune(ctx: JobContext) -> dict[str, Any]:
    """The job `finetune`.

    Raises:
        RepoNotFound, RevisionNotFound, PermissionDenied: the model or the data is gone, or closed to whoever asked.
        TrainingDiverged, TrainingOutOfMemory, TrainingFailed, StorageFull: training did not come to its end.
        AlreadyExists, QuotaExceeded: the result cannot be put there; nothing of it is.
    """
    services, args = ctx.services, ctx.args
    if (made := _made(ctx)) is not None:
        return made
    trainer = services.training.trainer_of(str(args.get("cluster", LOCAL)))
    hardware = services.platform.hardware.get(str(args["hardware"]))
    folder = _begin(ctx, trainer, hardware)
    model, facts, fetched = _model_for(ctx, trainer, folder, "model")
    rows = _lay_out_data(ctx, folder)
    told = _Told(ctx, trainer, Meter(ctx, hardware), _COPIED, _TRAINED)
    told.series.load(read_trace(services.db, ctx.job_id)[1])
    keys = ("epochs", "learning_rate", "max_steps", "batch_size", "rank", "length", "seed", "micro")
    facts |= {"rows": rows.train, "held_out": rows.held_out, **{key: args[key] for key in keys}}
    order = _order(ctx, FINETUNE, folder, hardware, facts, fetched)
    _run(ctx, trainer, order, told)
    ctx.progress(_TRAINED, f"Pushing {args['output']}")
    weights = folder / "output"
    if not told.done or not any(weights.glob("*.safetensors")):
        raise TrainingFailed("The program ended without weights.", hint="get_logs shows what it wrote.")
    report = publish.Report(args, told.done, told.measures, told.series.points(), rows, PACKAGES.requirements, model.license)
    actor = ctx.actor()
    _repo(ctx, actor, "model"), _repo(ctx, actor, "dataset")  # what was learned goes to nobody who may not read its source any more
    result = publish.push(ctx, actor, weights, report, lambda session, repo: _note_made(ctx, session, repo, report.result()))
    _tidy(ctx, trainer, folder)
    return result


def _tidy(ctx: JobContext, trainer: Trainer, folder: Path) -> None:
    """Remove all that the job needs no more."""
    shutil.rmtree(folder, ignore_errors=True)
    trainer.end(ctx.job_id, str(ctx.args["payer_name"]))
    ctx.services.training.handed.drop(ctx.job_id)


def _run(ctx: JobContext, trainer: Trainer, order: Order, told: _Told) -> None:
    """Run a program to its end. What runs elsewhere goes on when only its worker stops, and ends with its job."""
    try:
        trainer.run(order, told.hear, told.check)
    except StopJob:
        if ctx.was_cancelled():
            trainer.end(order.job, order.owner)
        raise
    except HubError:
        trainer.end(order.job, order.owner)
        raise
    finally:
        told.close()


def run_evaluate(ctx: JobContext) -> dict[str, Any]:
    """The job `evaluate`: loss and perplexity of a model, and of the one that it was made from, on rows that were kept back; or a task on them."""
    services, args = ctx.services, ctx.args
    trainer = services.training.trainer_of(str(args.get("cluster", LOCAL)))
    hardware = services.platform.hardware.get(str(args["hardware"]))
    folder = _begin(ctx, trainer, hardware)
    model, facts, fetched = _model_for(ctx, trainer, folder, "model")
    models = [{"name": args["model_name"], **facts}]
    if "before" in args:
        _, facts, more = _model_for(ctx, trainer, folder, "before")
        models.append({"name": args["before_name"], **facts})
        fetched |= more
    task = args.get("task")
    rows = _lay_out_data(ctx, folder, whole=not args["learned"], as_rows=task is not None)
    if rows.held_out and task is None:
        (folder / "train.jsonl").write_bytes(b"")  # nothing is learned from it: a cluster need not get it
    told = _Told(ctx, trainer, Meter(ctx, hardware), _COPIED, _TRAINED)
    facts = {"models": models, "rows": args["rows"], "length": args["length"], "held_out": rows.held_out}
    program, facts = (EVALUATE, facts) if task is None else (HARNESS, facts | {"task": task})
    _run(ctx, trainer, _order(ctx, program, folder, hardware, facts, fetched), told)
    measured = [{"model": str(one["name"]), **told.measures[str(one["name"])]} for one in models if str(one["name"]) in told.measures]
    if len(measured) != len(models):
        raise TrainingFailed("The program ended without its measures.", hint="get_logs shows what it wrote.")
    result = {"dataset": args["dataset_name"], "dataset_commit": args["dataset_commit"], "rows": min(int(args["rows"]), rows.held_out or rows.train), "measures": measured}  # fmt: skip
    if task is not None:
        result |= {"task": task["task"]}
    if args.get("publish"):
        result |= {"repo": args["model_name"], "commit": publish.add_measures(ctx, ctx.actor(), model, result)}
    _tidy(ctx, trainer, folder)
    return result


def _begin(ctx: JobContext, trainer: Trainer, hardware: Hardware) -> Path:
    """Make room, wait for memory, install what the program needs; the folder of the job."""
    services = ctx.services
    for tidy in (partial(sweep, services.platform.data_dir / PLACE), services.training.handed.sweep):
        tidy(lambda job_id: job_id == ctx.job_id or _is_kept(ctx, job_id))
    _repo(ctx, ctx.actor(), "model")
    _repo(ctx, ctx.actor(), "dataset")
    cluster = services.platform.clusters[LOCAL]
    while trainer.is_here and hardware.resources.memory > (free := cluster.inventory().free_memory):
        ctx.progress(0.0, f"Waiting for {hardware.resources.memory / GIB:.3g} GB of memory; {free / GIB:.3g} GB are free")
        if ctx.stopping.wait(WAIT_S):
            raise StopJob
    trainer.prepare(lambda share, message: ctx.progress(_INSTALLED * share, message), harness="task" in ctx.args)
    folder = trainer.folder(ctx.job_id)
    with disk_errors():
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _is_kept(ctx: JobContext, job_id: int) -> bool:
    """Whether a job's folder may be of use: the job runs or waits, or failed lately and can be tried again."""
    with ctx.services.db.read() as session:
        job = session.get(Job, job_id)
    return job is not None and job.status != "succeeded" and (job.finished_at is None or job.finished_at > utcnow() - KEEP_FOLDER)


def _repo(ctx: JobContext, actor: Actor, what: str) -> Repo:
    """The repo, for whoever asked, with their rights of now."""
    return ctx.services.repos.numbered(actor, int(ctx.args[what]), Permission.REPO_FILES)


def _lay_out_model(ctx: JobContext, target: Path, what: str) -> tuple[Repo, dict[str, Any]]:
    """Put a model's files where the program finds them, once; the repo, and what the program is told of them."""
    actor, files = ctx.actor(), ctx.services.files
    repo, needed, facts = _looked_at(ctx, actor, what)
    commit = str(ctx.args[f"{what}_commit"])
    told = {"path": str(target), "gguf": needed.gguf}
    if target.is_dir():
        return repo, told
    part = target.with_name(f".{target.name}.part")
    with disk_errors():
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        free = shutil.disk_usage(part).free
        # The merged weights come beside these, in 16 bits; those of a quantised file are larger than it.
        wants = needed.bytes + 2 * max(needed.bytes // 2, facts.parameters or 0) + SPARE
        if wants > free:
            raise StorageFull(
                f"It takes about {wants / GIB:.1f} GB of disk, and {free / GIB:.1f} GB are free.", hint="Ask an administrator."
            )
        readers: Mapping[str, FileReader] = files.readers(actor, repo, needed.paths, commit)
        total = sum(reader.size for reader in readers.values())
        copy_files(
            readers, part, lambda done, path: ctx.progress(_INSTALLED + (_COPIED - _INSTALLED) * done / max(1, total), f"Copying {path}")
        )
        part.rename(target)
    return repo, told


def _model_for(ctx: JobContext, trainer: Trainer, folder: Path, what: str) -> tuple[Repo, dict[str, Any], dict[str, ModelFiles]]:
    """A model's repo, what the program is told of it, and which files it gets by itself where it runs elsewhere; here they are copied."""
    if trainer.is_here:
        return *_lay_out_model(ctx, folder / what, what), {}
    repo, needed, _ = _looked_at(ctx, ctx.actor(), what)
    place = f"/{what}"
    files = ModelFiles(0, repo.full_name, str(ctx.args[f"{what}_commit"]), needed.paths, place)
    return repo, {"path": place, "gguf": needed.gguf}, {what: files}


def _looked_at(ctx: JobContext, actor: Actor, what: str) -> tuple[Repo, Learner, ModelFacts]:
    """A model at its commit, and what a program needs of it."""
    repo, files = _repo(ctx, actor, what), ctx.services.files
    commit = str(ctx.args[f"{what}_commit"])
    paths = files.paths(actor, repo, commit)
    facts = inspect_model(files.readers(actor, repo, [path for path in paths if wanted(path)], commit))
    return repo, learner(repo.full_name, paths, facts), facts


def _lay_out_data(ctx: JobContext, folder: Path, *, whole: bool = False, as_rows: bool = False) -> corpus.Written:
    """Write the examples to learn from and those to measure with, once, or rows as they are; with `whole` nothing was learned from it."""
    noted = folder / "data.json"
    if noted.exists():
        return corpus.Written(**json.loads(noted.read_text(encoding="utf-8")))
    actor = ctx.actor()
    repo, files, commit = _repo(ctx, actor, "dataset"), ctx.services.files, str(ctx.args["dataset_commit"])
    readers = files.readers(actor, repo, data_files(files.paths(actor, repo, commit)), commit)
    places = (folder / "train.jsonl", folder / "held_out.jsonl")

    def tell(rows: int) -> None:
        if rows % 1000 == 0:
            ctx.progress(_COPIED, f"Reading {repo.full_name}: {rows:,} rows")

    with disk_errors():
        if as_rows:
            written = corpus.write_rows(repo.full_name, readers, *places, tell, learned=not whole)
        else:
            written = corpus.write(repo.full_name, corpus.sample(repo.full_name, readers), readers, *places, tell, whole=whole)
        part = noted.with_suffix(".part")
        facts = {"train": written.train, "held_out": written.held_out, "skipped": written.skipped, "cut": written.cut}
        part.write_text(json.dumps(facts), encoding="utf-8")
        part.replace(noted)
    return written


def _order(
    ctx: JobContext, program: str, folder: Path, hardware: Hardware, facts: Mapping[str, Any], models: Mapping[str, ModelFiles]
) -> Order:
    return Order(program, folder, hardware.resources, facts, ctx.job_id, str(ctx.args["payer_name"]), models)


def _made(ctx: JobContext) -> dict[str, Any] | None:
    """The result of an attempt that pushed its model and died before it could say so."""
    with ctx.services.db.read() as session:
        job = session.get_one(Job, ctx.job_id)
        return dict(job.result) if job.repo_id is not None and job.result else None


def _note_made(ctx: JobContext, session: Session, repo: Repo, result: Mapping[str, Any]) -> None:
    """With the repo: the job has made it. An attempt that lost its lease makes nothing.

    Raises:
        Conflict: another attempt works on the job.
    """
    held = sa.and_(Job.id == ctx.job_id, Job.lease == ctx.lease.token, Job.status == "running", Job.cancel.is_(False))
    noted = session.execute(sa.update(Job).where(held).values(repo_id=repo.id, result=dict(result)).returning(Job.id))
    if noted.first() is None:
        raise Conflict("The job was cancelled, or another worker has it.", hint="get_job shows it.")


FINETUNE_JOB = JobKind(FINETUNE, run_finetune, Lane.TRAINING, attempts=3, backoff=(10, 60))
EVALUATE_JOB = JobKind(EVALUATE, run_evaluate, Lane.TRAINING, attempts=3, backoff=(10, 60))

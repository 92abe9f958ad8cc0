"""Asking for fine-tunes and evaluations: checked against the data, the model and the hardware before anything is spent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hub_core import audit
from hub_core.authz import Actor, Permission, Visibility
from hub_core.datasets.formats import data_files
from hub_core.db import Database
from hub_core.deployments.hardware import free
from hub_core.deployments.platform import LOCAL, Platform
from hub_core.errors import AlreadyExists, Conflict, InvalidInput
from hub_core.git import GitStore
from hub_core.jobs.service import JobService, JobView
from hub_core.models.facts import ModelFacts
from hub_core.models.inspect import inspect_model, wanted
from hub_core.names import MAX_NAME, RepoId
from hub_core.repos.files import FileService
from hub_core.repos.kinds import RepoKind
from hub_core.repos.service import RepoService
from hub_core.repos.tables import Repo
from hub_core.running_errors import ClusterUnavailable, NoSuchHardware, TooBigForHardware, UnsuitableData
from hub_core.training import corpus, tokens
from hub_core.training.estimate import Estimate, Sizes, Work, place, sizes_of
from hub_core.training.files import JobFiles
from hub_core.training.harness import Task, read_task, tokens_of
from hub_core.training.models import Learner, learner
from hub_core.training.paying import Payer, payer_for, payer_of
from hub_core.training.texts import plain_text
from hub_core.training.trainer import Trainer

FINETUNE, EVALUATE, HARNESS = "finetune", "evaluate", "harness"
COUNTED = 400  # examples whose tokens are counted
MAX_LENGTH = 1024
MAX_EVALUATED = 200
MAX_STEPS = 100_000
MAX_TOTAL_TOKENS = 2_000_000_000
_AT_ONCE = 2048  # tokens in one pass
_TRIES = 50
_ROOM = 6  # bytes for each parameter that a program in a cluster may leave: 16-bit weights, and a checkpoint
_NOWHERE: Mapping[str, Trainer] = {}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model learns. `max_steps` 0: as many as the epochs take; `length`: tokens of an example at most."""

    epochs: float = 1.0
    learning_rate: float = 2e-4
    max_steps: int = 0
    batch_size: int = 8
    rank: int = 16
    length: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for besides model and dataset."""

    output: str | None = None
    hardware: str | None = None
    revision: str = ""
    visibility: Visibility = Visibility.PRIVATE
    recipe: Recipe = field(default_factory=Recipe)


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """A model at a commit, as a program gets it."""

    repo: Repo
    commit: str
    facts: ModelFacts
    learner: Learner
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class DataPlan:
    """A dataset at a commit, and what its first rows tell."""

    repo: Repo
    commit: str
    sample: corpus.Sample
    counts: tokens.Counts


@dataclass(frozen=True, slots=True)
class FinetunePlan:
    """A fine-tune that could be started. `micro` examples go through the model at once, `steps` times `recipe.batch_size` in all."""

    model: ModelPlan
    data: DataPlan
    output: RepoId
    visibility: Visibility
    recipe: Recipe
    micro: int
    steps: int
    tokens: int
    estimate: Estimate
    payer: Payer
    cluster: str = LOCAL


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """An evaluation that could be started; `before` is the model to compare with, `task` one of lm-evaluation-harness."""

    model: ModelPlan
    before: ModelPlan | None
    data: DataPlan
    rows: int
    length: int
    estimate: Estimate
    publish: bool
    learned: bool
    payer: Payer
    cluster: str = LOCAL
    task: Task | None = None


class TrainingService:
    """Plans and starts the work; the jobs themselves are in `hub_core.training.jobs`."""

    def __init__(
        self, db: Database, git: GitStore, files: FileService, repos: RepoService, jobs: JobService, platform: Platform, trainer: Trainer,
        handed: JobFiles, elsewhere: Mapping[str, Trainer] = _NOWHERE,
    ) -> None:  # fmt: skip
        """Over the rest of the hub.

        Args:
            trainer: of this machine. elsewhere: of clusters, by their names.
            handed: what the hub and programs elsewhere hand each other.
        """
        self._db, self._git, self._files, self._repos, self._jobs = db, git, files, repos, jobs
        self._platform = platform
        self.trainer = trainer
        self.handed = handed
        self._elsewhere = elsewhere

    def trainer_of(self, cluster: str) -> Trainer:
        """Who runs what was placed there.

        Raises:
            NoSuchHardware: nobody does any more.
        """
        found = self.trainer if cluster == LOCAL else self._elsewhere.get(cluster)
        if found is None:
            raise NoSuchHardware(f"The cluster '{cluster}' trains no more.", hint="Start it again.")
        return found

    # -- fine-tuning -----------------------------------------------------------------------------------------------

    def plan_finetune(self, actor: Actor, model: Repo, dataset: Repo, wish: Wish) -> FinetunePlan:
        """What a fine-tune would do and take.

        Raises:
            UnsuitableData, UnsuitableModel, UnsupportedFormat: there is nothing to learn, or nobody to learn it.
            TooBigForHardware, NoSuchHardware: it cannot run so. AlreadyExists, PermissionDenied: the result cannot be put there.
        """
        output = self._output(actor, model, dataset, wish.output)
        subject = self._model(actor, model, wish.revision)
        data = self._data(actor, dataset, subject)
        length = _length(wish.recipe.length or data.counts.longest, subject.sizes.context)
        micro = max(1, min(wish.recipe.batch_size, _AT_ONCE // length))
        per_epoch = math.ceil(data.sample.rows / wish.recipe.batch_size)
        steps = max(1, wish.recipe.max_steps or math.ceil(per_epoch * wish.recipe.epochs))
        mean = min(data.counts.mean, length)
        total = int(steps * min(wish.recipe.batch_size, data.sample.rows) * mean)
        if steps > MAX_STEPS or total > MAX_TOTAL_TOKENS:
            raise InvalidInput(f"That would be {steps:,} steps over {total:,} tokens.", hint="Take fewer epochs, or set max_steps.")
        work = Work(total, micro * length, wish.recipe.rank)
        estimate, cluster = self._placed(wish.hardware, model.full_name, subject.sizes, work)
        recipe = replace(wish.recipe, length=length)
        return FinetunePlan(
            subject, data, output, wish.visibility, recipe, micro, steps, total, estimate, payer_of(self._db, output.namespace), cluster
        )

    def start_finetune(self, actor: Actor, plan: FinetunePlan) -> JobView:
        """Put it into the queue.

        Raises:
            Conflict: the same output is being made already.
        """
        recipe = plan.recipe
        args = {
            "model": plan.model.repo.id, "model_commit": plan.model.commit, "model_name": plan.model.repo.full_name,
            "dataset": plan.data.repo.id, "dataset_commit": plan.data.commit, "dataset_name": plan.data.repo.full_name,
            "output": str(plan.output), "visibility": str(plan.visibility), "hardware": str(plan.estimate.hardware),
            "epochs": recipe.epochs, "learning_rate": recipe.learning_rate, "max_steps": recipe.max_steps, "batch_size": recipe.batch_size,
            "rank": recipe.rank, "length": recipe.length, "seed": recipe.seed, "micro": plan.micro,
            "payer": plan.payer.id, "payer_name": plan.payer.name, "cluster": plan.cluster, "room": _ROOM * plan.model.sizes.parameters,
        }  # fmt: skip
        return self._enqueue(actor, FINETUNE, args, f"{FINETUNE}:{plan.output}".lower(), f"{plan.model.repo.full_name} -> {plan.output}")

    def _output(self, actor: Actor, model: Repo, dataset: Repo, said: str | None) -> RepoId:
        if said:
            return self._repos.plan_create(actor, said, RepoKind.MODEL)
        base = f"{model.name}-ft-{dataset.name}"[: MAX_NAME - 4].rstrip("._-")
        for number in range(1, _TRIES):
            try:
                return self._repos.plan_create(actor, base if number == 1 else f"{base}-{number}", RepoKind.MODEL)
            except AlreadyExists:
                continue
        raise AlreadyExists(f"The name '{base}' is taken.", hint="Say how the new model is to be called.", repo=base)

    # -- evaluating ------------------------------------------------------------------------------------------------

    def plan_evaluation(
        self, actor: Actor, model: Repo, dataset: Repo, before: Repo | None, *, revision: str = "", hardware: str | None = None,
        rows: int = MAX_EVALUATED, publish: bool = False, learned: bool = False, task: str = "",
    ) -> EvaluationPlan:  # fmt: skip
        """What an evaluation would do and take; raises as `plan_finetune`, for the model that it compares with too.

        Args:
            learned: the model was trained on this dataset, so it is measured with the rows that were kept back.
            task: the path of a task of lm-evaluation-harness in the dataset; without one, loss and perplexity are measured.

        Raises:
            EntryNotFound, InvalidInput: there is no such task, or it is none that is taken.
        """
        if publish:
            self._repos.require(actor, Permission.REPO_WRITE, model, model.full_name)
        subject = self._model(actor, model, revision)
        compared = self._model(actor, before, "") if before is not None else None
        data = self._data(actor, dataset, subject, any_rows=bool(task))
        read = read_task(task, self._files.read_text(actor, dataset, task, data.commit).content) if task else None
        both = [one.sizes for one in (subject, compared) if one is not None]
        length = _length(max(data.counts.longest, 256), min(one.context for one in both))
        wanted = max(1, min(rows, corpus.MAX_HELD_OUT, data.sample.rows))
        answers = [len(example["choices"]) for example in data.sample.examples if "choices" in example]
        times = len(both) * (1 + sum(answers) / len(answers) if answers else 1)  # each answer goes through the model by itself
        total = int(wanted * min(data.counts.mean, length) * times)
        if read is not None:
            length = _length(MAX_LENGTH, min(one.context for one in both))
            total = int(wanted * len(both) * min(tokens_of(read, data.counts.mean), length * corpus.MAX_SHOWN))
        largest = max(both, key=lambda one: one.parameters)
        estimate, cluster = self._placed(hardware, model.full_name, largest, Work(total, max(length, _AT_ONCE // 2)))
        return EvaluationPlan(subject, compared, data, wanted, length, estimate, publish, learned, payer_for(actor), cluster, read)

    def start_evaluation(self, actor: Actor, plan: EvaluationPlan) -> JobView:
        """Put it into the queue."""
        args = {
            "model": plan.model.repo.id, "model_commit": plan.model.commit, "model_name": plan.model.repo.full_name,
            "dataset": plan.data.repo.id, "dataset_commit": plan.data.commit, "dataset_name": plan.data.repo.full_name,
            "hardware": str(plan.estimate.hardware), "rows": plan.rows, "length": plan.length, "publish": plan.publish, "learned": plan.learned,
            "payer": plan.payer.id, "payer_name": plan.payer.name, "cluster": plan.cluster,
        }  # fmt: skip
        if plan.before is not None:
            args |= {"before": plan.before.repo.id, "before_commit": plan.before.commit, "before_name": plan.before.repo.full_name}
        if plan.task is not None:
            args |= {"task": plan.task}
        key = f"{EVALUATE}:{actor.user_id}:{plan.model.repo.id}:{plan.data.repo.id}:{(plan.task or {}).get('task', '')}"[:200]
        return self._enqueue(actor, EVALUATE, args, key, f"{plan.model.repo.full_name} on {plan.data.repo.full_name}")

    # -- both ------------------------------------------------------------------------------------------------------

    def _model(self, actor: Actor, repo: Repo, revision: str) -> ModelPlan:
        if repo.kind != RepoKind.MODEL:
            raise InvalidInput(f"{repo.full_name} is a {repo.kind}, not a model.", hint="Name a model.")
        commit = self._git.resolve(repo.id, revision)
        paths = self._files.paths(actor, repo, commit)
        facts = inspect_model(self._files.readers(actor, repo, [path for path in paths if wanted(path)], commit))
        return ModelPlan(repo, commit, facts, learner(repo.full_name, paths, facts), sizes_of(facts))

    def _data(self, actor: Actor, repo: Repo, model: ModelPlan, *, any_rows: bool = False) -> DataPlan:
        if repo.kind != RepoKind.DATASET:
            raise InvalidInput(f"{repo.full_name} is a {repo.kind}, not a dataset.", hint="Name a dataset.")
        commit = self._git.resolve(repo.id, "")
        readers = self._files.readers(actor, repo, data_files(self._files.paths(actor, repo, commit)), commit)
        found = corpus.sample(repo.full_name, readers, any_rows=any_rows)
        if not found.rows:
            raise UnsuitableData(f"{repo.full_name} has too few rows.", hint="Upload a file with rows.", dataset=repo.full_name)
        own = "tokenizer.json"
        tokenizer = self._files.readers(actor, model.repo, [own], model.commit)[own] if own in model.learner.paths else None
        texts = [plain_text(example) for example in found.examples[:COUNTED]]
        return DataPlan(repo, commit, found, tokens.count(texts, tokenizer, [Path(python) for python in self.trainer.pythons()]))

    def _placed(self, said: str | None, what: str, sizes: Sizes, work: Work) -> tuple[Estimate, str]:
        """Where a program runs, as deployments are placed.

        In the first cluster that has room, else in the first that has the hardware, and on the hub's own machine when none has it.

        Raises:
            NoSuchHardware, TooBigForHardware: as `place`, for the hub's own machine.
        """
        found: list[tuple[Estimate, str]] = []
        for name in self._elsewhere:
            try:
                inventory = self._platform.clusters[name].inventory()
                estimate = place(self._platform.hardware, inventory, said, what, sizes, work)
            except (ClusterUnavailable, NoSuchHardware, TooBigForHardware):
                continue
            if free(estimate.hardware.item, inventory) >= estimate.hardware.count:
                return estimate, name
            found.append((estimate, name))
        return found[0] if found else (place(self._platform.hardware, self._inventory(), said, what, sizes, work), LOCAL)

    def _inventory(self) -> Any:
        try:
            return self._platform.clusters[LOCAL].inventory()
        except (ClusterUnavailable, KeyError) as error:
            raise NoSuchHardware("This hub has no machine that trains.", hint="Ask an administrator.") from error

    def _enqueue(self, actor: Actor, kind: str, args: Mapping[str, Any], key: str, what: str) -> JobView:
        queue = self._jobs.queue
        with self._db.write() as session:
            running = queue.waiting(session, key)
            if running is not None:
                raise Conflict("The same work waits or runs already as another job.", hint="list_jobs shows it.")
            job = queue.enqueue(session, kind, args, actor=actor, key=key)
            audit.record(session, actor, f"job.{kind}", what, job=job)
        return self._jobs.get(actor, job)


def _length(wanted: int, context: int) -> int:
    """Tokens of an example at most: in steps of 64, within what the model can see."""
    return max(64, min(MAX_LENGTH, context, math.ceil(max(1, wanted) / 64) * 64))

"""Tools: fine-tune models, and measure how good they are."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from hub_core.authz import Permission, Visibility
from hub_core.clusters.port import GIB
from hub_core.deployments.platform import LOCAL
from hub_core.errors import InvalidInput
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.training.corpus import MAX_HELD_OUT
from hub_core.training.estimate import Estimate
from hub_core.training.paying import Payer
from hub_core.training.service import MAX_EVALUATED, MAX_LENGTH, MAX_STEPS, DataPlan, EvaluationPlan, FinetunePlan, Recipe, Wish
from hub_core.training.trainer import PACKAGES, here
from tools.catalog.fields import DatasetArg, HardwareArg, ModelArg, RevisionArg
from tools.catalog.jobs import JobOut, job_out
from tools.catalog.repos import VisibilityArg
from tools.catalog.spending import budget_facts
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolInput

_DEFAULT = Recipe()
_INSTALL_S = 180


class FinetuneInput(ToolInput):
    """What learns from what; everything else may be left out."""

    model: ModelArg
    dataset: DatasetArg
    output: Annotated[str, Slot(SlotType.NEW_NAME), Field(description="Name of the new model; `<model>-ft-<dataset>` if left out.", max_length=140)] | None = None  # fmt: skip
    epochs: Annotated[float, Slot(SlotType.NUMBER), Field(description="How often the model goes through the data.", gt=0, le=100)] = 1.0
    learning_rate: Annotated[float, Field(description="Learning rate at its highest.", gt=0, le=1, examples=[2e-4])] = _DEFAULT.learning_rate  # fmt: skip
    hardware: HardwareArg | None = None
    visibility: VisibilityArg = Visibility.PRIVATE
    max_steps: Annotated[int, Field(description="Steps in all; 0: as many as the epochs take.", ge=0, le=MAX_STEPS)] = 0
    batch_size: Annotated[int, Field(description="Rows in a step.", ge=1, le=256)] = _DEFAULT.batch_size
    lora_rank: Annotated[int, Field(description="Rank of the adapter (LoRA).", ge=1, le=256)] = _DEFAULT.rank
    max_length: Annotated[int, Field(description="Tokens of a row at most; 0: what nearly all rows have.", ge=0, le=MAX_LENGTH)] = 0
    seed: Annotated[int, Field(description="Seed of all that is random.", ge=0, le=2**31 - 1)] = 0
    revision: RevisionArg | None = None


class StartFinetune(Tool[FinetuneInput, JobOut]):
    """Fine-tune (train) a model on a dataset with LoRA, on hardware that is paid by the hour; the result is a new model, private unless said otherwise."""

    name, group, input, output = "start_finetune", "jobs", FinetuneInput, JobOut
    effect, permission, heavy = Effect.SPEND, Permission.REPO_CREATE, True

    def plan(self, ctx: ToolContext, args: FinetuneInput) -> Plan:
        """Check data, model and hardware, and work out what it takes."""
        model, dataset = _both(ctx, args.model, args.dataset)
        recipe = Recipe(args.epochs, args.learning_rate, args.max_steps, args.batch_size, args.lora_rank, args.max_length, args.seed)
        wish = Wish(args.output, args.hardware, args.revision or "", args.visibility, recipe)
        found = ctx.services.training.plan_finetune(ctx.actor, model, dataset, wish)
        resolved = args.model_dump(mode="json", exclude_none=True)
        resolved |= {
            "model": model.full_name,
            "dataset": dataset.full_name,
            "output": str(found.output),
            "hardware": str(found.estimate.hardware),
        }
        facts = {
            "model": model.full_name, "dataset": dataset.full_name, "output": str(found.output), "commit": found.model.commit,
            "steps": found.steps, "epochs": args.epochs, "learning_rate": args.learning_rate, "tokens_total": found.tokens,
        } | _data_facts(found.data) | _cost(ctx, found.estimate, found.payer, found.cluster)  # fmt: skip
        changes = (Change("model", None, str(found.output)), Change("visibility", None, str(args.visibility)))
        return Plan(resolved, Effect.SPEND, changes, facts, prepared=found)

    def run(self, ctx: ToolContext, args: FinetuneInput, plan: Plan) -> JobOut:
        """Put it into the queue."""
        found: FinetunePlan = plan.prepared
        return job_out(ctx.services.training.start_finetune(ctx.actor, found))

    def inverse(self, ctx: ToolContext, args: FinetuneInput, plan: Plan, output: JobOut) -> Call:
        """Cancel it."""
        return Call("cancel_job", {"job": output.id})


class EvaluateInput(ToolInput):
    """Which model, and on what."""

    repo: ModelArg
    dataset: DatasetArg | None = None
    hardware: HardwareArg | None = None
    rows: Annotated[int, Field(description="Rows to measure with, at most.", ge=1, le=MAX_HELD_OUT)] = MAX_EVALUATED
    compare: Annotated[bool, Slot(SlotType.FLAG), Field(description="Measure the model that it was made from as well.")] = True
    publish: Annotated[bool, Slot(SlotType.FLAG), Field(description="Write the measures into the model's card.")] = False
    revision: RevisionArg | None = None
    task: Annotated[str, Field(description="Path of a task of lm-evaluation-harness (a YAML file) in the dataset, to measure with instead.", max_length=255, examples=["tasks/capitals.yaml"])] | None = None  # fmt: skip


class EvaluateModel(Tool[EvaluateInput, JobOut]):
    """Evaluate a model: measure its loss and perplexity, or a task of lm-evaluation-harness, on rows of a dataset that are kept back, and compare with the model that it was made from."""

    name, group, input, output = "evaluate_model", "jobs", EvaluateInput, JobOut
    effect, permission, heavy = Effect.SPEND, Permission.JOB_MANAGE, True

    def plan(self, ctx: ToolContext, args: EvaluateInput) -> Plan:
        """Find what to measure with and to compare with, and work out what it takes."""
        model = ctx.services.repos.find(ctx.actor, args.repo, RepoKind.MODEL, permission=Permission.REPO_FILES)
        lineage = ctx.services.lineage.of(ctx.actor, model)
        named = args.dataset or next((link.repo for link in lineage.sources if link.relation == "dataset" and link.on_hub), None)
        if named is None:
            raise InvalidInput(f"Nothing tells what {model.full_name} was trained on.", hint="Say on which dataset to evaluate it.")
        dataset = ctx.services.repos.find(ctx.actor, named, RepoKind.DATASET, permission=Permission.REPO_FILES)
        base = next((link.repo for link in lineage.sources if link.relation in ("base_model", "fork") and link.on_hub), None)
        before = None
        if args.compare and base is not None:
            before = ctx.services.repos.find(ctx.actor, base, RepoKind.MODEL, permission=Permission.REPO_FILES)
        learned = any(link.relation == "dataset" and link.repo == dataset.full_name for link in lineage.sources)
        found = ctx.services.training.plan_evaluation(
            ctx.actor, model, dataset, before, revision=args.revision or "", hardware=args.hardware, rows=args.rows, publish=args.publish,
            learned=learned, task=args.task or "",
        )  # fmt: skip
        resolved = args.model_dump(mode="json", exclude_none=True)
        resolved |= {"repo": model.full_name, "dataset": dataset.full_name, "hardware": str(found.estimate.hardware)}
        facts = {"repo": model.full_name, "dataset": dataset.full_name, "commit": found.model.commit, "publish": args.publish}
        facts |= {"before": before.full_name} if before is not None else {}
        if found.task is not None:
            facts |= {"task": found.task["task"], "shots": found.task.get("num_fewshot", 0)}
        facts |= _data_facts(found.data) | {"rows": found.rows} | _cost(ctx, found.estimate, found.payer, found.cluster)
        return Plan(resolved, Effect.SPEND, (Change("job", None, "evaluate"),), facts, prepared=found)

    def run(self, ctx: ToolContext, args: EvaluateInput, plan: Plan) -> JobOut:
        """Put it into the queue."""
        found: EvaluationPlan = plan.prepared
        return job_out(ctx.services.training.start_evaluation(ctx.actor, found))

    def inverse(self, ctx: ToolContext, args: EvaluateInput, plan: Plan, output: JobOut) -> Call:
        """Cancel it."""
        return Call("cancel_job", {"job": output.id})


def _both(ctx: ToolContext, model: str, dataset: str) -> tuple[Repo, Repo]:
    find = ctx.services.repos.find
    return (
        find(ctx.actor, model, RepoKind.MODEL, permission=Permission.REPO_FILES),
        find(ctx.actor, dataset, RepoKind.DATASET, permission=Permission.REPO_FILES),
    )


def _data_facts(data: DataPlan) -> dict[str, Any]:
    """What was found in the data, and how sure that is."""
    return {
        "rows": data.sample.rows, "rows_exact": data.sample.exact, "columns": list(data.sample.shape.columns), "format": data.sample.shape.kind,
        "tokens_per_row": round(data.counts.mean, 1), "tokens_counted": data.counts.counted, "dataset_commit": data.commit,
    }  # fmt: skip


def _cost(ctx: ToolContext, found: Estimate, payer: Payer, cluster: str) -> dict[str, Any]:
    """On what it runs, for how long, and for how much; all of it estimated."""
    item = found.hardware.item
    packages = cluster != LOCAL or here(PACKAGES) or PACKAGES.installed(ctx.services.platform.data_dir)
    return {
        "hardware": str(found.hardware), "hardware_title": item.title, "hardware_gb": (item.gpu_memory_gb or item.memory_gb) * found.hardware.count,
        "needs_gb": round(found.memory / GIB, 1), "takes_s": found.seconds, "cluster": cluster, "first_time_s": 0 if packages else _INSTALL_S,
        "estimated_cost": found.cost, "hourly": round(found.hardware.price, 4), "currency": found.currency,
    } | budget_facts(ctx, payer.id, found.hardware.price)  # fmt: skip


TOOLS = (StartFinetune(), EvaluateModel())

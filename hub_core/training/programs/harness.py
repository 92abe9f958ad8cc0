"""Measures language models with a task of lm-evaluation-harness, on rows of the hub."""

from __future__ import annotations

import gc
import sys
import traceback
from importlib import import_module
from typing import Any

from hub_core.training.programs.common import Job, Told, load, quiet, read


def main(job: Job) -> None:
    """One model after the other, on the same rows."""
    order, torch = job.order, quiet(job)
    if order.get("packages"):
        sys.path.append(order["packages"])  # last: torch, transformers and what they brought come first
    try:
        tools: Any = import_module("lm_eval.utils")
    except ImportError as error:
        raise Told("packages", f"lm-evaluation-harness is not there: {error}") from error
    tools.env = sandbox(tools.regex_replace)
    for index, model in enumerate(order["models"]):
        job.tell("stage", message=f"Loading {model['name']}", share=index / len(order["models"]))
        tokenizer, loaded = load(model, order["gpus"])
        job.tell("stage", message=f"Measuring {model['name']}: {order['task']['task'][:60]}")
        job.tell("measure", name=model["name"], **_measured(job, torch, tokenizer, loaded))
        del tokenizer, loaded
        gc.collect()
    job.tell("done")


def sandbox(regex_replace: Any) -> Any:
    """What fills in templates: as that of the harness, which would let them reach into Python."""
    jinja2, guarded = import_module("jinja2"), import_module("jinja2.sandbox")
    found = guarded.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    found.filters["regex_replace"] = regex_replace
    return found


def _measured(job: Job, torch: Any, tokenizer: Any, model: Any) -> dict[str, Any]:
    order = job.order
    harness, tasks, models = (import_module(f"lm_eval.{name}") for name in ("evaluator", "api.task", "models.huggingface"))
    tables = import_module("datasets")
    splits = {"measured": list(read(job.folder / "held_out.jsonl"))[: order["rows"]], "shown": list(read(job.folder / "train.jsonl"))}
    shown = "shown" if splits["shown"] else "measured"
    torch.manual_seed(0)
    try:
        found = {name: tables.Dataset.from_list(rows) for name, rows in splits.items() if rows}
        config = {
            **order["task"],
            "test_split": "measured",
            "fewshot_split": shown,
            "custom_dataset": lambda **_: tables.DatasetDict(found),
        }
        task = tasks.ConfigurableTask(config=config)
        task.set_fewshot_seed(0)
        lm = models.HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1, max_length=order["length"])
        told = harness.evaluate(lm, {"tasks": {task.config.task: task}, "groups": {}}, bootstrap_iters=100, log_samples=False)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, SyntaxError, import_module("jinja2").TemplateError) as error:
        traceback.print_exc()
        raise Told("data", f"The task does not fit the rows: {type(error).__name__}: {str(error)[:300]}") from error
    return {"rows": len(splits["measured"]), **metrics(told["results"][task.config.task])}


def metrics(results: dict[str, Any]) -> dict[str, Any]:
    """Numbers by their names, and their standard errors; the filter is named where there is one."""
    measured: dict[str, float] = {}
    errors: dict[str, float] = {}
    for key, value in results.items():
        name, comma, filtered = key.partition(",")
        if comma and isinstance(value, int | float):
            own = name.removesuffix("_stderr")
            (errors if own != name else measured)[own if filtered == "none" else f"{own} ({filtered})"] = float(value)
    return {"metrics": measured, "errors": errors}

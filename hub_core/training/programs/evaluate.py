"""Measures the loss and the perplexity of one or more language models on rows that were kept back."""

from __future__ import annotations

import gc
from typing import Any

from hub_core.training.programs.common import Job, Told, choose, encode, load, measure, quiet, read


def main(job: Job) -> None:
    """One model after the other, on the same rows."""
    order, torch = job.order, quiet(job)
    rows = list(read(job.folder / ("held_out.jsonl" if order["held_out"] else "train.jsonl")))[: order["rows"]]
    models = order["models"]
    for index, model in enumerate(models):
        _one(job, torch, model, rows, index / len(models), 1 / len(models))
        gc.collect()
    job.tell("done")


def _one(job: Job, torch: Any, model: dict[str, Any], rows: list[dict[str, Any]], first: float, share: float) -> None:
    job.tell("stage", message=f"Loading {model['name']}", share=first)
    tokenizer, loaded = load(model, job.order["gpus"])
    examples = [found for row in rows if (found := encode(tokenizer, row, job.order["length"]))]
    if not examples:
        raise Told("data", "Nothing is left to measure with: the rows are empty, or longer than the model can see.")

    def tick(number: int) -> None:
        if number % 5 == 0:
            message = f"Measuring {model['name']}: {number} of {len(examples)} rows"
            job.tell("stage", message=message, share=first + share * number / len(examples))

    measured = measure(torch, loaded, tokenizer, examples, tick)
    questions = [row for row in rows if row.get("choices")]
    if questions:
        measured |= choose(torch, loaded, tokenizer, questions, job.order["length"], tick)
    job.tell("measure", name=model["name"], **measured)

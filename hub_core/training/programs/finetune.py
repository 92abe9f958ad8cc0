"""Fine-tunes a language model with LoRA, goes on from its last checkpoint, and merges what was learned into the weights."""

from __future__ import annotations

import json
import math
import random
import shutil
import time
from importlib import import_module
from typing import Any

from hub_core.training.programs.common import Job, Tokens, Told, batch, encode, load, loss_sum, measure, pad_of, quiet, read, versions

SAVE_EVERY_S, SAVE_EVERY_STEPS = 30.0, 100
WARMUP, LEAST = 0.05, 0.1  # shares of the steps, and of the learning rate at the end
CLIP = 1.0
MAX_MEASURED = 100
DROPOUT = 0.05
SHARD = "2GB"


def main(job: Job) -> None:
    """The whole of it."""
    order, torch = job.order, quiet(job)
    torch.manual_seed(order["seed"])
    job.tell("stage", message="Loading the model")
    tokenizer, model = load(order, order["gpus"])
    train = [found for row in read(job.folder / "train.jsonl") if (found := encode(tokenizer, row, order["length"]))]
    held_out = [found for row in read(job.folder / "held_out.jsonl") if (found := encode(tokenizer, row, order["length"]))][:MAX_MEASURED]
    if not train:
        raise Told("data", "Nothing is left to learn: the rows are empty, or longer than the model can see.")
    per_epoch = math.ceil(len(train) / order["batch_size"])
    steps = order["max_steps"] or max(1, math.ceil(per_epoch * order["epochs"]))
    before = _measured(job, torch, "before", model, tokenizer, held_out)
    peft = import_module("peft")
    model, optimizer, state = _adapted(job, torch, peft, model)
    done, tokens = int(state.get("step", 0)), int(state.get("tokens", 0))
    began, spent, earlier = time.monotonic(), 0, float(state.get("seconds", 0.0))
    model.train()
    saved = time.monotonic()
    for step in range(done + 1, steps + 1):
        rate = _rate(order["learning_rate"], step, steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss, count = _step(torch, model, optimizer, tokenizer, _pick(train, step, order), order["micro"], step)
        tokens, spent = tokens + count, spent + count
        speed = round(spent / max(1e-9, time.monotonic() - began), 1)
        job.tell("step", step=step, steps=steps, loss=loss, lr=rate, epoch=round(step / per_epoch, 3), tokens_per_s=speed)
        if step == steps or step % SAVE_EVERY_STEPS == 0 or time.monotonic() - saved > SAVE_EVERY_S:
            _save(job, torch, model, optimizer, {"step": step, "tokens": tokens, "seconds": earlier + time.monotonic() - began})
            saved = time.monotonic()
    seconds = earlier + time.monotonic() - began
    after = _measured(job, torch, "after", model, tokenizer, held_out)
    job.tell("stage", message="Merging what was learned into the weights", share=1.0)
    _write(job, torch, model, tokenizer)
    job.tell(
        "done", steps=steps, tokens=tokens, seconds=round(seconds, 1), before=before, after=after, versions=versions(),
        hyperparameters={"steps": steps, "optimizer": "adamw", "schedule": "cosine", "warmup": WARMUP, "clip": CLIP, "dropout": DROPOUT,
                         "alpha": 2 * order["rank"], "targets": "all-linear", "dtype": str(next(model.parameters()).dtype)},
    )  # fmt: skip


def _measured(job: Job, torch: Any, name: str, model: Any, tokenizer: Any, held_out: list[Tokens]) -> dict[str, Any]:
    if not held_out:
        return {}
    noted = job.folder / f"{name}.json"  # an attempt before this one may have measured it
    if noted.exists():
        found: dict[str, Any] = json.loads(noted.read_text(encoding="utf-8"))
    else:
        job.tell("stage", message=f"Measuring {name} training")
        found = measure(torch, model, tokenizer, held_out, lambda _number: None)
        noted.write_text(json.dumps(found), encoding="utf-8")
    job.tell("measure", name=name, **found)
    return found


def _adapted(job: Job, torch: Any, peft: Any, model: Any) -> tuple[Any, Any, dict[str, Any]]:
    """The model with its adapter, from the last checkpoint where there is one; the optimizer; the steps, tokens and seconds that are done."""
    order = job.order
    place, old = job.folder / "checkpoint", job.folder / "checkpoint.old"
    if old.exists() and not place.exists():
        old.rename(place)
    state: dict[str, Any] = {}
    if (place / "state.json").exists():
        state = json.loads((place / "state.json").read_text(encoding="utf-8"))
        model = peft.PeftModel.from_pretrained(model, str(place), is_trainable=True)
    else:
        config = peft.LoraConfig(
            r=order["rank"], lora_alpha=2 * order["rank"], lora_dropout=DROPOUT, target_modules="all-linear", task_type="CAUSAL_LM"
        )
        model = peft.get_peft_model(model, config)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=order["learning_rate"], weight_decay=0.0)
    if state:
        optimizer.load_state_dict(torch.load(place / "optimizer.pt", weights_only=True))
        torch.set_rng_state(torch.load(place / "random.pt", weights_only=True))
        job.tell("stage", message=f"Going on from step {state['step']}")
    return model, optimizer, state


def _pick(train: list[Tokens], step: int, order: dict[str, Any]) -> list[Tokens]:
    """The examples of a step: each epoch goes through all in an order that the seed gives, so that a step is the same in every attempt."""
    size = min(order["batch_size"], len(train))
    per_epoch = math.ceil(len(train) / size)
    epoch, index = divmod(step - 1, per_epoch)
    places = list(range(len(train)))
    random.Random(f"{order['seed']}-{epoch}").shuffle(places)  # noqa: S311 - an order, no secret
    return [train[place] for place in places[index * size : (index + 1) * size]]


def _step(torch: Any, model: Any, optimizer: Any, tokenizer: Any, examples: list[Tokens], micro: int, step: int) -> tuple[float, int]:
    """Learn from some examples, `micro` at a time; the mean loss, and how many tokens went through."""
    counted = sum(sum(label != -100 for label in one.labels[1:]) for one in examples)
    total = 0.0
    for start in range(0, len(examples), micro):
        lost, _ = loss_sum(torch, model, batch(torch, pad_of(tokenizer), examples[start : start + micro], str(model.device)))
        (lost / max(1, counted)).backward()
        total += float(lost.detach())
    norm = float(torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], CLIP))
    loss = total / max(1, counted)
    if not math.isfinite(loss) or not math.isfinite(norm):
        raise Told("diverged", f"The loss is no number any more at step {step}.", step=step)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss, sum(len(one.ids) for one in examples)


def _rate(peak: float, step: int, steps: int) -> float:
    """Rises in the first steps, then falls like a cosine."""
    rising = max(1, round(WARMUP * steps))
    if step <= rising:
        return peak * step / rising
    share = (step - rising) / max(1, steps - rising)
    return peak * (LEAST + (1 - LEAST) * 0.5 * (1 + math.cos(math.pi * share)))


def _save(job: Job, torch: Any, model: Any, optimizer: Any, state: dict[str, Any]) -> None:
    """Write a checkpoint aside and put it in the place of the last one: a crash leaves the old or the new."""
    place, part, old = (job.folder / name for name in ("checkpoint", "checkpoint.part", "checkpoint.old"))
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(str(part), save_embedding_layers=False)
    torch.save(optimizer.state_dict(), part / "optimizer.pt")
    torch.save(torch.get_rng_state(), part / "random.pt")
    (part / "state.json").write_text(json.dumps(state), encoding="utf-8")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    part.rename(place)
    job.tell("saved", step=state["step"])


def _write(job: Job, torch: Any, model: Any, tokenizer: Any) -> None:
    """The merged model, in 16 bits, as anybody loads it."""
    target, part = job.folder / "output", job.folder / "output.part"
    for path in (target, part):
        shutil.rmtree(path, ignore_errors=True)
    merged = model.merge_and_unload().to(torch.bfloat16)
    merged.config.use_cache = True
    merged.save_pretrained(str(part), max_shard_size=SHARD)
    tokenizer.save_pretrained(str(part))
    part.rename(target)

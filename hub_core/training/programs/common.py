"""What the training programs share: orders, events, examples as tokens. Runs with packages of its own, and never with the hub's."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
import traceback
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

IGNORED = -100  # the label of a token that is not learned
# Said in place of a chat template where a model has none: it is kept with the new model, so that it is asked as it was taught.
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}\n{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}"
)
_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc", "defaultcpuallocator")


class Told(Exception):
    """The program cannot go on, and why: `code` is one that the hub knows."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.event = {"kind": "error", "code": code, "message": message, **more}


@dataclass(slots=True)
class Job:
    """The order, and the way to tell what happens."""

    order: dict[str, Any]
    folder: Path
    _file: Any = field(repr=False)

    def tell(self, kind: str, **facts: Any) -> None:
        """Write an event."""
        self._file.write(json.dumps({"kind": kind, **facts}) + "\n")
        self._file.flush()


@dataclass(frozen=True, slots=True)
class Tokens:
    """An example: its tokens, and which of them are learned (the others are IGNORED)."""

    ids: array[int]
    labels: array[int]


def run(work: Callable[[Job], None]) -> None:
    """Read the order, do the work, and tell how it ended; the exit status is 0 only when it went well."""
    path = Path(sys.argv[1])
    order = json.loads(path.read_text(encoding="utf-8"))
    folder = Path(order["folder"])
    with (folder / "events.jsonl").open("a", encoding="utf-8") as file:
        job = Job(order, folder, file)
        try:
            work(job)
        except Told as told:
            job.tell(**told.event)
            sys.exit(3)
        except MemoryError:
            job.tell("error", code="memory", message="It needs more memory than the hardware has.")
            sys.exit(3)
        except Exception as error:
            event = _known(error)
            if event:
                job.tell("error", **event)
            raise


def _known(error: Exception) -> dict[str, Any]:
    said = str(error)
    if (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or "no space left" in said.lower():
        return {"code": "disk", "message": "The disk is full."}
    if any(sign in said.lower() for sign in _MEMORY):
        return {"code": "memory", "message": "It needs more memory than the hardware has."}
    return {}


def load(model: dict[str, Any], gpus: int) -> tuple[Any, Any]:
    """The tokenizer and the model. Code of the repo is never run, and only safetensors or GGUF weights are read."""
    torch, transformers = import_module("torch"), import_module("transformers")
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if model["gguf"]:
        options["gguf_file"] = model["gguf"]
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model["path"], **options)
        more = {"quantization_config": transformers.GgufConfig(dequantize=True)} if model["gguf"] else {"use_safetensors": True}
        dtype = torch.bfloat16 if gpus else torch.float32
        loaded = transformers.AutoModelForCausalLM.from_pretrained(model["path"], dtype=dtype, **more, **options)
        if (quantizer := getattr(loaded, "hf_quantizer", None)) is not None:
            quantizer.remove_quantization_config(loaded)  # the weights are whole now, and can be learned and saved
    except (ValueError, KeyError, OSError, ImportError, RuntimeError) as error:
        if _known(error):
            raise
        traceback.print_exc()
        said = str(error).strip() or type(error).__name__
        raise Told("model", f"The model cannot be loaded: {said.splitlines()[0][:300]}") from error
    if tokenizer.chat_template is None:
        tokenizer.chat_template = PLAIN_TEMPLATE
    return tokenizer, loaded.to("cuda" if gpus else "cpu")


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Examples, one a line."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def encode(tokenizer: Any, example: dict[str, Any], length: int) -> Tokens | None:
    """An example as tokens, cut at `length`; None where nothing of it is left to learn. Of a conversation the assistant's words are learned."""
    if "text" in example:
        ids = list(tokenizer(example["text"])["input_ids"])
        if tokenizer.eos_token_id is not None:
            ids.append(tokenizer.eos_token_id)
        ids = ids[:length]
        return Tokens(array("i", ids), array("i", ids)) if len(ids) > 1 else None
    turns = example["messages"]
    ids = _chat(tokenizer, turns, asks=False)
    labels = [IGNORED] * len(ids)
    for index, turn in enumerate(turns):
        if turn["role"] != "assistant":
            continue
        before, after = _chat(tokenizer, turns[:index], asks=True), _chat(tokenizer, turns[: index + 1], asks=False)
        if after[: len(before)] != before or ids[: len(after)] != after:
            labels = list(ids)  # the template rewrites what went before: all of it is learned
            break
        labels[len(before) : len(after)] = ids[len(before) : len(after)]
    ids, labels = ids[:length], labels[:length]
    return Tokens(array("i", ids), array("i", labels)) if any(label != IGNORED for label in labels[1:]) else None


def _chat(tokenizer: Any, turns: Sequence[dict[str, str]], *, asks: bool) -> list[int]:
    if not turns:
        return []
    text = tokenizer.apply_chat_template(list(turns), tokenize=False, add_generation_prompt=asks)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def batch(torch: Any, pad: int, examples: Sequence[Tokens], device: str) -> dict[str, Any]:
    """Several examples as one tensor, filled up on the right."""
    width = max(len(one.ids) for one in examples)
    ids = [one.ids.tolist() + [pad] * (width - len(one.ids)) for one in examples]
    seen = [[1] * len(one.ids) + [0] * (width - len(one.ids)) for one in examples]
    labels = [one.labels.tolist() + [IGNORED] * (width - len(one.ids)) for one in examples]
    return {
        "input_ids": torch.tensor(ids, device=device), "attention_mask": torch.tensor(seen, device=device),
        "labels": torch.tensor(labels, device=device),
    }  # fmt: skip


def loss_sum(torch: Any, model: Any, tensors: dict[str, Any]) -> tuple[Any, int]:
    """The sum of the losses of all learned tokens, and how many those are."""
    logits = model(input_ids=tensors["input_ids"], attention_mask=tensors["attention_mask"]).logits[:, :-1].float()
    labels = tensors["labels"][:, 1:]
    total = torch.nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), ignore_index=IGNORED, reduction="sum"
    )
    return total, int((labels != IGNORED).sum())


def measure(torch: Any, model: Any, tokenizer: Any, examples: Sequence[Tokens], tick: Callable[[int], None]) -> dict[str, float | int]:
    """Loss and perplexity for each learned token of the examples."""
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for number, one in enumerate(examples, 1):
            lost, tokens = loss_sum(torch, model, batch(torch, pad_of(tokenizer), [one], str(model.device)))
            total, count = total + float(lost), count + tokens
            tick(number)
    loss = total / max(1, count)
    return {"loss": loss, "perplexity": math.exp(min(loss, 60.0)), "tokens": count, "rows": len(examples)}


def choose(
    torch: Any, model: Any, tokenizer: Any, rows: Sequence[dict[str, Any]], length: int, tick: Callable[[int], None]
) -> dict[str, float | int]:
    """How often the model finds the right one of several answers likelier than the others: as it is, and for each character of it."""
    model.eval()
    right = right_by_length = 0
    with torch.no_grad():
        for number, row in enumerate(rows, 1):
            scores = []
            for choice in row["choices"]:
                one = encode(tokenizer, {"messages": [*row["messages"][:-1], {"role": "assistant", "content": choice}]}, length)
                lost = loss_sum(torch, model, batch(torch, pad_of(tokenizer), [one], str(model.device)))[0] if one else math.inf
                scores.append(float(lost))
            by_length = [score / max(1, len(choice)) for score, choice in zip(scores, row["choices"], strict=True)]
            right += scores.index(min(scores)) == row["answer"]
            right_by_length += by_length.index(min(by_length)) == row["answer"]
            tick(number)
    return {"accuracy": right / len(rows), "accuracy_normalised": right_by_length / len(rows), "questions": len(rows)}


def pad_of(tokenizer: Any) -> int:
    """A token to fill up with; it is never learned or seen."""
    found = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return int(found or 0)


def versions() -> dict[str, str]:
    """Of all packages here."""
    from importlib.metadata import distributions

    return {str(one.metadata["Name"]): str(one.version) for one in distributions() if one.metadata["Name"]}


def quiet(job: Job) -> Any:
    """Torch with as many threads as the order gives."""
    torch = import_module("torch")
    torch.set_num_threads(int(job.order["cpus"]))
    os.umask(0o077)
    return torch

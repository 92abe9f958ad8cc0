"""What a fine-tune leaves: a model repo in one commit, with its card, its measures and the exact recipe; and measures for a card."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from sqlalchemy.orm import Session

from hub_core.authz import Actor, Visibility
from hub_core.errors import EntryNotFound
from hub_core.git import FileChange
from hub_core.git.patterns import lfs_line
from hub_core.jobs.context import JobContext
from hub_core.jobs.traces import Point
from hub_core.lfs.pointer import format_pointer
from hub_core.reading import read_exact
from hub_core.repos.cards import MAX_README, card_of, with_fields
from hub_core.repos.kinds import RepoKind
from hub_core.repos.placing import MAX_INLINE
from hub_core.repos.seed import LFS_SUFFIXES, initial_files
from hub_core.repos.tables import Repo
from hub_core.training.corpus import Written

CHUNK = 4 << 20
# What a program may leave in its folder that belongs to a model; nothing else of it is taken.
SUFFIXES = frozenset({".safetensors", ".json", ".txt", ".model", ".jinja"})
TASK = {"type": "text-generation", "name": "Text generation"}
_CARRIED = ("license", "license_name", "license_link", "language")


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a fine-tune: the job's arguments, what the program said at its end, its measures, and the curve of the loss."""

    args: Mapping[str, Any]
    done: Mapping[str, Any]
    measures: Mapping[str, Mapping[str, Any]]
    series: Sequence[Point]
    rows: Written
    packages: Sequence[str]
    license: str

    def result(self) -> dict[str, Any]:
        """The job's result."""
        told = {
            "repo": self.args["output"],
            "steps": self.done.get("steps"),
            "tokens": self.done.get("tokens"),
            "seconds": self.done.get("seconds"),
        }
        measures = [{"model": name, **values} for name, values in self.measures.items()]
        return told | {"rows": self.rows.train, "held_out": self.rows.held_out, "skipped": self.rows.skipped, "measures": measures}

    def recipe(self, job: int) -> dict[str, Any]:
        """All that it takes to do it again."""
        keys = ("epochs", "learning_rate", "max_steps", "batch_size", "rank", "length", "seed", "micro", "hardware")
        return {
            "method": "lora",
            "base_model": {"repo": self.args["model_name"], "commit": self.args["model_commit"]},
            "dataset": {"repo": self.args["dataset_name"], "commit": self.args["dataset_commit"]},
            "rows": {"learned": self.rows.train, "held_out": self.rows.held_out, "left_out": self.rows.skipped, "cut": self.rows.cut},
            "hyperparameters": {key: self.args[key] for key in keys} | dict(self.done.get("hyperparameters") or {}),
            "packages": list(self.packages), "versions": dict(self.done.get("versions") or {}), "python": platform.python_version(),
            "job": job,
        }  # fmt: skip


def push(ctx: JobContext, actor: Actor, folder: Path, report: Report, also: Callable[[Session, Repo], None]) -> dict[str, Any]:
    """Make the repo, private unless asked otherwise, with everything in its one commit; the job's result.

    Args:
        also: acts in the transaction in which the repo appears.

    Raises:
        AlreadyExists: the name was taken meanwhile. PermissionDenied, QuotaExceeded, StorageFull: it may not, or does not fit.
    """
    args, services = report.args, ctx.services

    def fill(repo: Repo) -> dict[str, bytes]:
        return dict(_contents(ctx, actor, repo, folder, report))

    services.repos.create(
        actor, str(args["output"]), RepoKind.MODEL, Visibility(args["visibility"]), license=report.license, fill=fill, also=also,
        message=f"Fine-tune {args['model_name']} on {args['dataset_name']}",
    )  # fmt: skip
    return report.result()


def add_measures(ctx: JobContext, actor: Actor, repo: Repo, result: Mapping[str, Any]) -> str:
    """Write measures into a model's card and beside it; the commit."""
    files = ctx.services.files
    try:
        reader = files.reader(actor, repo, "README.md")
        readme = read_exact(reader, 0, min(reader.size, MAX_README))
    except EntryNotFound:
        readme = f"# {repo.name}\n".encode()
    own = next(item for item in result["measures"] if item["model"] == ctx.args["model_name"])
    card = with_fields(readme, {"model-index": _index(repo.name, str(result["dataset"]), own)})
    stem = str(result["dataset"]).replace("/", "--")
    if task := re.sub(r"[^\w.-]+", "-", str(result.get("task", "")))[:80].strip(".-"):
        stem += f"--{task}"
    changes = [FileChange("README.md", card), FileChange(f"evaluation/{stem}.json", _json(result))]
    return files.commit(actor, repo, changes, f"Add measures on {result['dataset']}").commit


def _contents(ctx: JobContext, actor: Actor, repo: Repo, folder: Path, report: Report) -> Iterator[tuple[str, bytes]]:
    """Each file of the model; large ones are put into LFS on the way."""
    attributes = initial_files(RepoKind.MODEL, repo.name, "")[".gitattributes"]
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.suffix not in SUFFIXES:
            continue
        ctx.check()
        ends_large = PurePosixPath(path.name).suffix.removeprefix(".") in LFS_SUFFIXES
        if ends_large or path.stat().st_size > MAX_INLINE:
            yield path.name, format_pointer(ctx.services.lfs.store(repo.id, _chunks(ctx, path)))
            attributes += b"" if ends_large else lfs_line(path.name) + b"\n"
        else:
            yield path.name, path.read_bytes()
    yield "README.md", _card(ctx, actor, report).encode()
    yield "metrics.json", _json({"measures": report.result()["measures"], "loss": list(report.series)})
    yield "recipe.json", _json(report.recipe(ctx.job_id))
    yield ".gitattributes", attributes


def _chunks(ctx: JobContext, path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            ctx.check()
            yield chunk


def _card(ctx: JobContext, actor: Actor, report: Report) -> str:
    args = report.args
    base = ctx.services.repos.numbered(actor, int(args["model"]))
    known = (base.card or {}).get("front_matter") or {}
    name = str(args["output"]).partition("/")[2]
    front: dict[str, Any] = {key: known[key] for key in _CARRIED if known.get(key)}
    if report.license and "license" not in front:
        front["license"] = report.license
    front |= {
        "base_model": args["model_name"],
        "datasets": [args["dataset_name"]],
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
    }
    front["tags"] = list(dict.fromkeys(["fine-tuned", "lora", *(tag for tag in card_of(known).tags if tag != "gguf")]))[:20]
    after = report.measures.get("after")
    if after:
        front["model-index"] = _index(name, str(args["dataset_name"]), after)
    lines = [
        f"# {name}", "", f"{args['model_name']}, fine-tuned on {args['dataset_name']} with LoRA; the adapter is merged into these weights.", "",
        f"- Base model: `{args['model_name']}` at `{str(args['model_commit'])[:12]}`",
        f"- Data: `{args['dataset_name']}` at `{str(args['dataset_commit'])[:12]}`, {report.rows.train:,} rows learned, {report.rows.held_out:,} kept back",
        f"- Steps: {report.done.get('steps')}, batch {args['batch_size']}, learning rate {args['learning_rate']:g}, rank {args['rank']}, seed {args['seed']}",
        "", *_table(report.measures), "`recipe.json` has everything that it takes to do it again, `metrics.json` the curve of the loss.", "",
    ]  # fmt: skip
    return "---\n" + yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000) + "---\n\n" + "\n".join(lines)


def _table(measures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if not {"before", "after"} <= measures.keys():
        return []
    rows = [f"| {name} | {measures[name]['loss']:.4f} | {measures[name]['perplexity']:.2f} |" for name in ("before", "after")]
    return ["On the rows that were kept back:", "", "| | loss | perplexity |", "| --- | --- | --- |", *rows, ""]


def _index(name: str, dataset: str, measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = measured.get("metrics") or {key: measured[key] for key in ("loss", "perplexity", "accuracy") if key in measured}
    metrics = [{"type": key, "value": round(float(value), 6)} for key, value in found.items()]
    return [{"name": name, "results": [{"task": TASK, "dataset": {"name": dataset, "type": dataset}, "metrics": metrics}]}]


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()

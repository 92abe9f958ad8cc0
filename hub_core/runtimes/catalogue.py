"""The runtimes of this hub, read from data files; an operator's own files add to them and replace those of the same name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub_core.errors import InvalidInput
from hub_core.models.facts import ModelFacts
from hub_core.running_errors import NoRuntime

T = TypeVar("T", bound=BaseModel)
FOLDER = Path(__file__).parent / "data"
SERVERS = Path(__file__).parent / "servers"
# Architectures of GGUF files that turn text into vectors and generate nothing.
EMBEDDERS = frozenset({"bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3", "gemma-embedding"})


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Memory(_Data):
    """What a model takes while it is served: its weights times `factor`, `fixed_mb` MiB more, and the context's own share."""

    factor: float = Field(default=1.2, ge=1, le=10)
    fixed_mb: int = Field(default=500, ge=0)


class ProbePath(_Data):
    """Where the server says that it answers, and how many seconds it may take until it does."""

    path: str = "/health"
    startup_s: float = Field(default=900, gt=0)


class _Way(_Data):
    """One way to run a runtime. `model_field` is what the server wants as `model` in a request."""

    hardware: tuple[Literal["cpu", "gpu"], ...]
    command: tuple[str, ...]
    environment: dict[str, str] = Field(default_factory=dict)
    model_field: str = "{name}"


class LocalWay(_Way):
    """On this machine, with pinned packages in an environment of their own; without packages it is any program.

    `settable` names the environment variables that a deployment may set: many others make a program load code. For apps of Spaces
    `sdk_version` stands in `requirements` where the card names none, and `app_port` is what they listen on, each in a network of its own.
    """

    settable: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    download_gb: float = 0.05
    sdk_version: str = ""
    app_port: int = Field(default=0, ge=0, le=65535)


class ContainerWay(_Way):
    """In a container of a cluster; with `kserve` as an InferenceService, where the cluster has KServe."""

    image: str
    port: int = Field(ge=1, le=65535)
    kserve: bool = False


class Runtime(_Data):
    """A runtime.

    Attributes:
        rank: among several that serve a model the lowest is chosen.
        formats, libraries, architectures: what it serves; `*` and an empty list are everything.
        weights: `file` for one file (and its shards), `folder` for the repo's files of that format.
        context: tokens of context that memory is planned for.
        in_flight: requests that one copy answers well at a time; where copies follow the demand, more requests need more copies.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,31}$")
    title: str
    about: str
    rank: int = 100
    formats: tuple[str, ...]
    libraries: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    weights: Literal["file", "folder"]
    tasks: tuple[Literal["chat", "completions", "embeddings", "app"], ...]
    memory: Memory = Memory()
    context: int = Field(default=4096, ge=0)
    in_flight: int = Field(default=8, ge=1)
    probe: ProbePath = ProbePath()
    local: LocalWay | None = None
    container: ContainerWay | None = None

    def serves(self, facts: ModelFacts) -> bool:
        """Whether it can serve a model of these facts."""
        return (
            ("*" in self.formats or facts.format in self.formats)
            and (not self.libraries or facts.library in self.libraries)
            and (not self.architectures or facts.architecture in self.architectures)
        )

    def task(self, facts: ModelFacts) -> str:
        """What a model is for: `chat` or `embeddings`."""
        embeds = facts.library == "sentence-transformers" or (facts.architecture or "") in EMBEDDERS
        return "embeddings" if embeds and "embeddings" in self.tasks else self.tasks[0]


@dataclass(frozen=True, slots=True)
class Runtimes:
    """All runtimes by name."""

    by_name: Mapping[str, Runtime] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Runtime]:
        """The preferred ones first."""
        return iter(sorted(self.by_name.values(), key=lambda runtime: (runtime.rank, runtime.name)))

    def get(self, name: str) -> Runtime:
        """The runtime of that name, however it is written.

        Raises:
            NoRuntime: there is none.
        """
        found = self.by_name.get(name) or {_folded(key): runtime for key, runtime in self.by_name.items()}.get(_folded(name))
        if found is None:
            raise NoRuntime(f"There is no runtime '{name[:40]}'.", hint=f"There are {', '.join(sorted(self.by_name))}.")
        return found

    def choose(self, facts: ModelFacts, kind: str, named: str | None = None, *, local: bool = True) -> Runtime:
        """The runtime for a model.

        Args:
            kind: `cpu` or `gpu`.
            named: the one that was asked for; None for the best.
            local: on this machine; else in containers.

        Raises:
            NoRuntime: none serves it there, and why.
        """
        where = "this machine" if local else "the cluster"
        wanted = [self.get(named)] if named else [runtime for runtime in self if runtime.name != "custom"]
        serving = [runtime for runtime in wanted if runtime.serves(facts)]
        if not serving:
            what = " ".join(part for part in (facts.format, facts.library if facts.library != facts.format else "") if part)
            who = f"{wanted[0].title} does not serve" if named else "No runtime serves"
            raise NoRuntime(f"{who} this model ({what}).", hint="list_runtimes shows what each serves.", format=facts.format)
        for runtime in serving:
            way = runtime.local if local else runtime.container
            if way is not None and kind in way.hardware:
                return runtime
        names = ", ".join(runtime.title for runtime in serving)
        raise NoRuntime(
            f"What serves this model ({names}) does not run with a {kind.upper()} on {where}.",
            hint="Convert it to GGUF, or take other hardware." if local else "Take other hardware.",
            runtimes=[runtime.name for runtime in serving],
        )


def _folded(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def load_runtimes(own: Path | None = None) -> Runtimes:
    """The runtimes of hubtalk, and those in `own`.

    Raises:
        InvalidInput: a file of the operator is wrong.
    """
    found = dict(_built_in())
    for path in sorted(own.glob("*.yaml")) if own is not None and own.is_dir() else []:
        runtime = read_data(path, Runtime)
        found[runtime.name] = runtime
    return Runtimes(found)


@cache
def _built_in() -> dict[str, Runtime]:
    return {runtime.name: runtime for runtime in (read_data(path, Runtime) for path in sorted(FOLDER.glob("*.yaml")))}


def read_data(path: Path, model: type[T]) -> T:
    """A data file as its model.

    Raises:
        InvalidInput: it cannot be read, or does not fit; the message names the file and the field.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidInput(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}.", hint="See docs/deployments.md.") from error
    except (OSError, yaml.YAMLError) as error:
        raise InvalidInput(f"{path.name} cannot be read.", hint="See docs/deployments.md.") from error

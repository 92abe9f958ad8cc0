"""From what a person asks for to how it would run: the model's files, a runtime that serves them, hardware that they fit on."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub_core.authz import Actor
from hub_core.clusters.local.cluster import LocalCluster
from hub_core.clusters.port import GIB, Inventory
from hub_core.deployments.estimate import memory_needed, needed_paths, weight_bytes, weight_paths
from hub_core.deployments.hardware import Hardware, fitting, free, present
from hub_core.deployments.platform import LOCAL, Platform
from hub_core.errors import InvalidInput
from hub_core.git import GitStore
from hub_core.models.facts import ModelFacts
from hub_core.models.inspect import inspect_model, wanted
from hub_core.repos.files import FileService
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.running_errors import ImagesNotBuilt, NoRuntime, NoSuchHardware, NotIsolated, TooBigForHardware
from hub_core.runtimes.catalogue import Runtime
from hub_core.spaces.images import DOCKER
from hub_core.spaces.spec import APP, STATIC, build_of

MAX_VARIABLES, MAX_VALUE = 50, 4096
MAX_KNOWN = 64  # models whose headers are remembered
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person wants; what is left out is chosen."""

    revision: str = ""
    hardware: str | None = None
    runtime: str | None = None
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """How a revision of a deployment would run. `memory` is the estimate, `weights` what is loaded, in bytes."""

    commit: str
    said: str
    hardware: Hardware
    runtime: Runtime
    cluster: str
    paths: tuple[str, ...]
    model_path: str
    task: str
    memory: int
    weights: int
    environment: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)


class Specs:
    """Works out specs."""

    def __init__(self, git: GitStore, files: FileService, platform: Platform) -> None:
        self._git = git
        self._files = files
        self._platform = platform
        self._known: OrderedDict[tuple[int, str], ModelFacts] = OrderedDict()

    def work_out(self, actor: Actor, repo: Repo, asked: Asked) -> Spec:
        """How the model would run, or the app of a Space.

        Raises:
            InvalidInput: it is no model, or a variable cannot be set.
            NoRuntime, NoSuchHardware, TooBigForHardware: it cannot run so.
            UnsupportedFormat: there are no weights, or none that can be read.
        """
        if repo.kind not in (RepoKind.MODEL, RepoKind.SPACE):
            raise InvalidInput(f"{repo.full_name} is a {repo.kind}; only models are deployed.", hint="Name a model.")
        commit = self._git.resolve(repo.id, asked.revision)
        paths = self._files.paths(actor, repo, commit)
        if repo.kind == RepoKind.SPACE:
            return self._space(actor, repo, asked, commit, paths)
        facts = self._facts(actor, repo, commit, paths)
        runtime, hardware, cluster = self._place(repo, facts, asked)
        weights = weight_paths(facts, runtime)
        return Spec(
            commit=commit, said=asked.revision or repo.default_branch, hardware=hardware, runtime=runtime, cluster=cluster,
            paths=tuple(needed_paths(paths, facts, runtime)), model_path=weights[0] if runtime.weights == "file" else "",
            task=runtime.task(facts), memory=memory_needed(facts, runtime), weights=weight_bytes(facts, runtime),
            environment=_environment(asked.environment or {}, runtime, cluster == LOCAL),
        )  # fmt: skip

    def _facts(self, actor: Actor, repo: Repo, commit: str, paths: list[str]) -> ModelFacts:
        """What the headers of a commit's files say; asked for when a deployment is planned, approved and made, and always the same."""
        key = (repo.id, commit)
        facts = self._known.get(key)
        if facts is None:
            facts = inspect_model(self._files.readers(actor, repo, [path for path in paths if wanted(path)], commit))
        self._known[key] = facts
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return facts

    def _space(self, actor: Actor, repo: Repo, asked: Asked, commit: str, paths: list[str]) -> Spec:
        """How the app of a Space would run: shut in, on this machine or in a pod.

        Raises:
            NotIsolated: this machine cannot shut it in, and no cluster runs Spaces. ImagesNotBuilt: it has a Dockerfile.
        """
        build = build_of(actor, self._files, repo, paths, commit, self._platform.runtimes)
        if build.runtime.name == STATIC:
            raise InvalidInput(f"{repo.full_name} is static pages: no program runs for them.", hint="They can be opened at any time.")
        if asked.environment:
            raise InvalidInput("A Space has variables and secrets of its own.", hint="Set them on the Space.")
        homes = self._image_homes(repo) if build.runtime.name == DOCKER else self._space_homes()
        inventories = {name: found for name, found in self._platform.inventories().items() if name in homes}
        said = self._platform.hardware.parse(asked.hardware) if asked.hardware else "cpu"
        fits: list[tuple[Hardware, str]] = []
        for name, inventory in inventories.items():
            hardware = said if isinstance(said, Hardware) else fitting(self._platform.hardware, 1, [said], inventory)
            if hardware is not None and not hardware.item.gpu and present(hardware.item, inventory):
                fits.append((hardware, name))
        if not fits:
            items = [item for item in self._platform.hardware.items if not item.gpu]
            raise _not_here(str(said), [item.name for item in items if any(present(item, found) for found in inventories.values())])
        hardware, home = next((one for one in fits if free(one[0].item, inventories[one[1]])), fits[0])
        return Spec(
            commit=commit, said=asked.revision or repo.default_branch, hardware=hardware, runtime=build.runtime, cluster=home,
            paths=tuple(paths), model_path=build.app, task=APP, memory=0, weights=0, environment={}, options=build.options,
        )  # fmt: skip

    def _image_homes(self, repo: Repo) -> set[str]:
        """The clusters that build images and run them. This machine does neither."""
        images = self._platform.images
        if images is None:
            raise ImagesNotBuilt(
                f"{repo.full_name} has a Dockerfile, and nothing builds images for this hub; on the hub's own machine such Spaces never run.",
                hint="An administrator names a cluster, a registry and a namespace for builds: HUB_CLUSTERS, HUB_CLUSTER_SPACE_REGISTRY and"
                " HUB_CLUSTER_BUILD_NAMESPACE. Or make it with Gradio or Streamlit, or as static pages.",
            )
        return set(images.tasks)

    def _space_homes(self) -> set[str]:
        """The clusters that may run apps of Spaces: those with pods, where the operator wants that, and this machine, where it can."""
        local = self._platform.clusters[LOCAL]
        missing = local.not_isolated if isinstance(local, LocalCluster) else ""
        pods = {name for name in self._platform.clusters if name != LOCAL and self._platform.space_image}
        if missing and not pods:
            raise NotIsolated(
                f"The app of a Space cannot be shut in on the hub's machine, so it does not run: {missing}.",
                hint="See docs/spaces.md for what the machine needs.",
            )
        return pods if missing else {*pods, LOCAL}

    def _place(self, repo: Repo, facts: ModelFacts, asked: Asked) -> tuple[Runtime, Hardware, str]:
        """A runtime, hardware and a cluster that go together."""
        inventories = self._platform.inventories()
        said = self._platform.hardware.parse(asked.hardware) if asked.hardware else None
        if isinstance(said, Hardware):
            return self._on(repo, facts, asked, said, inventories)
        there = {item.kind for item in self._platform.hardware.items for found in inventories.values() if present(item, found)}
        kinds = [said] if said else [kind for kind in ("gpu", "cpu") if kind in there]
        refused: NoRuntime | None = None
        largest: tuple[Runtime, str] | None = None
        for kind in kinds:
            fits: list[tuple[Runtime, Hardware, str]] = []
            for cluster, inventory in inventories.items():
                try:
                    runtime = self._platform.runtimes.choose(facts, kind, asked.runtime, local=cluster == LOCAL)
                except NoRuntime as error:
                    refused = refused or error
                    continue
                found = fitting(self._platform.hardware, memory_needed(facts, runtime), [kind], inventory)
                if found is not None:
                    fits.append((runtime, found, cluster))
                largest = largest or (runtime, kind)
            if fits:
                return next((one for one in fits if free(one[1].item, inventories[one[2]])), fits[0])
        if largest is not None:
            raise self._too_big(repo, facts, largest[0], None, [largest[1]], inventories)
        if refused is not None:
            raise refused
        raise _not_here(said.upper() if said else "hardware", self._here(inventories))

    def _on(
        self, repo: Repo, facts: ModelFacts, asked: Asked, hardware: Hardware, inventories: Mapping[str, Inventory]
    ) -> tuple[Runtime, Hardware, str]:
        """On the hardware that was named; that it is too small is told before that it is not there."""
        item = hardware.item
        homes = [name for name, found in inventories.items() if present(item, found) >= hardware.count]
        homes.sort(key=lambda name: free(item, inventories[name]) < hardware.count)
        runtime, home = self._at(facts, asked, item.kind, homes or [LOCAL] * (set(inventories) == {LOCAL}) + [""])
        if memory_needed(facts, runtime) > hardware.model_memory:
            raise self._too_big(repo, facts, runtime, hardware, ["cpu", "gpu"], inventories)
        if not homes:
            raise _not_here(str(hardware), self._here(inventories))
        return runtime, hardware, home

    def _at(self, facts: ModelFacts, asked: Asked, kind: str, homes: list[str]) -> tuple[Runtime, str]:
        """The first of some clusters (at least one) that has a runtime for the model, and that runtime."""
        refused: NoRuntime | None = None
        for home in homes:
            try:
                return self._platform.runtimes.choose(facts, kind, asked.runtime, local=home == LOCAL), home
            except NoRuntime as error:
                refused = refused or error
        assert refused is not None
        raise refused

    def _here(self, inventories: Mapping[str, Inventory]) -> list[str]:
        return [item.name for item in self._platform.hardware.items if any(present(item, found) for found in inventories.values())]

    def _too_big(
        self,
        repo: Repo,
        facts: ModelFacts,
        runtime: Runtime,
        hardware: Hardware | None,
        kinds: Sequence[str],
        found: Mapping[str, Inventory],
    ) -> TooBigForHardware:
        needed = memory_needed(facts, runtime)
        where = f"{hardware} has {hardware.model_memory / GIB:.1f} GB" if hardware else "nothing in the clusters of this hub has as much"
        here = next((fit for one in found.values() if (fit := fitting(self._platform.hardware, needed, kinds, one))), None)
        anywhere = fitting(self._platform.hardware, needed, kinds)
        hint = f"It fits on {here}." if here else f"It would fit on {anywhere}, which this hub does not have." if anywhere else ""
        return TooBigForHardware(
            f"{repo.full_name} needs about {needed / GIB:.1f} GB of memory with {runtime.title}, and {where}.",
            hint=hint or "Take a smaller or a quantised model.",
            repo=repo.full_name, needed_bytes=needed, weight_bytes=weight_bytes(facts, runtime), hardware=str(hardware or ""),
            hardware_bytes=hardware.model_memory if hardware else 0, fits=str(here or ""),
        )  # fmt: skip


def _not_here(what: str, here: list[str]) -> NoSuchHardware:
    hint = f"There is {', '.join(here)}." if here else "No cluster answers."
    return NoSuchHardware(f"The clusters of this hub have no {what}.", hint=hint, hardware=what, here=here)


def _environment(given: Mapping[str, str], runtime: Runtime, local: bool) -> dict[str, str]:
    """The variables, if they may be set. On this machine only those that the runtime names: many others make a program load code.

    Raises:
        InvalidInput: one of them may not.
    """
    if len(given) > MAX_VARIABLES:
        raise InvalidInput(f"A deployment has at most {MAX_VARIABLES} variables.")
    settable = runtime.local.settable if local and runtime.local else None
    for name, value in given.items():
        if not _VARIABLE.fullmatch(name) or len(value) > MAX_VALUE or "\0" in value:
            raise InvalidInput(f"'{name[:60]}' cannot be the name of a variable, or its value is longer than {MAX_VALUE} characters.")
        if settable is not None and name not in settable:
            hint = f"It lets these be set: {', '.join(settable)}." if settable else "It lets none be set."
            raise InvalidInput(f"{runtime.title} does not let '{name}' be set on this machine.", hint=hint)
    return dict(given)

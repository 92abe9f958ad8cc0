"""From a Space's files to how it would run: its SDK, the file that starts it, the packages that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub_core.authz import Actor
from hub_core.errors import InvalidInput
from hub_core.repos.cards import MAX_README, read_card
from hub_core.repos.files import FileService
from hub_core.repos.tables import Repo
from hub_core.running_errors import NoRuntime
from hub_core.runtimes.catalogue import Runtime, Runtimes
from hub_core.spaces.images import DOCKER, app_port
from hub_core.spaces.requirements import MAX_BYTES, read_requirements, sdk_version
from hub_core.spaces.runtime import app_file

STATIC = "static"
APP = "app"
"""The task of a deployment that runs a Space: no model answers there."""


@dataclass(frozen=True, slots=True)
class Build:
    """How a Space starts. `requirements` are for the installer, `app` is the file in the repo, `port` what it listens on."""

    sdk: str
    runtime: Runtime
    app: str
    port: int
    requirements: tuple[str, ...]

    @property
    def options(self) -> dict[str, Any]:
        """As a revision keeps it."""
        return {"requirements": list(self.requirements), "port": self.port}


def build_of(actor: Actor, files: FileService, repo: Repo, paths: list[str], commit: str, runtimes: Runtimes) -> Build:
    """How the Space of a commit would run.

    Raises:
        InvalidInput: its card or its requirements.txt asks for what cannot be, or the file that starts it is missing.
        NoRuntime: there is nothing here that runs it.
    """
    card = space_card(actor, files, repo, paths, commit)
    sdk = str(card.get("sdk") or "")
    runtime = runtimes.by_name.get(sdk)
    if runtime is None or APP not in runtime.tasks:
        known = ", ".join(sorted(name for name, one in runtimes.by_name.items() if APP in one.tasks))
        what = f"'sdk: {sdk[:40]}' in the card of {repo.full_name} is not known." if sdk else f"The card of {repo.full_name} names no sdk."
        raise InvalidInput(what, hint=f"README.md begins with '---', 'sdk: gradio', '---'; known are {known}.")
    app = app_file(card)
    if app not in paths:
        raise InvalidInput(
            f"{repo.full_name} has no file '{app[:100]}' to start.", hint="Commit it, or name another with app_file in the card."
        )
    if sdk == STATIC:
        return Build(sdk, runtime, app, 0, ())
    if sdk == DOCKER:
        return Build(sdk, runtime, app, app_port(card.get("app_port")), ())
    way = runtime.local
    if way is None:
        raise NoRuntime(
            f"Spaces made with {runtime.title} do not run on this hub.", hint="Make it with Gradio or Streamlit, or as static pages."
        )
    own = read_requirements(_read(actor, files, repo, "requirements.txt", paths, commit, MAX_BYTES + 1))
    version = sdk_version(card.get("sdk_version"), way.sdk_version)
    return Build(sdk, runtime, app, way.app_port, (*(part.replace("{sdk_version}", version) for part in way.requirements), *own))


def space_card(actor: Actor, files: FileService, repo: Repo, paths: list[str], commit: str) -> Mapping[str, Any]:
    """The front matter of its README.md."""
    return read_card(_read(actor, files, repo, "README.md", paths, commit, MAX_README)).raw


def _read(actor: Actor, files: FileService, repo: Repo, path: str, paths: list[str], commit: str, most: int) -> bytes:
    if path not in paths:
        return b""
    reader = files.readers(actor, repo, [path], commit)[path]
    return reader.read(0, min(reader.size, most))

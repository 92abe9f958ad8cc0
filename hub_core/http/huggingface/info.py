"""One repo in detail: `GET /api/{models|datasets|spaces|...}/{id}[/revision/{rev}]`, and the fields that lists show of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from fastapi import APIRouter

from hub_core.authz import Visibility
from hub_core.git import TreeEntry
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.gating import shown_gating
from hub_core.http.huggingface.shapes import REPO, moment, object_id, pointer_size
from hub_core.http.huggingface.space_runs import shown_runtime
from hub_core.http.paths import repo_name
from hub_core.models.facts import ModelFacts
from hub_core.models.transformers_info import transformers_info
from hub_core.repos.cards import Card
from hub_core.repos.info import InfoService, shown_tags
from hub_core.repos.kinds import RepoKind
from hub_core.repos.view import RepoView
from hub_core.services import Services
from hub_core.spaces.running import SpaceState
from hub_core.spaces.runtime import stage_at_rest

_COMMON = (
    "_id", "author", "sha", "createdAt", "lastModified", "private", "visibility", "gated", "disabled", "downloads", "likes", "tags",
    "cardData", "siblings", "usedStorage",
)  # fmt: skip
_BY_KIND = {
    RepoKind.MODEL: (
        "modelId",
        "pipeline_tag",
        "library_name",
        "model-index",
        "config",
        "transformersInfo",
        "safetensors",
        "gguf",
        "spaces",
    ),
    RepoKind.DATASET: ("description", "citation"),
    RepoKind.SPACE: ("sdk", "runtime", "models", "datasets"),
}


def add_info_routes(router: APIRouter, services: Services) -> None:
    """`GET` of a repo and of a revision of it."""
    acts = _Info(InfoService(services.db, services.git, services.lfs))
    add_route(router, services, "GET", REPO, acts.info)
    add_route(router, services, "GET", REPO + "/revision/{revision}", acts.info)


class _Info:
    def __init__(self, info: InfoService) -> None:
        self._info = info

    def info(self, call: Call) -> dict[str, Any]:
        """All fields, or the asked ones."""
        # With the kind in front a name can mean nothing else, and the database is asked once.
        said = f"{call.kind}:{call.param('namespace')}/{repo_name(call.param('name'))}"
        view = call.services.repos.get(call.actor, said)
        fields = RepoFields(self._info, view, self._info.commit(view, call.revision), services=call.services, sizes=call.flag("blobs"))
        return fields.chosen(expanded(call) or default_fields(view.kind))


def default_fields(kind: str) -> tuple[str, ...]:
    """The fields that are shown when nothing is chosen."""
    return _COMMON + _BY_KIND.get(RepoKind(kind), ())


def expanded(call: Call) -> list[str]:
    """The fields that `expand=a&expand=b` chooses."""
    params = call.request.query_params
    return params.getlist("expand") + params.getlist("expand[]")


class RepoFields:
    """The fields of a repo at a commit; each is worked out when it is asked for.

    Args:
        commit: None for a repo without any.
        sizes: whether `siblings` come with sizes and ids.
        look_inside: whether model files are read where the card says nothing.
    """

    def __init__(
        self, info: InfoService, view: RepoView, commit: str | None, *, services: Services, sizes: bool = False, look_inside: bool = True
    ) -> None:
        self._info = info
        self._services = services
        self._view = view
        self._commit = commit
        self._sizes = sizes
        self._look_inside = look_inside

    def chosen(self, names: Iterable[str]) -> dict[str, Any]:
        """`id` and these fields; names that are not known are left out, and so are facts that there are none of."""
        found: dict[str, Any] = {"_id": object_id(self._view.repo_id), "id": self._view.id}
        for name in names:
            make = _FIELDS.get(name)
            value = make(self) if make else None
            if value is not None:
                found[name] = value
        return found

    @cached_property
    def card(self) -> Card:
        """The card at the commit."""
        return self._info.card(self._view, self._commit) if self._commit else Card()

    @cached_property
    def model(self) -> ModelFacts | None:
        """What the model's files say; None for other kinds, or where nobody may look inside."""
        if self._commit is None or self._view.kind != RepoKind.MODEL or not self._look_inside:
            return None
        return self._info.model(self._view.repo_id, self._commit)

    @property
    def view(self) -> RepoView:
        """What the database says."""
        return self._view

    @property
    def commit(self) -> str | None:
        """The commit that is shown."""
        return self._commit

    def siblings(self) -> list[dict[str, Any]]:
        """All files."""
        files = self._info.files(self._view.repo_id, self._commit) if self._commit else ()
        return [_sized(item) for item in files] if self._sizes else [{"rfilename": item.path} for item in files]

    def runtime(self) -> dict[str, Any]:
        """How a Space stands."""
        paths = {item["rfilename"] for item in self.siblings()}
        known = self._services.space_runs.known(self._view.repo_id)
        return shown_runtime(self._services, known or SpaceState(stage_at_rest(self.card.raw, paths), "", ""))

    def security(self) -> dict[str, Any]:
        """Which files a scan warns of."""
        safety = self._info.safety(self._view.repo_id, self._commit or "")
        return {
            "scansDone": safety.done,
            "filesWithIssues": [{"path": path, "level": safety.level(path)} for path in sorted(safety.imports)],
        }

    def storage(self) -> int:
        """Bytes that the repo takes."""
        return self._info.storage(self._view)

    def tags(self) -> list[str]:
        """Tags of the card and of people."""
        return shown_tags(self._view, self.card)

    def pipeline_tag(self) -> str | None:
        """The task: the card's, else the one that the architecture is for."""
        known = transformers_info(self.model) if not self.card.pipeline_tag and self.model else None
        return self.card.pipeline_tag or (known.task if known else None)

    def library(self) -> str | None:
        """The library: the card's, else the one that the files are for."""
        return self.card.library_name or (self.model.library if self.model else None)


def _sized(item: TreeEntry) -> dict[str, Any]:
    found: dict[str, Any] = {"rfilename": item.path, "blobId": item.sha, "size": item.size}
    if item.lfs:
        found["lfs"] = {"size": item.lfs.size, "sha256": item.lfs.oid, "pointerSize": pointer_size(item.lfs)}
    return found


def _config(fields: RepoFields) -> dict[str, Any] | None:
    config = (fields.model.extra.get("config") if fields.model else None) or {}
    found: dict[str, Any] = {"architectures": [config["architecture"]]} if "architecture" in config else {}
    return found | ({"model_type": config["model_type"]} if "model_type" in config else {}) or None


def _transformers(fields: RepoFields) -> dict[str, Any] | None:
    known = transformers_info(fields.model) if fields.model else None
    if known is None:
        return None
    return {"auto_model": known.auto_model} | ({"pipeline_tag": known.task, "processor": "AutoTokenizer"} if known.task else {})


def _safetensors(fields: RepoFields) -> dict[str, Any] | None:
    facts = fields.model
    return {"parameters": facts.dtypes, "total": facts.parameters} if facts and facts.format == "safetensors" else None


def _gguf(fields: RepoFields) -> dict[str, Any] | None:
    facts = fields.model
    if facts is None or facts.format != "gguf":
        return None
    return {"total": facts.parameters, "architecture": facts.architecture, "context_length": facts.context_length}


_FIELDS: dict[str, Callable[[RepoFields], Any]] = {
    "modelId": lambda fields: fields.view.id,
    "author": lambda fields: fields.view.owner,
    "sha": lambda fields: fields.commit,
    "createdAt": lambda fields: moment(fields.view.created_at),
    "lastModified": lambda fields: moment(fields.view.updated_at),
    "private": lambda fields: fields.view.visibility != Visibility.PUBLIC,
    "visibility": lambda fields: fields.view.visibility,
    "gated": lambda fields: shown_gating(fields.view.gated),
    "disabled": lambda _: False,
    "downloads": lambda fields: fields.view.downloads,
    "downloadsAllTime": lambda fields: fields.view.downloads,
    "likes": lambda fields: fields.view.likes,
    "trendingScore": lambda fields: fields.view.likes,
    "tags": RepoFields.tags,
    "cardData": lambda fields: fields.card.raw,
    "siblings": RepoFields.siblings,
    "usedStorage": RepoFields.storage,
    "securityRepoStatus": RepoFields.security,
    "description": lambda fields: fields.view.description,
    "citation": lambda fields: fields.card.raw.get("citation"),
    "pipeline_tag": RepoFields.pipeline_tag,
    "library_name": RepoFields.library,
    "model-index": lambda fields: fields.card.raw.get("model-index"),
    "baseModels": lambda fields: {"models": [{"id": name} for name in fields.card.base_models]} if fields.card.base_models else None,
    "config": _config,
    "transformersInfo": _transformers,
    "safetensors": _safetensors,
    "gguf": _gguf,
    "spaces": lambda _: [],
    "sdk": lambda fields: fields.card.raw.get("sdk"),
    "runtime": RepoFields.runtime,
    "models": lambda fields: _strings(fields.card.raw.get("models")),
    "datasets": lambda fields: list(fields.card.datasets),
}


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

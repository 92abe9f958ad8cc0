"""Lists of repos with filters, orders and pages: `GET /api/{models|datasets|spaces|...}`, and the tags in use."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from starlette.responses import Response

from hub_core.errors import InvalidInput
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.info import RepoFields, expanded
from hub_core.http.huggingface.shapes import cursor_of, page_limit, page_response
from hub_core.repos.info import InfoService
from hub_core.repos.kinds import KINDS, RepoKind
from hub_core.repos.search import RepoQuery, RepoSort
from hub_core.services import Services

_SORTS = {
    "lastModified": RepoSort.UPDATED, "last_modified": RepoSort.UPDATED, "createdAt": RepoSort.CREATED, "created_at": RepoSort.CREATED,
    "downloads": RepoSort.DOWNLOADS, "likes": RepoSort.LIKES, "trendingScore": RepoSort.LIKES, "trending_score": RepoSort.LIKES,
}  # fmt: skip
_PAGE = 1000
# Pages of repos whose files are looked at.
_DEEP_PAGE = 100
_DEEP = {"siblings", "config", "transformersInfo", "safetensors", "gguf"}
_BRIEF = (
    "author", "createdAt", "lastModified", "private", "visibility", "gated", "disabled", "downloads", "likes", "trendingScore", "tags", "sha",
)  # fmt: skip
_BRIEF_OF = {
    RepoKind.MODEL: ("modelId", "pipeline_tag", "library_name"),
    RepoKind.DATASET: ("description",),
    RepoKind.SPACE: ("sdk",),
}
_NOT_HERE = ("num_parameters", "apps", "emissions_thresholds")
_MAX_TAGS = 2000


def add_listing_routes(router: APIRouter, services: Services) -> None:
    """Lists of every kind, and `models-tags-by-type` and its like."""
    acts = _Listing(InfoService(services.db, services.git, services.lfs))
    for kind, facts in KINDS.items():
        add_route(router, services, "GET", f"/api/{facts.plural}-tags-by-type", partial(_tags_by_type, kind))
    add_route(router, services, "GET", "/api/{kind:repokind}", acts.repos)


class _Listing:
    def __init__(self, info: InfoService) -> None:
        self._info = info

    def repos(self, call: Call) -> Response:
        """One page of the repos that the caller may see."""
        fields = _fields(call)
        deep = bool(_DEEP & set(fields))
        most = _DEEP_PAGE if deep else _PAGE
        query = _query(call, page_limit(call, most, most))
        if _none_fit(call):
            return page_response(call, [], None)
        page = call.services.search.search(call.actor, query)
        items = [RepoFields(self._info, view, view.head, services=call.services, look_inside=deep).chosen(fields) for view in page.items]
        return page_response(call, items, page.next)


def _fields(call: Call) -> list[str]:
    found = expanded(call)
    if not found:
        found = [*_BRIEF, *_BRIEF_OF.get(call.kind, ())]
        found += ["siblings", "cardData"] if call.flag("full") else []
        found += ["cardData"] if call.flag("cardData") else []
        found += ["config"] if call.flag("config") else []
    return found


def _query(call: Call, limit: int) -> RepoQuery:
    params = call.request.query_params
    unknown = [name for name in _NOT_HERE if params.get(name)]
    if unknown:
        raise InvalidInput(f"This hub cannot filter by {unknown[0]}.", hint="Filter by tags, author and names.")
    sort = params.get("sort") or "lastModified"
    if sort not in _SORTS:
        raise InvalidInput(f"'{sort[:40]}' is not an order of lists.", hint=f"One of: {', '.join(_SORTS)}.")
    tags = [*params.getlist("filter"), *params.getlist("pipeline_tag"), *(f"dataset:{name}" for name in params.getlist("datasets"))]
    return RepoQuery(
        kind=call.kind, owner=params.get("author"), gated=call.flag("gated") if params.get("gated") else None, tags=[tag for tag in tags if tag.strip()], names=[word for said in params.getlist("search") for word in said.split()],
        sort=_SORTS[sort], ascending=params.get("direction") in {"1", "asc"}, limit=limit, cursor=cursor_of(call) or None,
    )  # fmt: skip


def _none_fit(call: Call) -> bool:
    """Whether the list is asked for what no repo is here: served by a provider elsewhere."""
    params = call.request.query_params
    return bool(params.get("inference") or params.get("inference_provider"))


def _tags_by_type(kind: RepoKind, call: Call) -> dict[str, list[dict[str, str]]]:
    """Tags in use on repos that the caller may see, by what they say."""
    found: dict[str, list[dict[str, str]]] = {}
    for tag, _ in call.services.tags.in_use(call.actor, kind, _MAX_TAGS):
        head, colon, rest = tag.partition(":")
        family = head if colon else "language" if len(tag) == 2 else "other"
        found.setdefault(family, []).append({"id": tag, "label": rest or tag, "type": family})
    return found

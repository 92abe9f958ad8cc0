"""Branches, tags and history."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from hub_core.git import CommitInfo
from hub_core.git.refnames import HEADS, PULLS, TAGS
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.shapes import REPO, cursor_of, moment, page_limit, page_response
from hub_core.repos.browse import MAX_PAGE, BrowseService
from hub_core.services import Services

# Each page walks the history from its beginning, so pages are large.
_COMMITS = 500
_CONVERTS = "refs/convert/"


def add_ref_routes(router: APIRouter, services: Services) -> None:
    """`GET .../refs` and `GET .../commits/{rev}`."""
    acts = _Refs(BrowseService(services.git, services.lfs))
    add_route(router, services, "GET", REPO + "/refs", acts.refs)
    add_route(router, services, "GET", REPO + "/commits/{revision}", acts.commits)


class _Refs:
    def __init__(self, browse: BrowseService) -> None:
        self._browse = browse

    def refs(self, call: Call) -> dict[str, Any]:
        """Refs by what they are for; those of pull requests when they are asked for."""
        refs = self._browse.refs(call.repo().id)
        found = {"branches": _under(refs, HEADS), "converts": _under(refs, _CONVERTS), "tags": _under(refs, TAGS)}
        return found | ({"pullRequests": _under(refs, PULLS)} if call.flag("include_prs") else {})

    def commits(self, call: Call) -> Response:
        """One page of the history."""
        page = self._browse.commits(call.repo().id, call.revision, cursor=cursor_of(call), limit=page_limit(call, _COMMITS, MAX_PAGE))
        formatted = "formatted" in call.request.query_params.getlist("expand[]") + call.request.query_params.getlist("expand")
        return page_response(call, [_commit(commit, formatted) for commit in page.commits], page.next)


def _under(refs: dict[str, str], prefix: str) -> list[dict[str, str]]:
    return [
        {"name": name.removeprefix(prefix), "ref": name, "targetCommit": target} for name, target in refs.items() if name.startswith(prefix)
    ]


def _commit(commit: CommitInfo, formatted: bool) -> dict[str, Any]:
    title, message = commit.title, commit.message.strip().partition("\n")[2].strip()
    found: dict[str, Any] = {
        "id": commit.sha, "title": title, "message": message, "date": moment(commit.committed_at),
        "authors": [{"user": commit.author.name, "avatar": ""}],
    }  # fmt: skip
    return found | ({"formatted": {"title": escape(title), "message": escape(message)}} if formatted else {})

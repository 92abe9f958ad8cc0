"""Large files as the things that are stored: which a repo holds, and letting another repo hold them too."""

from __future__ import annotations

from itertools import islice
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from hub_core.authz import Permission
from hub_core.errors import InvalidInput
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import text
from hub_core.http.huggingface.shapes import REPO, cursor_of, moment, page_limit, page_response
from hub_core.lfs.held import held_objects
from hub_core.lfs.pointer import valid_oid
from hub_core.names import parse_repo_id
from hub_core.repos.info import InfoService
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services

_PAGE = 1000
_MAX_FILES = 1000
# Looked through for the names of files; objects of others are told without one.
_MAX_BRANCHES = 20


def add_lfs_file_routes(router: APIRouter, services: Services) -> None:
    """Routes below `lfs-files`."""
    acts = _LfsFiles(InfoService(services.db, services.git, services.lfs))
    add_route(router, services, "GET", REPO + "/lfs-files", acts.list_)
    add_route(router, services, "POST", REPO + "/lfs-files/batch", refuse_deletion)
    add_route(router, services, "POST", REPO + "/lfs-files/duplicate", duplicate)


class _LfsFiles:
    def __init__(self, info: InfoService) -> None:
        self._info = info

    def list_(self, call: Call) -> Response:
        """`GET lfs-files`: every object that the repo holds, also those that only old commits name. Needs the role write."""
        repo = call.repo(Permission.REPO_WRITE)
        after, limit = cursor_of(call), page_limit(call, _PAGE, _PAGE)
        if after and not valid_oid(after):
            raise InvalidInput("This cursor does not belong to this list.", hint="Start again without a cursor.")
        found = held_objects(call.services.db, repo.id, after, limit + 1)
        names = self._names(call, repo)
        items = [
            {
                "fileOid": item.oid,
                "oid": item.oid,
                "size": item.size,
                "pushedAt": moment(item.since),
                **names.get(item.oid, {"filename": "", "ref": None}),
            }
            for item in found[:limit]
        ]
        return page_response(call, items, found[limit - 1].oid if len(found) > limit else None)

    def _names(self, call: Call, repo: Repo) -> dict[str, dict[str, str]]:
        """A path and a branch for each object that a branch names, the default branch first."""
        branches = sorted(call.services.git.branches(repo.id).items(), key=lambda branch: branch[0] != repo.default_branch)
        found: dict[str, dict[str, str]] = {}
        for name, commit in islice(branches, _MAX_BRANCHES):
            for entry in self._info.files(repo.id, commit):
                if entry.lfs:
                    found.setdefault(entry.lfs.oid, {"filename": entry.path, "ref": f"refs/heads/{name}"})
        return found


def refuse_deletion(call: Call) -> Any:
    """`POST lfs-files/batch`: objects that commits name are not taken away from them.

    Raises:
        InvalidInput: always, for those who may administer the repo.
    """
    call.repo(Permission.REPO_ADMIN)
    raise InvalidInput(
        "Large files are not removed from under the commits that name them.",
        hint="Squash the history (super_squash_history), or delete the repo: what no repo holds any more is removed.",
    )


def duplicate(call: Call) -> Any:
    """`POST lfs-files/duplicate`: let another repo hold objects of this one, before a commit there names them."""
    given, source = call.json(), call.repo(Permission.REPO_FILES)
    target, files = _target(call, given.get("target")), _files(given.get("files"))
    held = set(call.services.lfs.sizes(source.id, files))
    call.services.lfs.link_from(target.id, source.id, held)
    failed = [{"sha256": oid, "error": f"{source.full_name} holds no such file."} for oid in files if oid not in held]
    return {"success": not failed, "failed": failed}


def _target(call: Call, target: Any) -> Repo:
    if not isinstance(target, dict) or target.get("type") not in list(RepoKind):
        raise InvalidInput("'target' has a 'type' and a 'name'.", hint=f"The type is one of {', '.join(RepoKind)}.")
    wanted = parse_repo_id(text(target, "name", None))
    return call.services.repos.open_repo(call.actor, RepoKind(target["type"]), wanted.namespace, wanted.name, Permission.REPO_WRITE)


def _files(files: Any) -> list[str]:
    if not isinstance(files, list) or len(files) > _MAX_FILES or not all(isinstance(file, dict) for file in files):
        raise InvalidInput(f"'files' is not a list of at most {_MAX_FILES:,} files.")
    found = [str(file.get("sha256")) for file in files]
    if not all(valid_oid(oid) for oid in found):
        raise InvalidInput("Each file has a 'sha256' of 64 lower-case hex digits.")
    return found

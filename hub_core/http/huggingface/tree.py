"""Folders and paths at a revision: `tree` in pages, and `paths-info` for chosen paths."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter
from starlette.responses import Response

from hub_core.errors import InvalidInput
from hub_core.git import CommitInfo, TreeEntry
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.shapes import REPO, cursor_of, moment, page_limit, page_response, pointer_size
from hub_core.repos.browse import MAX_PAGE, BrowseService
from hub_core.scanning.status import Safety, safety_of
from hub_core.services import Services
from hub_core.xet.reconstruct import Reconstruction

# With the last commit of each entry a page costs a walk through history.
_EXPANDED_PAGE = 50
_MAX_PATHS = 5000


def add_tree_routes(router: APIRouter, services: Services) -> None:
    """`GET .../tree/{rev}[/{path}]` and `POST .../paths-info/{rev}`."""
    acts = _Tree(BrowseService(services.git, services.lfs), services)
    for path in (REPO + "/tree/{revision}", REPO + "/tree/{revision}/{path:path}"):
        add_route(router, services, "GET", path, acts.tree)
    add_route(router, services, "POST", REPO + "/paths-info/{revision}", acts.paths)


class _Tree:
    def __init__(self, browse: BrowseService, services: Services) -> None:
        self._browse = browse
        self._files: Reconstruction = services.xet.files
        self._db = services.db

    def tree(self, call: Call) -> Response:
        """One page of a folder."""
        repo, expand = call.repo(), call.flag("expand")
        most = _EXPANDED_PAGE if expand else MAX_PAGE
        page = self._browse.tree(
            repo.id, call.revision, call.param("path"),
            recursive=call.flag("recursive"), cursor=cursor_of(call), limit=page_limit(call, most, most),
        )  # fmt: skip
        return page_response(call, self._entries(repo.id, page.commit, page.entries, expand), page.next)

    def paths(self, call: Call) -> list[dict[str, Any]]:
        """What is at the asked paths; those without anything are left out."""
        repo = call.repo()
        wanted, expand = _asked_paths(call)
        commit, found = self._browse.entries(repo.id, call.revision, wanted)
        return self._entries(repo.id, commit, [item for item in found if item.kind != "submodule"], expand)

    def _entries(self, repo_id: int, commit: str, entries: list[TreeEntry], expand: bool) -> list[dict[str, Any]]:
        last = self._browse.last_commits(repo_id, commit, [item.path for item in entries]) if expand else {}
        oids = [item.lfs.oid for item in entries if item.lfs]
        hashes = self._files.hashes(repo_id, oids) if oids else {}
        shown = [_entry(item, last.get(item.path), hashes.get(item.lfs.oid) if item.lfs else None) for item in entries]
        if expand:
            safety = safety_of(self._db, repo_id, commit)
            for found in shown:
                if found["type"] == "file":
                    found["securityFileStatus"] = _security(found["path"], safety)
        return shown


def _asked_paths(call: Call) -> tuple[list[str], bool]:
    """The paths and `expand`, from a form (huggingface_hub) or JSON (others)."""
    if call.request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        content = call.json()
        paths, expand = content.get("paths", []), content.get("expand", False)
    else:
        try:
            form = parse_qs(call.body.read().decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_PATHS + 10)
        except ValueError as error:
            raise _too_many() from error
        paths, expand = form.get("paths", []), form.get("expand", ["false"])[-1]
    paths = [paths] if isinstance(paths, str) else paths
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise InvalidInput("'paths' is not a list of paths.")
    if len(paths) > _MAX_PATHS:
        raise _too_many()
    return paths, str(expand).lower() in {"1", "true", "yes"}


def _too_many() -> InvalidInput:
    return InvalidInput(f"At most {_MAX_PATHS:,} paths can be asked for at once.", hint="Ask in several requests, or list the folder.")


def _security(path: str, safety: Safety) -> dict[str, Any]:
    """What a scan found in a file, as `BlobSecurityInfo` reads it; there is no virus scanner here."""
    level = safety.level(path)
    imports = []
    for finding in safety.imports.get(path, ()):
        module, _, name = finding.detail.rpartition(".")
        imports.append({"module": module, "name": name, "safety": "dangerous" if finding.level == "unsafe" else "suspicious"})
    return {"status": level, "avScan": None, "pickleImportScan": {"status": level, "pickleImports": imports} if imports else None}


def _entry(item: TreeEntry, last: CommitInfo | None, xet_hash: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "file" if item.kind == "file" else "directory", "oid": item.sha, "size": item.size, "path": item.path}
    if item.lfs:
        found["lfs"] = {"oid": item.lfs.oid, "size": item.lfs.size, "pointerSize": pointer_size(item.lfs)}
    if xet_hash:
        found["xetHash"] = xet_hash
    if last:
        found["lastCommit"] = {"id": last.sha, "title": last.title, "date": moment(last.committed_at)}
    return found

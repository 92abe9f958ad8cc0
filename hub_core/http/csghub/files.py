"""Files: one or many committed, read, listed."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from fastapi import APIRouter

from hub_core.authz import Permission
from hub_core.errors import AlreadyExists, InvalidInput, NothingToCommit
from hub_core.git import FileChange
from hub_core.http.bodies import MIB
from hub_core.http.csghub.answers import csghub_error, ok
from hub_core.http.csghub.repos import REPO
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import number, text
from hub_core.http.huggingface.shapes import moment
from hub_core.repos.tables import Repo
from hub_core.services import Services

MAX_COMMIT = 200 * MIB
_MAX_FILES = 10_000
_MAX_COMMITS = 100
"""Commits on one page."""


def add_file_routes(router: APIRouter, services: Services) -> None:
    """Routes of files and commits."""
    for methods, path, act, limit in (
        ("POST PUT", REPO + "/raw/{path:path}", write, MAX_COMMIT),
        ("GET", REPO + "/raw/{path:path}", read, 0),
        ("GET", REPO + "/tree", tree, 0),
        ("GET", REPO + "/commits", commits, 0),
        ("POST", REPO + "/preupload/{revision:path}", preupload, 16 * MIB),
        ("POST", REPO + "/commit/{revision:path}", commit, MAX_COMMIT),
    ):
        add_route(router, services, methods, path, act, body_limit=limit, show_error=csghub_error)
    add_route(router, services, "POST", REPO + "/upload_file", upload, form=True, show_error=csghub_error)


def write(call: Call) -> Any:
    """`POST|PUT raw/{path}` `{message, content (base64), branch?, new_branch?}`: one file; `new_branch` is made from `branch` first."""
    given, repo = call.json(), call.repo(Permission.REPO_WRITE)
    branch, new_branch = text(given, "branch"), text(given, "new_branch")
    if new_branch and new_branch != branch:
        # The client asks for a branch this way; the file goes to one that is there already.
        with suppress(AlreadyExists):
            call.services.history.create_branch(call.actor, repo, new_branch, branch)
    change = FileChange(call.param("path"), _content(given))
    return ok(_committed(call, repo, [change], given, new_branch or branch))


def read(call: Call) -> Any:
    """`GET raw/{path}?ref=`: a text file."""
    found = call.services.files.read_text(call.actor, call.repo(), call.param("path"), call.request.query_params.get("ref", ""))
    return ok(found.content)


def tree(call: Call) -> Any:
    """`GET tree?path=&ref=`: one folder."""
    params = call.request.query_params
    listing = call.services.files.tree(call.actor, call.repo(), params.get("path", ""), params.get("ref", ""))
    return ok(
        [
            {
                "name": e.name,
                "path": e.path,
                "type": "dir" if e.kind == "folder" else "file",
                "size": e.size,
                "sha": e.sha,
                "lfs": bool(e.lfs),
            }
            for e in listing.entries
        ]
    )


def commits(call: Call) -> Any:
    """`GET commits?ref=`: the newest."""
    log = call.services.history.log(call.actor, call.repo(), revision=call.request.query_params.get("ref", ""), limit=_MAX_COMMITS)
    return ok(
        [
            {
                "id": commit.sha, "message": commit.message.strip(), "created_at": moment(commit.committed_at),
                "author_name": commit.author.name, "committer_name": commit.committer.name,
            }
            for commit in log
        ]
    )  # fmt: skip


def preupload(call: Call) -> Any:
    """`POST preupload/{revision}` `{files: [{path, size}]}`: where each file goes, and what is there now (`oid`, empty for nothing)."""
    repo, given = call.repo(Permission.REPO_WRITE), call.json()
    sizes = [(text(file, "path", None), number(file, "size") or 0) for file in _list(given)]
    planned = call.services.files.plan_upload(call.actor, repo, sizes, call.revision)
    return ok(
        {
            "files": [
                {
                    "path": item.path, "uploadMode": "lfs" if item.in_lfs else "regular", "shouldIgnore": item.ignored,
                    "isDir": item.folder, "oid": item.oid,
                }
                for item in planned
            ]
        }
    )  # fmt: skip


def commit(call: Call) -> Any:
    """`POST commit/{revision}` `{message, files: [{path, action, content (base64)}]}`; the content of an LFS file is its pointer."""
    repo, given = call.repo(Permission.REPO_WRITE), call.json()
    return ok(_committed(call, repo, map(_change, _list(given)), given, call.revision))


def upload(call: Call) -> Any:
    """`POST upload_file`, a form with `file`, `file_path`, `branch` and `message`: one file of any size."""
    repo = call.repo(Permission.REPO_WRITE)
    path, branch = call.fields.get("file_path") or call.fields.get("path") or "", call.fields.get("branch") or None
    message = call.fields.get("message") or f"Upload {path}"
    try:
        return ok({"commit": call.services.files.commit_stream(call.actor, repo, path, _pieces(call.body), message, branch=branch).commit})
    except NothingToCommit as error:
        return ok({"commit": str(error.details["head"])})


def _committed(call: Call, repo: Repo, changes: Any, given: dict[str, Any], branch: str) -> dict[str, str]:
    try:
        done = call.services.files.commit(call.actor, repo, changes, text(given, "message") or "Change files", branch=branch or None)
    except NothingToCommit as error:
        # A repeated request is harmless.
        return {"commit": str(error.details["head"])}
    return {"commit": done.commit}


def _list(given: dict[str, Any]) -> list[dict[str, Any]]:
    files = given.get("files")
    if not isinstance(files, list) or len(files) > _MAX_FILES or not all(isinstance(file, dict) for file in files):
        raise InvalidInput(f"'files' is not a list of at most {_MAX_FILES:,} files.")
    return files


def _change(file: dict[str, Any]) -> FileChange:
    path, action = text(file, "path", None), text(file, "action", None)
    if action == "delete":
        return FileChange(path, delete=True)
    if action not in {"create", "update"}:
        raise InvalidInput(f"The action '{action[:40]}' is not known.", hint="create, update or delete")
    return FileChange(path, _content(file))


def _content(given: dict[str, Any]) -> bytes:
    try:
        # csghub-sdk breaks the lines, as MIME does.
        return base64.b64decode("".join(text(given, "content").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("'content' is not base64.") from error


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(MIB):
        yield piece

"""Commits: one JSON document a line, read from the spooled body, so that a commit may be large."""

from __future__ import annotations

import binascii
import io
import itertools
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import orjson
from fastapi import APIRouter

from hub_core.errors import EntryNotFound, InvalidInput, NothingToCommit, TooLarge
from hub_core.git import FileChange
from hub_core.http.bodies import MIB
from hub_core.http.huggingface.discussions import discussion_url
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import number, text
from hub_core.http.huggingface.upload import needed_for
from hub_core.lfs.pointer import valid_oid
from hub_core.repos.placing import LfsFile
from hub_core.services import Services

MAX_COMMIT = 200 * MIB
# A file of 64 MiB, which is eight times what clients are told to send here.
MAX_LINE = 88 * MIB


def add_commit_routes(router: APIRouter, services: Services) -> None:
    """The route that commits."""
    add_route(router, services, "POST", "/api/{kind:repokind}/{namespace}/{name}/commit/{revision:path}", commit, body_limit=MAX_COMMIT)


def commit(call: Call) -> Any:
    """`POST commit/{revision}`. What changes nothing answers with the commit that has it, so that a repeated request is harmless.

    With `?create_pr=1` the commit opens a pull request into the revision instead of going there.
    """
    proposed = call.flag("create_pr")
    repo = call.repo(needed_for(call.revision, proposed))
    lines = _lines(call.body)
    message, parent = _header(next(lines, None))
    answer = {}
    try:
        if proposed:
            opened, done = call.services.pulls.open_with_commit(
                call.actor, repo, map(_change, lines), message, base=call.revision, parent=parent
            )
            made, answer = done.commit, {"pullRequestUrl": discussion_url(call, repo, opened)}
        else:
            made = call.services.files.commit(call.actor, repo, map(_change, lines), message, branch=call.revision, base=parent).commit
    except NothingToCommit as error:
        if proposed:
            raise
        made = str(error.details["head"])
    except EntryNotFound as error:
        # The client looks for the first sentence and adds its own advice.
        raise EntryNotFound(f"A file with this name doesn't exist. {error.message}", hint=error.hint) from error
    url = f"{call.repo_url(call.kind, repo.full_name)}/commit/{made}"
    return {"success": True, "commitOid": made, "commitUrl": url, "hookOutput": "", **answer}


def _lines(body: BinaryIO) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and value of every line.

    Raises:
        InvalidInput: a line is not of that shape. TooLarge: one has more than 88 MiB.
    """
    # The spooled body is unbuffered, and so would be read byte by byte.
    buffered = io.BufferedReader(cast(io.RawIOBase, body), MIB)
    for count in itertools.count(1):
        raw = buffered.readline(MAX_LINE + 1)
        if not raw:
            return
        if len(raw) > MAX_LINE:
            raise TooLarge(f"Line {count} of the commit has more than {MAX_LINE // MIB} MiB.", hint="Upload large files with LFS or Xet.")
        if not raw.strip():
            continue
        try:
            line = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise InvalidInput(f"Line {count} of the commit is not JSON.") from error
        raw = b""  # a line may be as large as the body
        key, value = (line.get("key"), line.get("value")) if isinstance(line, dict) else (None, None)
        if not isinstance(key, str) or not isinstance(value, dict):
            raise InvalidInput(f"Line {count} of the commit has no 'key' and 'value'.")
        yield key, value


def _header(first: tuple[str, dict[str, Any]] | None) -> tuple[str, str | None]:
    """Message, and the commit that the sender has seen as head."""
    if first is None or first[0] != "header":
        raise InvalidInput("A commit begins with a line whose 'key' is 'header'.")
    value = first[1]
    summary, description, parent = (text(value, field) for field in ("summary", "description", "parentCommit"))
    return f"{summary.strip()}\n\n{description.strip()}".strip(), parent or None


def _change(line: tuple[str, dict[str, Any]]) -> FileChange | LfsFile:
    key, value = line
    path = text(value, "path", None)
    if key == "file":
        return FileChange(path, _content(path, value))
    if key == "lfsFile":
        return _lfs_file(path, value)
    if key in {"deletedFile", "deletedFolder", "deletedEntry"}:
        expect = None if key == "deletedEntry" else "file" if key == "deletedFile" else "folder"
        return FileChange(path, delete=True, expect=expect)  # type: ignore[arg-type]
    raise InvalidInput(f"A commit has no '{key[:40]}'.", hint="file, lfsFile, deletedFile or deletedFolder.")


def _content(path: str, value: dict[str, Any]) -> bytes:
    content, encoding = text(value, "content"), text(value, "encoding", "utf-8")
    value.clear()
    if encoding == "utf-8":
        return content.encode()
    if encoding != "base64":
        raise InvalidInput(f"The encoding of '{path}' is not known.", hint="base64 or utf-8")
    try:
        # What `base64.b64decode` does, without its copy.
        return binascii.a2b_base64(content, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"The content of '{path}' is not base64.") from error


def _lfs_file(path: str, value: dict[str, Any]) -> LfsFile:
    oid, algorithm = value.get("oid"), value.get("algo", "sha256")
    if algorithm != "sha256" or not valid_oid(oid):
        raise InvalidInput(f"'{path}' has no sha256.", hint="algo: sha256, oid: 64 lower-case hex digits")
    return LfsFile(path, str(oid), number(value, "size"))

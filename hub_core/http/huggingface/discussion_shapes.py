"""Discussions as `huggingface_hub` reads them (its `community.py`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from hub_core.discussions.views import DiscussionView, EventKind, EventView, PullChanges
from hub_core.errors import DiscussionNotFound
from hub_core.git import FileDiff
from hub_core.git.refnames import HEADS
from hub_core.http.huggingface.shapes import moment, object_id
from hub_core.repos.tables import Repo

_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_ID = re.compile(r"[0-9a-f]{1,24}")
_TYPES = {EventKind.COMMENT: "comment", EventKind.STATUS: "status-change", EventKind.TITLE: "title-change", EventKind.COMMIT: "commit"}


def read_number(said: str) -> int:
    """The number of a discussion in a path.

    Raises:
        DiscussionNotFound: it is none.
    """
    if not _NUMBER.fullmatch(said):
        raise DiscussionNotFound(f"There is no discussion '{said[:20]}'.", hint="Discussions have numbers: 1, 2, 3 ...")
    return int(said)


def read_comment_id(said: str) -> int:
    """The row of a comment in a path; raises like `read_number`."""
    if not _ID.fullmatch(said):
        raise DiscussionNotFound("There is no such comment.", hint="Comments have ids of 24 hex digits.")
    return int(said, 16)


def discussion_shape(repo: Repo, view: DiscussionView) -> dict[str, Any]:
    """A discussion in a list."""
    return {
        "num": view.number, "title": view.title, "status": str(view.status), "isPullRequest": view.is_pull_request,
        "createdAt": moment(view.created_at), "numComments": view.comments, "pinned": False,
        "repo": {"name": repo.full_name, "type": repo.kind}, **_author(view.author),
    }  # fmt: skip


def details_shape(repo: Repo, view: DiscussionView, events: Sequence[EventView]) -> dict[str, Any]:
    """A discussion with what happened in it; what a pull request changes comes by `changes_shape`."""
    found = discussion_shape(repo, view) | {"events": [event_shape(event) for event in events]}
    if not view.is_pull_request:
        return found
    merged = {"mergeCommitId": view.merge_commit} if view.merge_commit else {}
    return found | {"changes": {"base": HEADS + view.base, **merged}, "filesWithConflicts": []}


def changes_shape(changes: PullChanges, diff: bool) -> dict[str, Any]:
    """What a pull request changes."""
    return {"filesWithConflicts": changes.conflicts} | ({"diff": unified(changes.files)} if diff else {})


def event_shape(event: EventView) -> dict[str, Any]:
    """Something that happened."""
    data: dict[str, Any]
    match event.kind:
        case EventKind.COMMENT:
            data = _comment(event)
        case EventKind.STATUS:
            data = {"status": event.text}
        case EventKind.TITLE:
            data = {"from": event.detail, "to": event.text}
        case EventKind.COMMIT:
            data = {"subject": event.text, "oid": event.detail}
    return {"id": object_id(event.id), "type": _TYPES[event.kind], "createdAt": moment(event.at), "data": data, **_author(event.author)}


def _comment(event: EventView) -> dict[str, Any]:
    def text(raw: str, at: Any) -> dict[str, Any]:
        # The text is not rendered here: what people write is shown as they wrote it.
        return {"raw": raw, "html": f"<p>{escape(raw)}</p>" if raw else "", "updatedAt": moment(at), **_author(event.author)}

    latest = "This comment has been hidden" if event.hidden else event.text
    return {
        "edited": event.edited_at is not None,
        "hidden": event.hidden,
        "numEdits": len(event.versions),
        "latest": text(latest, event.edited_at or event.at),
        "history": [text(version.text, version.at) for version in event.versions],
    }


def _author(name: str) -> dict[str, Any]:
    """Left out for people who are deleted: the client shows them so."""
    return {"author": {"name": name, "fullname": name, "type": "user"}} if name else {}


def unified(files: Sequence[FileDiff]) -> str:
    """Differences as `git diff` prints them; long ones are cut."""
    return "".join(_file(item) for item in files)


def _file(item: FileDiff) -> str:
    lines = [f"diff --git a/{item.old_path} b/{item.path}"]
    if item.status == "renamed":
        lines += ["similarity index 100%", f"rename from {item.old_path}", f"rename to {item.path}"]
    elif item.status in ("added", "deleted"):
        lines.append(f"{'new' if item.status == 'added' else 'deleted'} file mode 100644")
    if item.binary:
        old, new = (f"a/{item.old_path}" if item.status != "added" else "/dev/null"), f"b/{item.path}"
        lines.append(f"Binary files {old} and {new if item.status != 'deleted' else '/dev/null'} differ")
    text = "\n".join(lines) + "\n"
    return text + item.patch + ("" if not item.patch or item.patch.endswith("\n") else "\n")

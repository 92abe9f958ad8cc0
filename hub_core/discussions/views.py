"""What services tell of discussions and pull requests."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field

from hub_core.git import CommitInfo, FileDiff


class Status(enum.StrEnum):
    """Where a discussion stands; `draft` and `merged` are for pull requests only."""

    OPEN = "open"
    DRAFT = "draft"
    CLOSED = "closed"
    MERGED = "merged"


UNSETTLED = (Status.OPEN, Status.DRAFT)


class ThreadKind(enum.StrEnum):
    """A discussion, or a pull request."""

    DISCUSSION = "discussion"
    PULL_REQUEST = "pull_request"


class EventKind(enum.StrEnum):
    """What can happen in a discussion; see `DiscussionEvent` for what each holds."""

    COMMENT = "comment"
    STATUS = "status"
    TITLE = "title"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class DiscussionView:
    """A discussion or pull request. `author` is empty for the hub itself; `id` is one for all repos, `number` the repo's own."""

    id: int
    repo_id: int
    number: int
    title: str
    is_pull_request: bool
    status: Status
    author: str
    created_at: dt.datetime
    updated_at: dt.datetime
    comments: int
    base: str = ""
    branch: str = ""
    merge_commit: str = ""

    @property
    def ref(self) -> str:
        """Where the commits of a pull request are."""
        return f"refs/pr/{self.number}"

    @property
    def is_unsettled(self) -> bool:
        """Whether it is neither closed nor merged."""
        return self.status in UNSETTLED


@dataclass(frozen=True, slots=True)
class Version:
    """A text that a comment had, since when."""

    at: dt.datetime
    text: str


@dataclass(frozen=True, slots=True)
class EventView:
    """Something that happened. `text` and `detail` as in the table; `versions` are the earlier texts of a comment, oldest first."""

    id: int
    kind: EventKind
    author: str
    at: dt.datetime
    text: str = ""
    detail: str = ""
    hidden: bool = False
    edited_at: dt.datetime | None = None
    versions: tuple[Version, ...] = ()


@dataclass(frozen=True, slots=True)
class DiscussionPage:
    """Discussions, the newest first; `count` is how many fit in all, `more` whether older ones follow."""

    items: list[DiscussionView]
    count: int
    more: bool


@dataclass(frozen=True, slots=True)
class DiscussionThread:
    """A discussion with what happened in it, in order; of very many events the newest."""

    discussion: DiscussionView
    events: list[EventView]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class PullChanges:
    """What a pull request brings: against `base`, the commit where it left its branch (None: nothing in common).

    `conflicts` are paths that the branch has changed otherwise meanwhile. `truncated` tells that more files differ than are compared.
    """

    base: str | None
    head: str
    commits: list[CommitInfo] = field(default_factory=list)
    files: list[FileDiff] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    truncated: bool = False

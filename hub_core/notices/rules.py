"""Who is told of what: the one table, and the audiences it names."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.tables import Membership, User
from hub_core.audit import AuditEvent
from hub_core.authz import Role
from hub_core.discussions.tables import Discussion, DiscussionEvent
from hub_core.jobs.acting import reader_for
from hub_core.repos.access import access, live_orgs
from hub_core.repos.social import WatchLevel
from hub_core.repos.tables import Collaborator, Repo, Watch

MAX_MENTIONS = 50
# Chinese and Japanese put no space around a name.
_MENTION = re.compile(r"(?<![A-Za-z0-9_@/.-])@([A-Za-z0-9](?:[A-Za-z0-9_-]{0,37}[A-Za-z0-9])?)(?![A-Za-z0-9_@/-])")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)


class Reason(enum.StrEnum):
    """Why a person is told; of several the first in this order."""

    MENTION = "mention"
    ADDRESSED = "addressed"  # it is about them: their request, their job, their role, their webhook
    ADMIN = "admin"
    PARTICIPANT = "participant"
    OWNER = "owner"
    WATCHING = "watching"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, and the repo it is about."""

    session: Session
    event: AuditEvent
    repo: Repo | None

    @property
    def number(self) -> int | None:
        """The number of the discussion, if it is about one."""
        return self.event.details.get("number")


Audience = Callable[[Happened], Iterable[int]]
"""Ids of users; who is gone, did it themselves, or may not read the repo is taken out afterwards."""


def watchers(what: Happened) -> Iterable[int]:
    """Who watches everything in the repo."""
    return _ids(what, sa.select(Watch.user_id).where(Watch.repo_id == _repo(what).id, Watch.level == str(WatchLevel.ALL)))


def owners(what: Happened) -> Iterable[int]:
    """The user whose repo it is; in an organisation who made it."""
    repo = _repo(what)
    owner = what.session.get(User, repo.namespace_id)
    return [owner.id] if owner else [repo.created_by] if repo.created_by else []


def admins(what: Happened) -> Iterable[int]:
    """Who administers the repo by a role there, not as an administrator of the site."""
    repo = _repo(what)
    members = sa.select(Membership.user_id).where(
        Membership.org_id == repo.namespace_id, Membership.role == str(Role.ADMIN), Membership.org_id.in_(live_orgs())
    )
    granted = sa.select(Collaborator.user_id).where(Collaborator.repo_id == repo.id, Collaborator.role == str(Role.ADMIN))
    candidates = {*owners(what), *_ids(what, members), *_ids(what, granted)}
    users = what.session.scalars(sa.select(User).where(User.id.in_(candidates)))
    return [user.id for user in users if access(what.session, reader_for(user), repo).role is Role.ADMIN]


def participants(what: Happened) -> Iterable[int]:
    """Who opened the discussion or did something in it."""
    row = _discussion(what)
    if row is None:
        return []
    spoke = _ids(what, sa.select(DiscussionEvent.author_id).where(DiscussionEvent.discussion_id == row.id).distinct())
    return [user_id for user_id in (row.author_id, *spoke) if user_id is not None]


def mentioned(what: Happened) -> Iterable[int]:
    """Whom the new text names with an @."""
    row = _discussion(what)
    comment = what.event.details.get("comment")
    query = sa.select(DiscussionEvent).where(DiscussionEvent.kind == "comment", DiscussionEvent.discussion_id == (row.id if row else 0))
    query = query.where(DiscussionEvent.id == comment) if comment else query.order_by(DiscussionEvent.id)
    said = what.session.scalar(query.limit(1))
    names = names_in(f"{said.text if said and not said.hidden else ''}\n{what.event.details.get('title', '')}")
    return _ids(what, sa.select(User.id).where(User.username.in_(names)))


def addressed(what: Happened) -> Iterable[int]:
    """The person that the event names as `user`, or whose thing it is by `owner`; several by their ids as `users`."""
    name, owner = what.event.details.get("user"), what.event.details.get("owner")
    found = list(_ids(what, sa.select(User.id).where(User.username == name))) if name else []
    return found + ([int(owner)] if owner else []) + [int(one) for one in what.event.details.get("users", [])]


AUDIENCES: dict[Reason, Audience] = {
    Reason.MENTION: mentioned, Reason.ADDRESSED: addressed, Reason.ADMIN: admins, Reason.PARTICIPANT: participants, Reason.OWNER: owners,
    Reason.WATCHING: watchers,
}  # fmt: skip

_TALK = (Reason.MENTION, Reason.PARTICIPANT, Reason.OWNER, Reason.WATCHING)
RULES: dict[str, tuple[Reason, ...]] = {
    "branch.create": (Reason.WATCHING,), "branch.update": (Reason.WATCHING,), "branch.delete": (Reason.WATCHING,), "tag.create": (Reason.WATCHING,),
    "repo.visibility": (Reason.OWNER, Reason.WATCHING), "repo.move": (Reason.OWNER, Reason.WATCHING), "repo.delete": (Reason.OWNER, Reason.WATCHING),
    "repo.grant": (Reason.ADDRESSED,),
    "discussion.open": _TALK, "pull_request.open": _TALK, "discussion.comment": _TALK,
    "discussion.status": (Reason.PARTICIPANT, Reason.WATCHING), "pull_request.merge": (Reason.PARTICIPANT, Reason.OWNER, Reason.WATCHING),
    "pull_request.update": (Reason.PARTICIPANT, Reason.WATCHING),
    "access.request": (Reason.ADMIN,), "access.accept": (Reason.ADDRESSED,), "access.reject": (Reason.ADDRESSED,),
    "job.succeed": (Reason.ADDRESSED,), "job.fail": (Reason.ADDRESSED,), "webhook.disable": (Reason.ADDRESSED,),
    "budget.warn": (Reason.ADDRESSED,), "budget.spent": (Reason.ADDRESSED,),
    "scan.found": (Reason.ADMIN,), "scan.token": (Reason.ADDRESSED,),
}  # fmt: skip
"""Audit action -> who is told."""

# Somebody who asked to hear of mentions only still hears of what is about them and needs them.
LOUD = frozenset({Reason.MENTION, Reason.ADDRESSED, Reason.ADMIN})


def names_in(text: str) -> set[str]:
    """The people that a text names with an @, in stored form; not inside code."""
    return {match[1].lower() for match, _ in zip(_MENTION.finditer(_CODE.sub(" ", text)), range(MAX_MENTIONS), strict=False)}


def _repo(what: Happened) -> Repo:
    assert what.repo is not None, f"{what.event.action} without a repo"
    return what.repo


def _discussion(what: Happened) -> Discussion | None:
    here = sa.select(Discussion).where(Discussion.repo_id == _repo(what).id, Discussion.number == what.number)
    return what.session.scalar(here)


def _ids(what: Happened, query: sa.Select[int] | sa.Select[int | None]) -> list[int]:
    return [user_id for user_id in what.session.scalars(query) if user_id is not None]

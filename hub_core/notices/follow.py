"""From an event to the rows of those it concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.tables import User
from hub_core.audit import AuditEvent
from hub_core.jobs.acting import reader_for
from hub_core.notices.rules import AUDIENCES, LOUD, RULES, Happened, Reason
from hub_core.notices.tables import Notice
from hub_core.repos.access import visible
from hub_core.repos.social import WatchLevel
from hub_core.repos.tables import Repo, Watch

if TYPE_CHECKING:
    from hub_core.services import Services

MAX_TOLD = 1000
_KEPT = ("number", "title", "ref", "before", "after", "role", "job", "kind", "findings", "level", "answer", "failures")


def follow(session: Session, services: Services, event: AuditEvent) -> None:  # noqa: ARG001 - every follower has this shape
    """Tell everybody whom the event concerns, but who did it and who may not read the repo."""
    rule = RULES.get(event.action)
    repo = session.get(Repo, event.repo_id) if event.repo_id is not None else None
    if rule is None or (repo is None and rule != (Reason.ADDRESSED,)):
        return
    why: dict[int, Reason] = {}
    for reason in Reason:
        if reason in rule:
            for user_id in AUDIENCES[reason](Happened(session, event, repo)):
                why.setdefault(user_id, reason)
    why.pop(event.actor_id or 0, None)
    people = session.scalars(sa.select(User).where(User.id.in_(why), User.status == "active").order_by(User.id).limit(MAX_TOLD))
    for user in people.all():
        if repo is None or _wants(session, user, repo, why[user.id]):
            _tell(session, user.id, event, repo, why[user.id])


def _wants(session: Session, user: User, repo: Repo, reason: Reason) -> bool:
    watch = session.get(Watch, (repo.id, user.id))
    if watch is not None and watch.level == WatchLevel.MENTIONS and reason not in LOUD:
        return False
    return session.scalar(sa.select(Repo.id).where(Repo.id == repo.id, visible(reader_for(user)))) is not None


def _tell(session: Session, user_id: int, event: AuditEvent, repo: Repo | None, reason: Reason) -> None:
    subject = _subject(event.details)
    same = sa.select(Notice).where(
        Notice.user_id == user_id, Notice.action == event.action, Notice.subject == subject, Notice.read_at.is_(None),
        Notice.repo_id == repo.id if repo else Notice.repo_id.is_(None),
    )  # fmt: skip
    row = session.scalar(same.limit(1)) if subject else None
    if row is None:
        row = Notice(user_id=user_id, repo_id=repo.id if repo else None, action=event.action, subject=subject, reason=str(reason), count=0)
        session.add(row)
    row.count, row.actor, row.at = row.count + 1, event.actor, event.at
    row.title = str(event.details.get("title") or event.target)[:256]
    row.details = {key: event.details[key] for key in _KEPT if event.details.get(key) is not None}
    if reason is Reason.MENTION:
        row.reason = str(reason)


def _subject(details: dict[str, Any]) -> str:
    for key in ("number", "ref", "job", "user"):
        if details.get(key) is not None:
            return f"{key}:{details[key]}"[:400]
    return ""

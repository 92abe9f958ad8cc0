"""What a change of refs means for the repo's row: card facts, lineage, time, audit, and that LFS objects are really there.

One hook for every way refs move: push, commit API, revert, merge.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.authz import Actor, Role
from hub_core.db import Database, utcnow
from hub_core.discussions.refs import check_refs, follow, moves_of
from hub_core.errors import Conflict, PermissionDenied
from hub_core.git import ZERO, RefHook, RefsApply, RefsChange, RefUpdate
from hub_core.git.refnames import HEADS, PULLS
from hub_core.lfs.service import LfsService
from hub_core.repos.access import access
from hub_core.repos.cards import Card, read_card
from hub_core.repos.kinds import KINDS, RepoKind
from hub_core.repos.tables import LineageEdge, Repo, RepoTag
from hub_core.repos.tags import drop_tags


def refs_hook(
    db: Database, lfs: LfsService, actor: Actor, repo: Repo, *, opening: int | None = None, within: RefsApply | None = None
) -> RefHook:
    """The hook to hand to every `GitStore` call that moves refs of `repo` in the name of `actor`.

    Args:
        opening: the number of a pull request that is made by the very move, whose ref may therefore be made.
        within: what else happens in the same transaction, after everything that the hook does itself.
    """

    def before(change: RefsChange) -> RefsApply:
        with db.read() as session:
            check_refs(session, actor, repo, change.updates, opening)
            branch = session.scalar(sa.select(Repo.default_branch).where(Repo.id == repo.id)) or repo.default_branch
            moves = moves_of(session, repo.id, change)
            _check_rewrites(session, actor, repo, change, branch)
            if change.size:
                lfs.quotas.check(session, repo.id, change.size)
        _check_pointers(lfs, repo, change)
        head = next((u.new for u in change.updates if u.name == HEADS + branch and u.new != ZERO), None)
        readme = change.read(head, "README.md") if head and KINDS[RepoKind(repo.kind)].has_card else None
        card = read_card(readme or b"") if head else None

        def inside(session: Session, applied: Sequence[RefUpdate]) -> None:
            row = session.get(Repo, repo.id)
            if row is None:
                return
            if card is not None and any(u.name == HEADS + branch for u in applied):
                apply_card(session, row, card)
            follow(session, actor, row, moves, applied)
            # What happens in a pull request is told as such, and is no change of the repo.
            ours = [update for update in applied if not update.name.startswith(PULLS)]
            row.updated_at = utcnow() if ours else row.updated_at
            facts = [(_action(update), {"ref": update.name, "before": update.old, "after": update.new}) for update in ours]
            audit.record_each(session, actor, row.full_name, row.id, facts)
            if within is not None:
                within(session, applied)
            if change.size:
                lfs.quotas.check(session, repo.id)

        return inside

    return before


def _check_rewrites(session: Session, actor: Actor, repo: Repo, change: RefsChange, branch: str) -> None:
    """What everybody builds on is rewritten by those only who may also delete the repo, whatever the scope of their credential."""
    ours = next((update for update in change.updates if update.name == HEADS + branch), None)
    if ours is None or access(session, actor, repo).role is Role.ADMIN or not change.rewrites(ours):
        return
    raise PermissionDenied(
        f"Rewriting the history of the default branch '{branch}' needs the role admin on the repo.",
        hint="Push to another branch and open a pull request, or ask somebody with the role admin.",
        needed=str(Role.ADMIN),
    )


def _action(update: RefUpdate) -> str:
    noun = "tag" if update.name.startswith("refs/tags/") else "branch"
    return f"{noun}.{'create' if update.old == ZERO else 'delete' if update.new == ZERO else 'update'}"


def _check_pointers(lfs: LfsService, repo: Repo, change: RefsChange) -> None:
    missing = lfs.missing(repo.id, [pointer.oid for pointer in change.pointers])
    if missing:
        raise Conflict(
            f"{len(missing)} LFS object(s) of these commits are not on the hub, for example {sorted(missing)[0][:12]}.",
            hint="Send them first: git lfs push --all origin",
            missing=sorted(missing)[:20],
        )


def apply_card(session: Session, row: Repo, card: Card) -> None:
    """Take over what the card changed since the last time; what people set by hand otherwise stays."""
    before = row.card or {}
    for field in ("license", "description"):
        value = getattr(card, field) or ""
        # A README without front matter says nothing of these.
        if value != before.get(field, "") and (value or card.raw):
            setattr(row, field, value)
    old_tags, new_tags = set(before.get("tags", [])), set(card.hub_tags)
    drop_tags(session, row.id, RepoTag.source == "card", RepoTag.tag.in_(old_tags - new_tags))
    for tag in sorted(new_tags - old_tags):
        session.merge(RepoTag(repo_id=row.id, tag=tag[:96].lower(), source="card"))
    session.execute(sa.delete(LineageEdge).where(LineageEdge.repo_id == row.id, LineageEdge.relation.in_(["base_model", "dataset"])))
    for relation, sources in (("base_model", card.base_models), ("dataset", card.datasets)):
        for source in dict.fromkeys(sources):
            session.add(LineageEdge(repo_id=row.id, relation=relation, source=source[:200]))
    row.card = {
        "front_matter": card.raw, "license": card.license or "", "description": card.description or "",
        "tags": sorted(tag[:96].lower() for tag in new_tags), "warnings": list(card.warnings),
    }  # fmt: skip

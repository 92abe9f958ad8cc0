"""Refs and the register of packs in the database: reading a consistent state, and moving refs in one transaction."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.db import Database, utcnow
from hub_core.errors import RepoNotFound
from hub_core.git.refnames import HEADS, RefNames, valid_ref
from hub_core.git.tables import GitPack, GitRef
from hub_core.git.types import ZERO, RefResult, RefsApply, RefUpdate, RepoState
from hub_core.repos.tables import Repo

_MAX_STATES = 2048
# What every read and every push asks: built once, compiled once.
_OF: sa.BindParameter[int] = sa.bindparam("repo_id")
_HEAD = sa.select(Repo.refs_version, Repo.default_branch, Repo.created_at, Repo.initial_commit).where(Repo.id == _OF)
_LOCK = sa.select(Repo.default_branch).where(Repo.id == _OF).with_for_update()
_PACKS = sa.select(GitPack.name).where(GitPack.repo_id == _OF, GitPack.retired_at.is_(None)).order_by(GitPack.created_at)
_REFS = sa.select(GitRef.name, GitRef.target, GitRef.peeled).where(GitRef.repo_id == _OF)
_MOVED = sa.update(Repo).where(Repo.id == _OF).values(refs_version=Repo.refs_version + 1).execution_options(synchronize_session=False)


@dataclass(frozen=True, slots=True)
class NewPack:
    """A pack that is in the blob store and not yet in the register."""

    name: str
    size: int
    objects: int


class PacksChangedError(Exception):
    """A pack that the new objects were checked against was retired meanwhile; check again."""


class RefStore:
    """Reads and moves refs. States are cached by the repo's `refs_version`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._states: OrderedDict[int, RepoState] = OrderedDict()
        self._lock = threading.Lock()

    def state(self, repo_id: int) -> RepoState:
        """Refs and packs at the newest version.

        Raises:
            RepoNotFound: no such repo.
        """
        asked = {"repo_id": repo_id}
        with self._db.connection() as connection:
            while True:
                head = _head(connection, repo_id)
                with self._lock:
                    cached = self._states.get(repo_id)
                if cached and (cached.version, cached.default_branch, cached.key, cached.initial) == head:
                    return cached
                version, default_branch, key, initial = head
                names = tuple(connection.execute(_PACKS, asked).scalars())
                rows = connection.execute(_REFS, asked).all()
                # Three queries are one moment only when nobody moved the version in between.
                if _head(connection, repo_id) == head:
                    break
        state = RepoState(
            repo_id=repo_id,
            version=version,
            default_branch=default_branch,
            key=key,
            refs={name: target for name, target, _ in sorted(rows)},
            peeled={name: peeled for name, _, peeled in rows if peeled},
            packs=names,
            initial=initial,
        )
        with self._lock:
            self._states[repo_id] = state
            self._states.move_to_end(repo_id)
            while len(self._states) > _MAX_STATES:
                self._states.popitem(last=False)
        return state

    def publish(
        self,
        repo_id: int,
        updates: Sequence[RefUpdate],
        *,
        atomic: bool,
        peeled: Mapping[str, str],
        base: RepoState | None = None,
        pack: NewPack | None = None,
        apply: RefsApply | None = None,
        session: Session | None = None,
    ) -> list[RefResult]:
        """Move refs, compare-and-set each, in one transaction; with `atomic` all or none.

        `peeled` leads from the ids of annotated tags to commits. `base` is the state that the new objects were checked
        against. `pack` is registered when any ref moves. `apply` runs in the transaction with the updates that were applied.

        Raises:
            PacksChangedError: a pack of `base` was retired since; nothing was changed.
            RepoNotFound: no such repo.
        """
        with self._transaction(session) as tx:
            asked = {"repo_id": repo_id}
            locked = tx.execute(_LOCK, asked).scalar_one_or_none()
            if locked is None:
                raise RepoNotFound("The repo does not exist any more.")
            if base is not None:
                _check_packs(tx, repo_id, base.packs)
            current = {row.name: row.target for row in tx.execute(_REFS, asked)}
            results, applied = _decide(current, updates, locked, atomic)
            if applied:
                _write(tx, repo_id, applied, peeled)
                if pack is not None:
                    register_pack(tx, repo_id, pack)
                if apply is not None:
                    apply(tx, applied)
                tx.execute(_MOVED, asked)
            return results

    @contextmanager
    def _transaction(self, session: Session | None) -> Iterator[Session]:
        if session is not None:
            yield session
            return
        with self._db.write() as own:
            yield own


def _head(connection: sa.Connection, repo_id: int) -> tuple[int, str, str, str]:
    row = connection.execute(_HEAD, {"repo_id": repo_id}).one_or_none()
    if row is None:
        raise RepoNotFound("The repo does not exist.")
    # A database may give the id of a purged repo away again; its creation time keeps their folders apart.
    return row[0], row[1], f"{repo_id}-{row[2]:%Y%m%d%H%M%S%f}", row[3]


def _check_packs(session: Session, repo_id: int, names: Sequence[str]) -> None:
    active = set(session.execute(_PACKS, {"repo_id": repo_id}).scalars())
    if not active.issuperset(names):
        raise PacksChangedError


def register_pack(session: Session, repo_id: int, pack: NewPack) -> None:
    """Add a pack to the register; one that was retired becomes active again."""
    row = session.get(GitPack, (repo_id, pack.name))
    if row is None:
        session.add(GitPack(repo_id=repo_id, name=pack.name, size=pack.size, objects=pack.objects, created_at=utcnow()))
    else:
        row.retired_at = None
    session.flush()


def _decide(
    current: Mapping[str, str], updates: Sequence[RefUpdate], default_branch: str, atomic: bool
) -> tuple[list[RefResult], list[RefUpdate]]:
    gone = {update.name for update in updates if update.new == ZERO and not _refusal(current, None, update, default_branch)}
    # Deletions come first, so that `a` can make room for `a/b` in one push.
    names = RefNames(current.keys() - gone)
    results: list[RefResult] = []
    applied: list[RefUpdate] = []
    for update in updates:
        reason = _refusal(current, names, update, default_branch)
        results.append(RefResult(update.name, not reason, reason))
        if reason:
            continue
        applied.append(update)
        if update.old == ZERO:
            names.add(update.name)
    if atomic and any(not result.ok for result in results):
        return [RefResult(r.name, False, r.reason or "atomic push failed") for r in results], []
    return results, applied


def _refusal(current: Mapping[str, str], names: RefNames | None, update: RefUpdate, default_branch: str) -> str:
    if not valid_ref(update.name):
        return "this is not a valid ref name"
    if current.get(update.name, ZERO) != update.old:
        return "somebody else updated this ref first; fetch and try again"
    if update.new == ZERO:
        if update.old == ZERO:
            return "there is no such ref"
        return "the default branch cannot be deleted" if update.name == HEADS + default_branch else ""
    other = names.clash(update.name) if names and update.old == ZERO else None
    return f"the ref {other} is in the way" if other else ""


def _write(session: Session, repo_id: int, updates: Sequence[RefUpdate], peeled: Mapping[str, str]) -> None:
    gone = [update.name for update in updates if update.new == ZERO]
    for first in range(0, len(gone), 500):
        session.execute(sa.delete(GitRef).where(GitRef.repo_id == repo_id, GitRef.name.in_(gone[first : first + 500])))
    # The row of the repo is locked, and what the refs are was compared under that lock.
    for statement, made in ((sa.insert(GitRef), True), (sa.update(GitRef), False)):
        rows = [
            {"repo_id": repo_id, "name": update.name, "target": update.new, "peeled": peeled.get(update.new, "")}
            for update in updates
            if update.new != ZERO and (update.old == ZERO) is made
        ]
        if rows:
            session.execute(statement, rows)


def first_failure(results: Sequence[RefResult]) -> RefResult | None:
    """The first update that was refused."""
    return next((result for result in results if not result.ok), None)

"""Scanning the newest commit of a repo's default branch. What has not changed since the last scan is not read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts.credentials import digest, looks_mistyped
from hub_core.accounts.tables import Token, User
from hub_core.authz import SYSTEM
from hub_core.db import utcnow
from hub_core.errors import EntryNotFound, NotFound, RepoNotFound, TooLarge
from hub_core.git import TreeEntry
from hub_core.reading import FileReader
from hub_core.repos.files import MAX_GIT, GitReader, Held, LfsReader
from hub_core.repos.tables import Repo
from hub_core.scanning.files import RULES, Finding, findings_in, is_looked_at
from hub_core.scanning.imports import Verdict
from hub_core.scanning.secrets import Secret
from hub_core.scanning.tables import RepoScan, ScanFinding

if TYPE_CHECKING:
    from hub_core.services import Services

Tell = Callable[[float, str], None]
_File = tuple[str, str]  # path and Git id


def targets(services: Services, repo_id: int) -> tuple[str, list[TreeEntry]]:
    """The commit to scan, and its files.

    Raises:
        RevisionNotFound: the repo has no commit.
    """
    commit = services.git.resolve(repo_id)
    files = [entry for entry in services.git.tree(repo_id, commit, recursive=True) if entry.kind == "file" and not entry.is_symlink]
    return commit, files


def scan(services: Services, repo_id: int, tell: Tell, *, anew: bool = False) -> None:
    """Scan the newest commit and keep what was found; with `anew` also where that was done before.

    Raises:
        NotFound: the repo is gone, or has no commit.
    """
    commit, files = targets(services, repo_id)
    with services.db.read() as session:
        last = session.get(RepoScan, repo_id)
        old = session.scalars(sa.select(ScanFinding).where(ScanFinding.repo_id == repo_id)).all()
    if last is not None and last.commit == commit and last.rules == RULES and not anew:
        return
    known = _known(services, repo_id, last) if last is not None and last.rules == RULES and not anew else frozenset()
    found: dict[_File, list[Finding]] = {(entry.path, entry.sha): [] for entry in files}
    for row in old:
        if (row.path, row.blob) in known & found.keys():
            found[row.path, row.blob].append(Finding(row.kind, row.level, row.rule, row.detail, row.line))
    looker, skipped = _Looker(services, repo_id), 0
    for number, entry in enumerate(files):
        tell(number / len(files), entry.path)
        if not is_looked_at(entry.path, entry.size):
            skipped += 1
        elif (entry.path, entry.sha) not in known:
            found[entry.path, entry.sha] = looker.look(entry)
    with services.db.write() as session:
        _keep(session, repo_id, commit, found, skipped, {_identity(row.path, row.rule, row.detail) for row in old})


def _known(services: Services, repo_id: int, last: RepoScan) -> frozenset[_File]:
    """The files that the last scan has seen as they are."""
    try:
        return frozenset((entry.path, entry.sha) for entry in services.git.tree(repo_id, last.commit, recursive=True))
    except NotFound:
        return frozenset()  # a forced push took that commit away


class _Looker:
    """Reads files of one repo and looks through them."""

    def __init__(self, services: Services, repo_id: int) -> None:
        self._services, self._repo_id, self._held = services, repo_id, Held()

    def look(self, entry: TreeEntry) -> list[Finding]:
        try:
            return findings_in(self._reader(entry), self._level)
        except (EntryNotFound, TooLarge):
            return [Finding("pickle", str(Verdict.SUSPICIOUS), "unreadable", "")]

    def _reader(self, entry: TreeEntry) -> FileReader:
        if entry.lfs is None:
            if entry.size > MAX_GIT:
                raise TooLarge("The file is too large.")
            return GitReader(self._services.git, self._repo_id, entry.sha, entry.size, entry.path, self._held)
        if self._services.lfs.has(self._repo_id, entry.lfs.oid) is None:
            raise EntryNotFound("The LFS object was never uploaded.")
        return LfsReader(self._services.lfs, self._repo_id, entry.lfs.oid, entry.lfs.size, entry.path)

    def _level(self, secret: Secret) -> str | None:
        if secret.kind != "hubtalk token":
            return str(Verdict.UNSAFE)
        value = secret.value.decode("ascii")
        if looks_mistyped(value):
            return None
        with self._services.db.write() as session:
            row = session.execute(
                sa.select(Token, User).join(User, User.id == Token.user_id).where(Token.digest == digest(value))
            ).one_or_none()
            if row is None:
                return str(Verdict.SUSPICIOUS)  # of another hub, or revoked
            token, user = row
            # Whose token it is need not be who may read the repo, so the repo is not named.
            audit.record(session, SYSTEM, "scan.token", f"{user.username}/{token.name}", owner=user.id, title=token.name)
        return str(Verdict.UNSAFE)


def _keep(
    session: Session, repo_id: int, commit: str, found: dict[_File, list[Finding]], skipped: int, before: set[tuple[str, ...]]
) -> None:
    repo = session.get(Repo, repo_id, with_for_update=True)
    if repo is None:
        raise RepoNotFound("The repo is gone.")
    session.execute(sa.delete(ScanFinding).where(ScanFinding.repo_id == repo_id))
    now = utcnow()
    rows = [
        ScanFinding(repo_id=repo_id, path=path, blob=blob, found_at=now, **asdict(finding))
        for (path, blob), findings in found.items()
        for finding in findings
    ]
    session.add_all(rows)
    levels = {row.level for row in rows}
    level = next((str(v) for v in (Verdict.UNSAFE, Verdict.SUSPICIOUS) if str(v) in levels), str(Verdict.SAFE))
    session.merge(RepoScan(repo_id=repo_id, commit=commit, rules=RULES, level=level, files=len(found), skipped=skipped, scanned_at=now))
    new = [row for row in rows if _identity(row.path, row.rule, row.detail) not in before]
    if new:
        details: dict[str, Any] = {"findings": len(new), "level": level, "commit": commit, "title": new[0].path}
        audit.record(session, SYSTEM, "scan.found", repo.full_name, repo_id=repo_id, **details)


def _identity(path: str, rule: str, detail: str) -> tuple[str, ...]:
    return path, rule, detail

"""A hub on both databases with a public repo of Ann's, and people with different rights on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hub_core.audit import AuditEvent
from hub_core.authz import Actor, Role, Visibility
from hub_core.git import FileChange
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_user

TEXT = "one\ntwo\nthree\nfour\nfive\n"


@dataclass
class Forum:
    """`ann` owns the repo, `will` writes to it, `rita` and `stan` only see it."""

    services: Services
    people: dict[str, Actor] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Actor:
        """A person by name."""
        try:
            return self.people[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def repo(self) -> Repo:
        """The repo as it is now."""
        return self.services.repos.find(self.people["ann"], "ann/thing")

    def commit(self, files: dict[str, str | None], branch: str = "main", who: str = "ann", message: str = "Change files") -> str:
        """A commit; None deletes a file."""
        changes = [FileChange(path, None if text is None else text.encode(), delete=text is None) for path, text in files.items()]
        return self.services.files.commit(self.people[who], self.repo, changes, message, branch=branch).commit

    def read(self, path: str, revision: str = "") -> str:
        """The text of a file."""
        return self.services.files.read_text(self.people["ann"], self.repo, path, revision).content

    def refs(self) -> dict[str, str]:
        """Refs and where they are."""
        return self.services.git.refs(self.repo.id)

    def audited(self, part: str) -> list[tuple[str, str, dict[str, Any]]]:
        """Actor, action and details of events whose action begins so."""
        with self.services.db.read() as session:
            query = sa.select(AuditEvent).where(AuditEvent.action.startswith(part), AuditEvent.repo_id == self.repo.id)
            return [(row.actor, row.action, row.details) for row in session.scalars(query.order_by(AuditEvent.id))]


@pytest.fixture
def open_forum(tmp_path: Path) -> Iterator[Callable[[str], Forum]]:
    """Makes a forum on a database."""
    opened = []

    def make(url: str) -> Forum:
        context = open_services(Settings(data_dir=tmp_path / "data", database_url=url, demo=False))
        services = context.__enter__()
        opened.append(context)
        people = {name: make_user(services.db, name) for name in ("ann", "will", "rita", "stan")}
        forum = Forum(services, {name: actor_for(user) for name, user in people.items()})
        services.repos.create(forum.ann, "ann/thing", RepoKind.MODEL, Visibility.PUBLIC)
        services.access.grant(forum.ann, forum.repo, "will", Role.WRITE)
        forum.commit({"a.txt": TEXT}, message="Add a text")
        return forum

    yield make
    for context in opened:
        context.__exit__(None, None, None)


@pytest.fixture
def forum(open_forum: Callable[[str], Forum], db_url: str) -> Forum:
    """A forum, once on each database."""
    return open_forum(db_url)


@pytest.fixture
def small_forum(open_forum: Callable[[str], Forum], sqlite_url: str) -> Forum:
    """A forum on SQLite, for what is not about the data layer."""
    return open_forum(sqlite_url)

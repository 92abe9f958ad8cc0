"""The hub as a flat map from path to value, so that two moments can be compared. The paths are in evals/README.md."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from evals.community import collection_prefix, community_state
from evals.running import running_state
from hub_core.accounts.tables import Membership, Org, SshKey, Token, User
from hub_core.bridges.tables import BridgeLink
from hub_core.collections.tables import Collection
from hub_core.git.tables import GitRef
from hub_core.repos.tables import Collaborator, Like, Repo, RepoTag, Watch
from hub_core.services import Services

HEADS, TAGS = "refs/heads/", "refs/tags/"


@dataclass(frozen=True)
class State:
    """One moment. `ids` gives the id of the repo behind a prefix like `repos/model:acme/support-7b`: it survives renames; `collections` likewise."""

    values: dict[str, Any]
    ids: dict[str, int] = field(default_factory=dict)
    collections: dict[str, int] = field(default_factory=dict)

    def differences(self, later: State) -> dict[str, tuple[Any, Any]]:
        """What differs, as (before, after); None stands for absent."""
        keys = self.values.keys() | later.values.keys()
        pairs = {key: (self.values.get(key), later.values.get(key)) for key in keys}
        return {key: pair for key, pair in sorted(pairs.items()) if pair[0] != pair[1]}


class Dumper:
    """Dumps hubs. Trees and texts are remembered by their Git id, so that later dumps only read what is new."""

    def __init__(self) -> None:
        self._trees: dict[str, dict[str, str]] = {}
        self._texts: dict[str, str] = {}

    def dump(self, services: Services) -> State:
        """The hub as it is now."""
        values: dict[str, Any] = {}
        ids: dict[str, int] = {}
        with services.db.read() as session:
            names = {row.id: row.username for row in session.scalars(sa.select(User))}
            values.update(_people(session, names))
            repos = list(session.scalars(sa.select(Repo).order_by(Repo.id)))
            live = {_prefix(repo) for repo in repos if repo.deleted_at is None}
            for repo in repos:
                prefix = _prefix(repo)
                if repo.deleted_at is not None and prefix in live:
                    prefix += f"~{repo.id}"  # its name was taken by another one
                ids[prefix] = repo.id
                values.update(_facts(repo, prefix))
            prefixes = {repo_id: prefix for prefix, repo_id in ids.items()}
            values.update(_marks(session, prefixes, names))
            values.update(community_state(session, prefixes))
            values.update(running_state(session, prefixes))
            collections = {collection_prefix(row): row.id for row in session.scalars(sa.select(Collection))}
            refs = [(ref.repo_id, ref.name, ref.target) for ref in session.scalars(sa.select(GitRef))]
        for repo_id, name, target in refs:
            prefix = prefixes[repo_id]
            if name.startswith(TAGS):
                values[f"{prefix}/git_tags/{name.removeprefix(TAGS)}"] = True
            elif name.startswith(HEADS):
                branch = name.removeprefix(HEADS)
                values[f"{prefix}/branches/{branch}"] = True
                for path, text in self._files(services, repo_id, target).items():
                    values[f"{prefix}/files/{branch}/{path}"] = text
        return State(values, ids, collections)

    def _files(self, services: Services, repo_id: int, commit: str) -> dict[str, str]:
        known = self._trees.get(commit)
        if known is None:
            entries = services.git.tree(repo_id, commit, "", True)
            known = self._trees[commit] = {
                entry.path: f"sha256:{entry.lfs.oid}" if entry.lfs else self._text(services, repo_id, entry.sha)
                for entry in entries
                if entry.kind == "file"
            }
        return known

    def _text(self, services: Services, repo_id: int, sha: str) -> str:
        if sha not in self._texts:
            data = services.git.blob(repo_id, sha)
            try:
                self._texts[sha] = data.decode()
            except UnicodeDecodeError:
                self._texts[sha] = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return self._texts[sha]


def _prefix(repo: Repo) -> str:
    return f"repos/{repo.kind}:{repo.full_name}"


def _facts(repo: Repo, prefix: str) -> Iterator[tuple[str, Any]]:
    for name in ("visibility", "description", "license", "default_branch"):
        yield f"{prefix}/{name}", getattr(repo, name)
    yield f"{prefix}/deleted", repo.deleted_at is not None


def _marks(session: Session, prefixes: dict[int, str], names: dict[int, str]) -> Iterator[tuple[str, Any]]:
    for tag in session.scalars(sa.select(RepoTag)):
        yield f"{prefixes[tag.repo_id]}/tags/{tag.tag}", True
    for person in session.scalars(sa.select(Collaborator)):
        yield f"{prefixes[person.repo_id]}/collaborators/{names[person.user_id]}", person.role
    for like in session.scalars(sa.select(Like)):
        yield f"{prefixes[like.repo_id]}/likes/{names[like.user_id]}", True
    for watch in session.scalars(sa.select(Watch)):
        yield f"{prefixes[watch.repo_id]}/watches/{names[watch.user_id]}", watch.level


def _people(session: Session, names: dict[int, str]) -> Iterator[tuple[str, Any]]:
    for user in session.scalars(sa.select(User).where(User.status != "deleted")):
        prefix = f"users/{user.username}"
        yield f"{prefix}/status", user.status
        yield f"{prefix}/email", user.email
        yield f"{prefix}/password", hashlib.sha256(user.password_hash.encode()).hexdigest()[:12]
        if user.is_admin:
            yield f"{prefix}/site_admin", True
        for key, value in (user.preferences or {}).items():
            yield f"{prefix}/preferences/{key}", value
    orgs = {org.id: org.name for org in session.scalars(sa.select(Org).where(Org.deleted_at.is_(None)))}
    for name in orgs.values():
        yield f"orgs/{name}/exists", True
    for member in session.scalars(sa.select(Membership)):
        if member.org_id in orgs:
            yield f"orgs/{orgs[member.org_id]}/members/{names[member.user_id]}", member.role
    for token in session.scalars(sa.select(Token)):
        yield f"tokens/{names[token.user_id]}/{token.name}/scope", token.scope
    for ssh_key in session.scalars(sa.select(SshKey)):
        yield f"ssh_keys/{names[ssh_key.user_id]}/{ssh_key.title}", True
    for link in session.scalars(sa.select(BridgeLink).where(BridgeLink.user_id.is_not(None))):
        yield f"chats/{names[link.user_id or 0]}/{link.platform}", link.name

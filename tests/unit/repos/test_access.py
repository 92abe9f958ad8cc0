"""Who sees and changes what: one table of cases, for single checks and for lists alike."""

from __future__ import annotations

import dataclasses

import pytest
import sqlalchemy as sa

from hub_core.authz import ANONYMOUS, Actor, Permission, Role, Scope, Visibility
from hub_core.db import Database
from hub_core.errors import PermissionDenied, RepoNotFound
from hub_core.repos.access import access, require_repo, roles_of, visible, with_role
from hub_core.repos.tables import Collaborator, Repo
from tests.common.factories import actor_for, make_org, make_repo, make_user


@pytest.fixture
def people(db: Database) -> dict[str, Actor]:
    users = {name: make_user(db, name) for name in ("owner", "writer", "reader", "guest", "stranger")}
    admin = make_user(db, "root", is_admin=True)
    org = make_org(db, "acme", {users["owner"]: Role.ADMIN, users["writer"]: Role.WRITE, users["reader"]: Role.READ})
    for visibility in Visibility:
        make_repo(db, org, f"r-{visibility}", visibility=visibility, collaborators={users["guest"]: Role.READ})
    return {name: actor_for(user) for name, user in users.items()} | {"admin": actor_for(admin), "anonymous": ANONYMOUS}


EXPECTED = {
    "owner": {"private": "admin", "internal": "admin", "public": "admin"},
    "writer": {"private": "write", "internal": "write", "public": "write"},
    "reader": {"private": "read", "internal": "read", "public": "read"},
    "guest": {"private": "read", "internal": "read", "public": "read"},
    "stranger": {"private": None, "internal": "read", "public": "read"},
    "admin": {"private": "admin", "internal": "admin", "public": "admin"},
    "anonymous": {"private": None, "internal": None, "public": "read"},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_single_checks_and_lists_agree(db: Database, people: dict[str, Actor], name: str) -> None:
    actor = people[name]
    with db.read() as session:
        repos = session.scalars(sa.select(Repo)).all()
        roles = {repo.visibility: access(session, actor, repo).role for repo in repos}
        found = session.scalars(sa.select(Repo).where(visible(actor))).all()
        listed = {repo.visibility for repo in found}
        told = roles_of(session, actor, [repo.id for repo in found])
    assert roles == EXPECTED[name]
    assert told == {repo.id: roles[repo.visibility] for repo in found}
    assert listed == {visibility for visibility, role in roles.items() if role}


def test_with_role_does_not_count_visibility(db: Database, people: dict[str, Actor]) -> None:
    with db.read() as session:
        for name, least, count in (
            ("stranger", Role.READ, 0),
            ("guest", Role.READ, 3),
            ("guest", Role.WRITE, 0),
            ("writer", Role.WRITE, 3),
            ("writer", Role.ADMIN, 0),
        ):
            found = session.scalars(sa.select(Repo).where(with_role(people[name], least))).all()
            assert len(found) == count, (name, least)


def test_lists_tell_the_role_on_each_repo_with_one_query(db: Database, people: dict[str, Actor]) -> None:
    writer = people["writer"]
    with db.write() as session:
        repos = {repo.visibility: repo for repo in session.scalars(sa.select(Repo))}
        repos["private"].created_by = writer.user_id
        session.execute(sa.update(Collaborator).where(Collaborator.repo_id == repos["internal"].id).values(role="write"))
    asked: list[str] = []
    sa.event.listen(db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    with db.read() as session:
        by_id = {repo.id: str(repo.visibility) for repo in repos.values()}
        named = {
            name: {by_id[repo_id]: role for repo_id, role in roles_of(session, actor, list(by_id)).items()}
            for name, actor in (
                ("creator", writer),
                ("guest", people["guest"]),
                ("limited", dataclasses.replace(people["owner"], repo_id=repos["private"].id)),
            )
        }
    assert named == {
        "creator": {"private": "admin", "internal": "write", "public": "write"},
        "guest": {"private": "read", "internal": "write", "public": "read"},
        "limited": {"private": "admin", "internal": "read", "public": "read"},
    }
    assert len([text for text in asked if "SELECT" in text]) == 3


def test_hidden_and_absent_repos_give_the_same_error(db: Database, people: dict[str, Actor]) -> None:
    with db.read() as session:
        hidden = session.scalars(sa.select(Repo).where(Repo.visibility == "private")).one()
        with pytest.raises(RepoNotFound) as error:
            require_repo(session, people["stranger"], Permission.REPO_WRITE, hidden, "acme/r-private")
    assert error.value.message == "There is no repo 'acme/r-private' that you can see."


def test_a_seen_repo_says_which_role_is_missing(db: Database, people: dict[str, Actor]) -> None:
    with db.read() as session:
        public = session.scalars(sa.select(Repo).where(Repo.visibility == "public")).one()
        with pytest.raises(PermissionDenied):
            require_repo(session, people["stranger"], Permission.REPO_WRITE, public)


def test_a_read_token_cannot_write_whatever_the_role(db: Database, people: dict[str, Actor]) -> None:
    weak = dataclasses.replace(people["owner"], scope=Scope.READ)
    with db.read() as session:
        repo = session.scalars(sa.select(Repo).where(Repo.visibility == "private")).one()
        assert require_repo(session, weak, Permission.REPO_READ, repo).role is Role.ADMIN
        with pytest.raises(PermissionDenied):
            require_repo(session, weak, Permission.REPO_WRITE, repo)


def test_a_token_for_one_repo_sees_no_other_private_one(db: Database, people: dict[str, Actor]) -> None:
    with db.read() as session:
        repos = {repo.visibility: repo for repo in session.scalars(sa.select(Repo))}
        limited = dataclasses.replace(people["owner"], repo_id=repos["private"].id)
        assert access(session, limited, repos["private"]).role is Role.ADMIN
        assert access(session, limited, repos["internal"]).role is None
        assert access(session, limited, repos["public"]).role is Role.READ
        assert {repo.visibility for repo in session.scalars(sa.select(Repo).where(visible(limited)))} == {"private", "public"}

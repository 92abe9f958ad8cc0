"""Who may read the files of a gated repo: one table of cases, for single checks and for lists alike."""

from __future__ import annotations

import dataclasses

import pytest
import sqlalchemy as sa

from hub_core.authz import ANONYMOUS, Actor, Permission, Role, Visibility
from hub_core.db import Database, utcnow
from hub_core.errors import GatedRepo, GatedSignIn, HubError, RepoNotFound
from hub_core.gating.tables import AccessRequest
from hub_core.repos.access import permission_for, readable, require_repo, visible
from hub_core.repos.tables import Repo
from tests.common.factories import actor_for, make_org, make_repo, make_user

ASKED = ("pending", "accepted", "rejected", "withdrawn")
MEMBERS = {"owner", "writer", "reader", "guest", "admin", "system"}


@pytest.fixture
def people(db: Database) -> dict[str, Actor]:
    """Repos of every visibility with and without a gate; everybody but members asked for the files of all of them, each with another answer."""
    users = {name: make_user(db, name) for name in ("owner", "writer", "reader", "guest", "stranger", "wants-write", *ASKED)}
    org = make_org(db, "acme", {users["owner"]: Role.ADMIN, users["writer"]: Role.WRITE, users["reader"]: Role.READ})
    for visibility in Visibility:
        for gated in ("off", "auto", "manual"):
            repo = make_repo(
                db, org, f"{visibility}-{gated}", visibility=visibility, gated=gated, collaborators={users["guest"]: Role.READ}
            )
            with db.write() as session:
                asked = {**{status: ("read", status) for status in ASKED}, "wants-write": ("write", "accepted")}
                for name, (role, status) in asked.items():
                    session.add(
                        AccessRequest(repo_id=repo.id, user_id=users[name].id, role=role, status=status, requested_at=utcnow(), fields={})
                    )
    admin = make_user(db, "root", is_admin=True)
    return {name: actor_for(user) for name, user in users.items()} | {"admin": actor_for(admin), "anonymous": ANONYMOUS}


def answer(db: Database, actor: Actor, repo: Repo) -> type[HubError] | None:
    """What reading the files of a repo raises."""
    with db.read() as session:
        try:
            require_repo(session, actor, Permission.REPO_FILES, repo)
        except HubError as error:
            return type(error)
    return None


def expected(name: str, repo: Repo) -> type[HubError] | None:
    """The rule, said once more."""
    signed_in = name != "anonymous"
    if name in MEMBERS:
        return None
    if repo.visibility == "private" or (repo.visibility == "internal" and not signed_in):
        return RepoNotFound
    if repo.gated == "off" or name == "accepted":
        return None
    return GatedRepo if signed_in else GatedSignIn


@pytest.mark.parametrize("name", [*sorted(MEMBERS - {"system"}), "stranger", "wants-write", *ASKED, "anonymous"])
def test_single_checks_and_lists_agree(db: Database, people: dict[str, Actor], name: str) -> None:
    with db.read() as session:
        repos = session.scalars(sa.select(Repo)).all()
        listed = set(session.scalars(sa.select(Repo.name).where(readable(people[name]))))
        seen = set(session.scalars(sa.select(Repo.name).where(visible(people[name]))))
    found = {repo.name: answer(db, people[name], repo) for repo in repos}
    assert found == {repo.name: expected(name, repo) for repo in repos}
    assert listed == {name for name, error in found.items() if error is None}
    assert seen == {name for name, error in found.items() if error is not RepoNotFound}


@pytest.mark.parametrize("name", ["owner", "guest", "accepted", "admin"])
def test_a_token_for_one_repo_opens_the_gate_of_no_other(db: Database, people: dict[str, Actor], name: str) -> None:
    with db.read() as session:
        own, other = (session.scalars(sa.select(Repo).where(Repo.name == f"public-{gated}")).one() for gated in ("manual", "auto"))
        limited = dataclasses.replace(people[name], repo_id=own.id)
        listed = set(session.scalars(sa.select(Repo.name).where(readable(limited), Repo.gated != "off")))
    assert answer(db, limited, own) is None
    assert answer(db, limited, other) is GatedRepo
    assert listed == {own.name}


def test_the_refusal_says_how_to_ask_and_how_one_s_request_stands(db: Database, people: dict[str, Actor]) -> None:
    with db.read() as session:
        repo = session.scalars(sa.select(Repo).where(Repo.name == "public-manual")).one()
        said = {}
        for name in ("stranger", "pending", "rejected", "withdrawn"):
            with pytest.raises(GatedRepo) as error:
                require_repo(session, people[name], Permission.REPO_FILES, repo)
            said[name] = (error.value.details["request"], error.value.hint)
            assert "acme/public-manual is gated" in error.value.message
    assert said["stranger"] == (None, "Ask for it: 'request access to acme/public-manual', or POST .../acme/public-manual/ask-access.")
    assert said["pending"] == ("pending", "Your request waits for an answer.")
    assert said["rejected"] == ("rejected", "Your request was rejected; speak to an administrator of the repo.")
    assert said["withdrawn"][0] == "withdrawn"
    assert said["withdrawn"][1].startswith("Ask for it")


def test_without_a_gate_nothing_more_is_asked_of_the_database(db: Database, people: dict[str, Actor]) -> None:
    asked: list[str] = []
    with db.read() as session:
        repos = {repo.name: repo for repo in session.scalars(sa.select(Repo))}
        sa.event.listen(db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
        counts = {}
        for name in ("public-off", "public-manual"):
            for permission in (Permission.REPO_READ, Permission.REPO_FILES):
                asked.clear()
                require_repo(session, people["accepted"], permission, repos[name])
                counts[name, str(permission)] = len([text for text in asked if "SELECT" in text])
    assert counts == {
        ("public-off", "repo:read"): 1,
        ("public-off", "repo:files"): 1,
        ("public-manual", "repo:read"): 1,
        ("public-manual", "repo:files"): 2,
    }


def test_the_card_of_the_default_branch_is_open_and_nothing_else() -> None:
    gated, plain = (Repo(default_branch="main", gated=gated) for gated in ("manual", "off"))
    for revision in ("", "HEAD", "main"):
        assert permission_for(gated, "README.md", revision) is Permission.REPO_READ
    for path, revision in (
        ("README.md", "refs/pr/1"),
        ("README.md", "a" * 40),
        ("readme.md", ""),
        ("docs/README.md", ""),
        ("/README.md", ""),
    ):
        assert permission_for(gated, path, revision) is Permission.REPO_FILES
    assert permission_for(plain, "config.json", "dev") is Permission.REPO_READ

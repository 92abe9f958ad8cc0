"""Variables and secrets of Spaces: who reads, who sets, and that a secret is stored nowhere in clear. On both databases."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub_core.authz import ANONYMOUS, SYSTEM, Actor, Role, Scope, Visibility
from hub_core.db import Base, Database
from hub_core.errors import Conflict, InvalidInput, LimitExceeded, NoSecretKey, NotFound, PermissionDenied, RepoNotFound, Unauthenticated
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.secretbox import SecretBox
from hub_core.settings import Settings
from hub_core.spaces import service as space_service
from hub_core.spaces.runtime import stage_at_rest
from hub_core.spaces.service import Setting, SpaceService
from tests.common.factories import actor_for, make_repo, make_user

SECRET = "hunter2hunter2"


@pytest.fixture
def hub(db: Database, tmp_path: Path) -> SpaceService:
    return SpaceService(db, SecretBox(Settings(data_dir=tmp_path, secret_key="k" * 40)))


@pytest.fixture
def people(db: Database) -> dict[str, Actor]:
    return {name: actor_for(make_user(db, name)) for name in ("owner", "writer", "reader", "stranger")} | {"anonymous": ANONYMOUS}


@pytest.fixture
def space(db: Database, people: dict[str, Actor]) -> Repo:
    return _space(db, people, "demo", RepoKind.SPACE)


def _space(db: Database, people: dict[str, Actor], name: str, kind: RepoKind, visibility: Visibility = Visibility.PRIVATE) -> Repo:
    from hub_core.accounts.tables import User

    with db.read() as session:
        owner, writer, reader = (session.get_one(User, people[who].user_id) for who in ("owner", "writer", "reader"))
    return make_repo(db, owner, name, kind, visibility, {writer: Role.WRITE, reader: Role.READ})


def rows(db: Database) -> str:
    with db.read() as session:
        return repr([tuple(row) for table in Base.metadata.sorted_tables for row in session.execute(sa.select(table))])


def test_a_secret_is_listed_by_name_and_opened_for_the_hub_only(
    db: Database, hub: SpaceService, people: dict[str, Actor], space: Repo
) -> None:
    hub.set(people["writer"], space, [Setting("API_KEY", SECRET, "For the API", True), Setting("MODEL", "acme/support-7b")])
    (secret,), (variable,) = hub.secrets(people["writer"], space), hub.variables(people["reader"], space)
    assert (secret.name, secret.value, secret.description) == ("API_KEY", None, "For the API")
    assert (variable.name, variable.value) == ("MODEL", "acme/support-7b")
    assert hub.environment(SYSTEM, space) == {"API_KEY": SECRET, "MODEL": "acme/support-7b"}
    for name in ("owner", "writer", "stranger"):
        with pytest.raises(PermissionDenied):
            hub.environment(people[name], space)
    assert SECRET not in rows(db)
    assert SECRET not in repr(Setting("API_KEY", SECRET, secret=True))
    assert hub.unreadable() == []


def test_who_reads_and_who_sets(db: Database, hub: SpaceService, people: dict[str, Actor], space: Repo) -> None:
    hub.set(people["owner"], space, [Setting("A", "b"), Setting("KEY", SECRET, secret=True)])
    for act in (
        lambda actor: hub.set(actor, space, [Setting("A", "c")]),
        lambda actor: hub.remove(actor, space, "A", secret=False),
        lambda actor: hub.secrets(actor, space),
        lambda actor: hub.has_secret(actor, space, "KEY"),
    ):
        with pytest.raises(PermissionDenied):
            act(people["reader"])
        with pytest.raises(PermissionDenied):
            act(dataclasses.replace(people["owner"], scope=Scope.READ))
        for name in ("stranger", "anonymous"):
            with pytest.raises(RepoNotFound):
                act(people[name])
    with pytest.raises(RepoNotFound):
        hub.variables(people["stranger"], space)
    shown = _space(db, people, "shown", RepoKind.SPACE, Visibility.PUBLIC)
    hub.set(people["owner"], shown, [Setting("A", "b")])
    assert [view.value for view in hub.variables(ANONYMOUS, shown)] == ["b"]
    with pytest.raises(Unauthenticated):
        hub.secrets(ANONYMOUS, shown)


def test_a_value_is_replaced_and_removed(hub: SpaceService, people: dict[str, Actor], space: Repo) -> None:
    owner = people["owner"]
    for value in ("first", "second"):
        hub.set(owner, space, [Setting("KEY", value, secret=True), Setting("A", value)])
    assert hub.environment(SYSTEM, space) == {"KEY": "second", "A": "second"}
    assert hub.has_secret(owner, space, "KEY")
    hub.remove(owner, space, "KEY", secret=True)
    assert not hub.has_secret(owner, space, "KEY")
    for name, secret in (("KEY", True), ("A", True), ("ABSENT", False), ("x" * 5000, False)):
        with pytest.raises(NotFound):
            hub.remove(owner, space, name, secret=secret)
    hub.remove(owner, space, "A", secret=False)
    assert hub.environment(SYSTEM, space) == {}


def test_a_name_is_a_variable_or_a_secret(hub: SpaceService, people: dict[str, Actor], space: Repo) -> None:
    owner = people["owner"]
    hub.set(owner, space, [Setting("A", "b"), Setting("KEY", SECRET, secret=True)])
    for wrong in (Setting("A", SECRET, secret=True), Setting("KEY", "shown")):
        with pytest.raises(Conflict):
            hub.set(owner, space, [Setting("NEW", "x"), wrong])
    with pytest.raises(Conflict):
        hub.has_secret(owner, space, "A")
    with pytest.raises(InvalidInput):
        hub.set(owner, space, [Setting("B", "x"), Setting("B", "y", secret=True)])
    assert hub.environment(SYSTEM, space) == {"A": "b", "KEY": SECRET}  # all or none


@pytest.mark.parametrize(
    "wrong",
    [
        Setting("", "x"), Setting("1A", "x"), Setting("A B", "x"), Setting("A=B", "x"), Setting("Ä", "x"), Setting("A" * 129, "x"),
        Setting("A", "a\0b"), Setting("A", "\ud800"), Setting("A", "x" * 70_000), Setting("A", "", secret=True), Setting("A", "x", "d" * 2000),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_told_without_its_value(hub: SpaceService, people: dict[str, Actor], space: Repo, wrong: Setting) -> None:
    with pytest.raises(InvalidInput) as refused:
        hub.set(people["owner"], space, [wrong])
    assert not wrong.value or len(wrong.value) < 2 or wrong.value not in refused.value.message
    assert hub.variables(people["owner"], space) == []


def test_only_spaces_have_them_and_not_too_many(
    db: Database, hub: SpaceService, people: dict[str, Actor], space: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput):
        hub.set(people["owner"], _space(db, people, "weights", RepoKind.MODEL), [Setting("A", "b")])
    monkeypatch.setattr(space_service, "MAX_SETTINGS", 1)
    with pytest.raises(LimitExceeded):
        hub.set(people["owner"], space, [Setting("A", "b"), Setting("B", "b")])
    assert hub.variables(people["owner"], space) == []


def test_without_a_key_there_are_variables_only(db: Database, people: dict[str, Actor], space: Repo) -> None:
    hub = SpaceService(db, SecretBox(Settings(database_url="postgresql+psycopg://hub@localhost/hub")))
    hub.set(people["owner"], space, [Setting("A", "b")])
    with pytest.raises(NoSecretKey):
        hub.set(people["owner"], space, [Setting("C", "d"), Setting("KEY", SECRET, secret=True)])
    assert [view.name for view in hub.variables(people["owner"], space)] == ["A"]


def test_secrets_of_another_key_are_found(db: Database, hub: SpaceService, people: dict[str, Actor], space: Repo) -> None:
    hub.set(people["owner"], space, [Setting("KEY", SECRET, secret=True), Setting("A", "b")])
    other = SpaceService(db, SecretBox(Settings(secret_key="o" * 40)))
    assert other.unreadable() == ["owner/demo: KEY"]
    with pytest.raises(NoSecretKey):
        other.environment(SYSTEM, space)
    other.set(people["owner"], space, [Setting("KEY", "new secret", secret=True)])
    assert other.environment(SYSTEM, space)["KEY"] == "new secret"


@pytest.mark.parametrize(
    ("card", "paths", "expected"),
    [
        ({}, {"README.md"}, "NO_APP_FILE"), ({"sdk": "gradio"}, {"app.py"}, "STOPPED"), ({"sdk": "docker"}, {"app.py"}, "NO_APP_FILE"),
        ({"sdk": "docker", "app_file": "x"}, {"Dockerfile"}, "STOPPED"), ({"sdk": "static"}, {"index.html"}, "RUNNING"),
        ({"sdk": "gradio", "app_file": "src/main.py"}, {"src/main.py"}, "STOPPED"), ({"sdk": ["x"], "app_file": 7}, {"app.py"}, "STOPPED"),
    ],
)  # fmt: skip
def test_the_stage_of_what_does_not_run(card: dict[str, object], paths: set[str], expected: str) -> None:
    assert stage_at_rest(card, paths) == expected

"""Passes with which clusters download models: short-lived, for one repo, to read, and for nothing else."""

from __future__ import annotations

import time

import pytest

from hub_core import audit
from hub_core.authz import Actor, Permission
from hub_core.deployments.passes import SECONDS, ModelPasses
from hub_core.errors import HubError, RepoNotFound, Unauthenticated
from hub_core.repos.kinds import RepoKind
from hub_core.services import Services
from tests.common.deploying import add_model
from tests.unit.deployments.test_service import deploy


@pytest.fixture
def passes(hub: Services) -> ModelPasses:
    return ModelPasses(hub.db, hub.blobs)


def holder(hub: Services, secret: str) -> Actor:
    return hub.tokens.authenticate_token(secret, "api")


def test_a_pass_reads_the_files_of_its_model_and_of_no_other(hub: Services, ann: Actor, passes: ModelPasses) -> None:
    repo, other = add_model(hub, ann), add_model(hub, ann, "other")
    found = deploy(hub, ann)
    actor = holder(hub, passes.make(found.deployment.id))
    assert hub.repos.open_repo(actor, RepoKind.MODEL, "ann", "chat", Permission.REPO_FILES).id == repo.id
    with pytest.raises(RepoNotFound):
        hub.repos.open_repo(actor, RepoKind.MODEL, "ann", "other", Permission.REPO_FILES)
    assert other.id != repo.id


def test_a_pass_changes_nothing_and_sees_nothing_else(hub: Services, ann: Actor, passes: ModelPasses) -> None:
    add_model(hub, ann)
    actor = holder(hub, passes.make(deploy(hub, ann).deployment.id))
    for act in (
        lambda: hub.repos.open_repo(actor, RepoKind.MODEL, "ann", "chat", Permission.REPO_WRITE),
        lambda: hub.repos.open_repo(actor, RepoKind.MODEL, "ann", "chat", Permission.REPO_ADMIN),
        lambda: hub.tokens.list_tokens(actor),
        lambda: hub.users.list_users(actor),
        lambda: hub.deployments.find(actor, "ann/chat"),
        lambda: hub.repos.create(actor, "mine", RepoKind.MODEL),
    ):
        with pytest.raises(HubError):
            act()
    assert hub.deployments.list_deployments(actor).items == []


def test_a_pass_ends_with_its_time_and_with_its_deployment(
    hub: Services, ann: Actor, passes: ModelPasses, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    secret = passes.make(found.deployment.id)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + SECONDS + 2)
    with pytest.raises(Unauthenticated, match="has ended"):
        holder(hub, secret)
    monkeypatch.setattr(time, "time", lambda: now)
    holder(hub, secret)
    hub.deployments.delete(ann, found)
    with pytest.raises(Unauthenticated, match="has ended"):
        holder(hub, secret)


@pytest.mark.parametrize("wrong", ["hubpass-", "hubpass-AAAA", "hubpass-é", "hubpass-" + "A" * 200])
def test_what_the_hub_did_not_sign_is_no_pass(hub: Services, wrong: str) -> None:
    with pytest.raises(Unauthenticated):
        holder(hub, wrong)


def test_a_pass_for_another_deployment_cannot_be_made_from_one(hub: Services, ann: Actor, passes: ModelPasses) -> None:
    import base64

    add_model(hub, ann)
    add_model(hub, ann, "other")
    first = deploy(hub, ann).deployment.id
    second = deploy(hub, ann, "other").deployment.id
    raw = passes.make(first).removeprefix("hubpass-")
    text = base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).decode().replace(f"d={first}", f"d={second}")
    with pytest.raises(Unauthenticated):
        holder(hub, "hubpass-" + base64.urlsafe_b64encode(text.encode()).decode().rstrip("="))


def test_a_pass_is_stored_and_told_nowhere(hub: Services, ann: Actor, passes: ModelPasses) -> None:
    add_model(hub, ann)
    secret = passes.make(deploy(hub, ann).deployment.id)
    with hub.db.read() as session:
        told = [str(event.details) for event in session.query(audit.AuditEvent)]
    assert not any(secret in text or "hubpass" in text for text in told)

"""Deployments as people handle them: who may, how they are named, what a change keeps."""

from __future__ import annotations

import pytest

from hub_core.audit import AuditEvent
from hub_core.authz import ANONYMOUS, Actor, Permission, Role, Scope, Visibility
from hub_core.deployments.service import Found
from hub_core.deployments.specs import Asked
from hub_core.errors import AlreadyExists, InvalidInput, PermissionDenied, UnsupportedFormat
from hub_core.git import FileChange
from hub_core.repos.kinds import RepoKind
from hub_core.running_errors import AmbiguousDeployment, DeploymentNotFound, NoRuntime, NoSuchHardware, NothingToRollBack, TooBigForHardware
from hub_core.services import Services
from tests.common.deploying import add_model
from tests.common.factories import actor_for, make_org, make_user


def deploy(hub: Services, actor: Actor, said: str = "chat", name: str | None = None, **asked: object) -> Found:
    repo = hub.repos.find(actor, said, RepoKind.MODEL, permission=Permission.DEPLOYMENT_MANAGE)
    visibility = asked.pop("visibility", Visibility.PRIVATE)
    clean, spec = hub.deployments.plan_deploy(actor, repo, name, Asked(**asked))  # type: ignore[arg-type]
    hub.deployments.deploy(actor, repo, clean, spec, visibility=visibility)  # type: ignore[arg-type]
    return hub.deployments.find(actor, f"{repo.namespace}/{clean}")


def test_a_deployment_takes_what_fits_and_tells_what_it_costs(hub: Services, ann: Actor) -> None:
    add_model(hub, ann)
    view = deploy(hub, ann).view
    assert (view.name, view.repo, view.hardware, view.runtime) == ("ann/chat", "ann/chat", "cpu-small", "fake")
    assert (view.status, view.visibility, view.revision, view.replicas) == ("queued", "private", 1, 1)
    assert (view.price_per_hour, view.currency, view.role) == (0.5, "EUR", "admin")


def test_names_are_taken_once_in_a_namespace(hub: Services, ann: Actor) -> None:
    add_model(hub, ann)
    deploy(hub, ann)
    with pytest.raises(AlreadyExists):
        deploy(hub, ann, name="Chat")
    assert deploy(hub, ann, name="other").view.name == "ann/other"
    with pytest.raises(InvalidInput):
        deploy(hub, ann, name="bob/elsewhere")


def test_a_bare_name_means_ones_own_first_and_asks_where_it_is_not_clear(hub: Services, ann: Actor, bob: Actor) -> None:
    for who in (ann, bob):
        add_model(hub, who)
        deploy(hub, who, visibility=Visibility.INTERNAL)
    assert hub.deployments.find(ann, "chat").view.name == "ann/chat"
    eve = actor_for(make_user(hub.db, "eve"))
    with pytest.raises(AmbiguousDeployment) as asked:
        hub.deployments.find(eve, "chat")
    assert asked.value.details["choices"] == ["ann/chat", "bob/chat"]
    found = hub.deployments.find(eve, "Bob/Chat")
    assert found.view.name == "bob/chat"
    assert hub.deployments.find(eve, str(found.deployment.id)).view.name == "bob/chat"


def test_that_a_model_is_public_lets_nobody_use_what_it_runs_on(hub: Services, ann: Actor, bob: Actor) -> None:
    repo = add_model(hub, ann)
    hub.repos.set_visibility(ann, repo, Visibility.PUBLIC)
    found = deploy(hub, ann)
    for who in (bob, ANONYMOUS):
        with pytest.raises(DeploymentNotFound):
            hub.deployments.find(who, "ann/chat")
        assert hub.deployments.list_deployments(who).items == []
    hub.deployments.set_visibility(ann, found, Visibility.INTERNAL)
    assert hub.deployments.find(bob, "ann/chat").view.role == "read"
    assert [view.name for view in hub.deployments.list_deployments(bob).items] == ["ann/chat"]
    with pytest.raises(DeploymentNotFound):
        hub.deployments.find(ANONYMOUS, "ann/chat")
    hub.deployments.set_visibility(ann, found, Visibility.PUBLIC)
    assert [view.name for view in hub.deployments.list_deployments(ANONYMOUS).items] == ["ann/chat"]
    with pytest.raises(PermissionDenied):
        hub.deployments.stop(bob, found)
    with pytest.raises(PermissionDenied):
        hub.deployments.logs(bob, "ann/chat", 10)


def test_a_role_on_the_model_decides(hub: Services, ann: Actor, bob: Actor) -> None:
    eve = make_user(hub.db, "eve")
    bob_row, ann_row = (hub_user(hub, name) for name in ("bob", "ann"))
    make_org(hub.db, "acme", {ann_row: Role.ADMIN, bob_row: Role.WRITE, eve: Role.READ})
    add_model(hub, ann, "acme/chat")
    found = deploy(hub, bob, "acme/chat")
    reader = actor_for(eve)
    assert hub.deployments.find(reader, "chat").view.role == "read"
    with pytest.raises(PermissionDenied):
        deploy(hub, reader, "acme/chat", "mine")
    with pytest.raises(PermissionDenied):
        hub.deployments.set_visibility(bob, found, Visibility.PUBLIC)
    with pytest.raises(PermissionDenied):
        hub.deployments.stop(actor_for(bob_row, Scope.READ), found)
    assert hub.deployments.stop(bob, found).status == "stopped"


def hub_user(hub: Services, name: str):  # type: ignore[no-untyped-def]
    from hub_core.accounts.lookup import find_user

    with hub.db.read() as session:
        return find_user(session, name)


def test_a_token_for_another_repo_sees_nothing(hub: Services, ann: Actor) -> None:
    add_model(hub, ann)
    other = add_model(hub, ann, "other")
    deploy(hub, ann)
    limited = actor_for(hub_user(hub, "ann"), Scope.WRITE, repo_id=other.id)
    with pytest.raises(DeploymentNotFound):
        hub.deployments.find(limited, "ann/chat")
    assert hub.deployments.list_deployments(limited).items == []


def test_what_is_too_big_is_refused_with_the_estimate_and_what_fits(hub: Services, ann: Actor) -> None:
    repo = add_model(hub, ann)
    sized = gguf_of(300 * 1024 * 1024)
    hub.files.commit(ann, repo, [FileChange("model.gguf", sized)], "More weights")
    with pytest.raises(TooBigForHardware) as refused:
        deploy(hub, ann, hardware="cpu-small")
    assert refused.value.details["needed_bytes"] > 300 * 1024 * 1024
    assert refused.value.details["fits"] == "cpu-medium"
    assert "0.4 GB" in refused.value.message
    assert deploy(hub, ann).view.hardware == "cpu-medium"


def gguf_of(size: int) -> bytes:
    from tests.common.model_files import gguf

    reader = gguf(body=b"\0" * size)
    return reader.read(0, reader.size)


def test_hardware_that_is_not_there_is_refused_with_what_is(hub: Services, ann: Actor) -> None:
    add_model(hub, ann)
    for said in ("a10", "gpu", "quantum"):
        with pytest.raises((NoSuchHardware, NoRuntime)):
            deploy(hub, ann, hardware=said)
    assert deploy(hub, ann, hardware="CPU").view.hardware == "cpu-small"


def test_only_models_with_weights_are_deployed(hub: Services, ann: Actor) -> None:
    hub.repos.create(ann, "empty", RepoKind.MODEL)
    with pytest.raises(UnsupportedFormat):
        deploy(hub, ann, "empty")
    add_model(hub, ann)
    with pytest.raises(NoRuntime):
        deploy(hub, ann, runtime="vllm")
    with pytest.raises(NoRuntime):
        deploy(hub, ann, runtime="never-heard-of")


def test_only_what_the_runtime_names_can_be_set_in_the_environment(hub: Services, ann: Actor) -> None:
    add_model(hub, ann)
    for name in ("LD_PRELOAD", "PYTHONPATH", "PATH", "a b"):
        with pytest.raises(InvalidInput):
            deploy(hub, ann, environment={name: "x"})
    assert deploy(hub, ann, environment={"FAKE_FAIL": ""}).view.environment == {"FAKE_FAIL": ""}


def test_an_update_makes_a_revision_and_a_rollback_makes_the_one_before_again(hub: Services, ann: Actor) -> None:
    repo = add_model(hub, ann)
    found = deploy(hub, ann)
    with pytest.raises(NothingToRollBack):
        hub.deployments.roll_back(ann, found)
    assert hub.deployments.plan_update(ann, found, Asked(hardware="cpu-small")) is None
    hub.files.commit(ann, repo, [FileChange("README.md", b"# more")], "More")
    spec = hub.deployments.plan_update(ann, found, Asked(hardware="cpu-medium"))
    assert spec is not None
    assert spec.commit == found.view.commit  # the branch moved; nobody asked for that
    hub.deployments.roll_out(ann, found, spec)
    newer = hub.deployments.plan_update(ann, hub.deployments.find(ann, "chat"), Asked(revision="main"))
    assert newer is not None
    view = hub.deployments.roll_out(ann, found, newer)
    assert (view.revision, view.hardware, view.commit != found.view.commit) == (3, "cpu-medium", True)
    view = hub.deployments.roll_back(ann, hub.deployments.find(ann, "chat"))
    assert (view.revision, view.hardware, view.commit) == (4, "cpu-medium", found.view.commit)
    view = hub.deployments.roll_back(ann, hub.deployments.find(ann, "chat"))
    assert (view.revision, view.commit) == (5, newer.commit)
    assert [row.number for row in hub.deployments.find(ann, "chat").view.revisions] == [5, 4, 3, 2, 1]


def test_every_change_is_in_the_trail(hub: Services, ann: Actor) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    hub.deployments.scale(ann, found, 2)
    hub.deployments.stop(ann, found)
    hub.deployments.start(ann, found)
    hub.deployments.restart(ann, found)
    hub.deployments.delete(ann, found)
    with hub.db.read() as session:
        actions = [row.action for row in session.query(AuditEvent).order_by(AuditEvent.id) if row.action.startswith("deployment.")]
    assert [action.partition(".")[2] for action in actions] == ["create", "scale", "stop", "start", "restart", "delete"]
    with pytest.raises(DeploymentNotFound):
        hub.deployments.find(ann, "chat")
    assert deploy(hub, ann).view.revision == 1  # the name is free again


def test_numbers_of_copies_have_limits(hub: Services, ann: Actor) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    for replicas in (-1, 33):
        with pytest.raises(InvalidInput):
            hub.deployments.scale(ann, found, replicas)
    asleep = hub.deployments.scale(ann, found, 0)
    assert (asleep.status, asleep.on_demand, asleep.price_per_hour) == ("sleeping", True, 0)
    hub.deployments.wake(found.deployment.id)
    awake = hub.deployments.find(ann, "chat").view
    assert (awake.replicas, awake.on_demand, awake.status) == (1, True, "starting")
    assert hub.deployments.scale(ann, found, 3).on_demand is False

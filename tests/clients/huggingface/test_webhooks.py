"""Webhooks with the real client, and a receiver built of the client's own parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from huggingface_hub import WebhookWatchedItem
from huggingface_hub.errors import HfHubHTTPError

from hub_core.authz import Scope, Visibility
from hub_core.repos.kinds import RepoKind
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub
from tests.common.receiver import SECRET, Receiver, run_receiver
from tests.common.working import work


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver(checks_secret=True) as running:
        yield running


@pytest.fixture
def open_hub(hub: HfHub, monkeypatch: pytest.MonkeyPatch) -> HfHub:
    """The hub with its own machine among the hosts that webhooks may reach."""
    monkeypatch.setattr(hub.services.webhooks, "allowed", frozenset({"127.0.0.1"}))
    work(hub.services)  # what earlier tests left to pass on
    return hub


def watch(kind: str, name: str) -> list[Any]:
    return [WebhookWatchedItem(type=kind, name=name)]  # type: ignore[arg-type]


def test_a_webhook_is_made_read_changed_switched_and_deleted(open_hub: HfHub) -> None:
    api, repo = open_hub.api(), open_hub.repo()
    made = api.create_webhook(
        url="https://ci.example.com/hook", watched=watch("model", repo.full_name), domains=["repo"], secret="s3cret!!"
    )
    assert (made.url, made.domains, made.disabled, made.secret) == ("https://ci.example.com/hook", ["repo"], False, "s3cret!!")
    assert made.watched == watch("model", repo.full_name)
    assert api.get_webhook(made.id) == made
    assert made in api.list_webhooks()
    changed = api.update_webhook(made.id, url="https://ci.example.com/new", watched=watch("org", "lab"), domains=["repo", "discussion"])
    assert (changed.url, changed.watched, changed.secret) == ("https://ci.example.com/new", watch("org", "lab"), "s3cret!!")
    kept = api.update_webhook(made.id, url="https://ci.example.com/kept")
    assert (kept.url, kept.watched, kept.domains) == ("https://ci.example.com/kept", watch("org", "lab"), ["repo", "discussion"])
    assert api.disable_webhook(made.id).disabled
    assert not api.enable_webhook(made.id).disabled
    api.delete_webhook(made.id)
    assert made.id not in {hook.id for hook in api.list_webhooks()}
    with pytest.raises(HfHubHTTPError) as gone:
        api.get_webhook(made.id)
    assert gone.value.response.status_code == 404


def test_a_commit_is_told_with_secret_and_signature(open_hub: HfHub, receiver: Receiver) -> None:
    api, repo = open_hub.api(), open_hub.repo(kind=RepoKind.DATASET)
    work(open_hub.services)
    made = api.create_webhook(url=f"{receiver.url}/hook", watched=watch("dataset", repo.full_name), secret=SECRET)
    commit = api.upload_file(path_or_fileobj=b"a,b\n1,2\n", path_in_repo="a.csv", repo_id=repo.full_name, repo_type="dataset").oid
    work(open_hub.services)
    assert receiver.shapes() == [("update", "repo.content")]
    told = receiver.payloads[0]
    assert (told.repo.type, told.repo.name, told.repo.head_sha, told.repo.private) == ("dataset", repo.full_name, commit, False)
    assert told.webhook.id == made.id
    assert told.updatedRefs is not None
    assert [(ref.ref, ref.newSha) for ref in told.updatedRefs] == [("refs/heads/main", commit)]
    assert told.repo.url.web.endswith(f"/datasets/{repo.full_name}")
    assert receiver.is_signed()
    assert receiver.headers[0]["x-webhook-delivery"]


def test_everything_that_happens_to_an_owners_repos_is_told(open_hub: HfHub, receiver: Receiver) -> None:
    api = open_hub.api()
    api.create_webhook(url=f"{receiver.url}/hook", watched=watch("user", "ann"), domains=["repo"], secret=SECRET)
    api.create_repo("ann/told", private=True)
    api.create_branch("ann/told", branch="dev")
    api.create_tag("ann/told", tag="v1")
    api.delete_branch("ann/told", branch="dev")
    admin = actor_for(open_hub.ann)
    repo = open_hub.services.repos.find(admin, "ann/told")
    open_hub.services.repos.set_visibility(admin, repo, Visibility.PUBLIC)
    open_hub.services.repos.move(admin, repo, "ann/renamed")
    open_hub.services.repos.delete(admin, repo)
    work(open_hub.services)
    assert receiver.shapes() == [
        ("create", "repo"), ("update", "repo.content"), ("update", "repo.content"), ("update", "repo.content"), ("update", "repo.config"),
        ("move", "repo"), ("delete", "repo"),
    ]  # fmt: skip
    moved = receiver.payloads[5]
    assert moved.movedTo is not None
    assert (moved.repo.name, moved.movedTo.name) == ("ann/told", "ann/renamed")
    for hook in api.list_webhooks():
        api.delete_webhook(hook.id)


def test_discussions_are_told_to_who_asked_for_them(open_hub: HfHub, receiver: Receiver) -> None:
    api, repo = open_hub.api(), open_hub.repo()
    work(open_hub.services)
    api.create_webhook(url=f"{receiver.url}/hook", watched=watch("model", repo.full_name), domains=["discussion"], secret=SECRET)
    services, actor = open_hub.services, actor_for(open_hub.ann)
    opened = services.discussions.open(actor, repo, "A question", "What is this?")
    services.discussions.comment(actor, repo, opened.number, "An answer")
    open_hub.commit(repo, {"a.txt": b"a"})
    work(services)
    assert receiver.shapes() == [("create", "discussion"), ("create", "discussion.comment")]
    first, second = receiver.payloads
    assert first.discussion is not None
    assert (first.discussion.num, first.discussion.title, first.discussion.status) == (opened.number, "A question", "open")
    assert second.comment is not None
    assert second.comment.content == "An answer"


def test_nobody_is_told_of_what_they_may_not_read_any_more(open_hub: HfHub, receiver: Receiver) -> None:
    ben, repo = open_hub.api(open_hub.ben_token), open_hub.repo()
    work(open_hub.services)
    ben.create_webhook(url=f"{receiver.url}/hook", watched=watch("model", repo.full_name), secret=SECRET)
    ben.create_webhook(url=f"{receiver.url}/hook", watched=watch("user", "ann"), secret=SECRET)
    open_hub.repo({"a.txt": b"a"}, visibility=Visibility.PRIVATE)
    work(open_hub.services)
    assert receiver.payloads == []
    open_hub.commit(repo, {"a.txt": b"a"})
    open_hub.services.repos.set_visibility(actor_for(open_hub.ann), repo, Visibility.PRIVATE)
    work(open_hub.services)
    assert receiver.payloads == [], "what happened while it was public is not told after it is private"
    with pytest.raises(HfHubHTTPError) as hidden:
        ben.create_webhook(url=f"{receiver.url}/hook", watched=watch("model", repo.full_name))
    assert hidden.value.response.status_code == 404
    for hook in ben.list_webhooks():
        ben.delete_webhook(hook.id)


def test_a_webhook_is_its_owners_own(open_hub: HfHub) -> None:
    made = open_hub.api().create_webhook(url="https://ci.example.com/a", watched=watch("user", "ann"))
    ben = open_hub.api(open_hub.ben_token)
    assert ben.list_webhooks() == []
    for act in (ben.get_webhook, ben.disable_webhook, ben.delete_webhook):
        with pytest.raises(HfHubHTTPError) as hidden:
            act(made.id)
        assert hidden.value.response.status_code == 404
    open_hub.api().delete_webhook(made.id)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://169.254.169.254/latest", "ftp://example.com/x", "nothing"])
def test_addresses_of_the_machine_are_refused_at_once(hub: HfHub, url: str) -> None:
    with pytest.raises(HfHubHTTPError) as refused:
        hub.api().create_webhook(url=url, watched=watch("user", "ann"))
    assert refused.value.response.status_code == 400


def test_a_token_of_one_repo_makes_no_webhook(open_hub: HfHub) -> None:
    repo = open_hub.repo()
    token = open_hub.services.tokens.create(actor_for(open_hub.ann), f"only-{repo.name}", Scope.WRITE, repo=repo.full_name).token
    with pytest.raises(HfHubHTTPError) as refused:
        open_hub.api(token).create_webhook(url="https://ci.example.com/a", watched=watch("model", repo.full_name))
    assert refused.value.response.status_code == 403


def test_secrets_are_stored_sealed(open_hub: HfHub) -> None:
    made = open_hub.api().create_webhook(url="https://ci.example.com/s", watched=watch("user", "ann"), secret="very-secret-text")
    with open_hub.services.db.read() as session:
        rows = session.execute(sa.text("SELECT * FROM webhooks")).all()
        trail = session.execute(sa.text("SELECT * FROM audit_events")).all()
    assert "very-secret-text" not in repr(rows) + repr(trail)
    open_hub.api().delete_webhook(made.id)

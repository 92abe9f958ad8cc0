"""Who is told of what: by watch level, part and role; never of one's own acts, never of what one may not read; on both databases."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from hub_core.accounts.tables import User
from hub_core.authz import Actor, Role, Visibility
from hub_core.discussions.views import Status
from hub_core.git import FileChange
from hub_core.jobs.kinds import JobKind
from hub_core.notices.rules import names_in
from hub_core.repos.kinds import RepoKind
from hub_core.repos.social import WatchLevel
from hub_core.repos.tables import Repo
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_org, make_user
from tests.common.working import add, with_kinds, work
from tools import invoke
from tools.contract import ToolContext


@pytest.fixture
def hub(settings: Settings, db_url: str) -> Iterator[Services]:
    with open_services(dataclasses.replace(settings, database_url=db_url)) as services:
        yield services


@pytest.fixture
def people(hub: Services) -> dict[str, User]:
    return {name: make_user(hub.db, name) for name in ("ann", "ben", "cleo", "dan")}


@pytest.fixture
def repo(hub: Services, people: dict[str, User]) -> Repo:
    ann = actor_for(people["ann"])
    hub.repos.create(ann, "ann/one", RepoKind.MODEL, Visibility.PUBLIC)
    work(hub)
    return hub.repos.find(ann, "ann/one")


def told(hub: Services, user: User) -> list[tuple[str, str]]:
    """Pass everything on; what the person has been told, newest first."""
    work(hub)
    return [(notice.action, notice.reason) for notice in hub.notices.page(actor_for(user), limit=100).items]


def call(hub: Services, actor: Actor, tool: str, **arguments: Any) -> dict[str, Any]:
    done = invoke.call(ToolContext(actor, hub), tool, arguments, gate=False)
    assert isinstance(done, invoke.Done)
    return done.output.model_dump(mode="json")


def commit(hub: Services, user: User, repo: Repo, text: str) -> None:
    hub.files.commit(actor_for(user), repo, [FileChange("a.txt", text.encode())], "Change a file")


def test_who_watches_everything_hears_of_pushes_and_others_do_not(hub: Services, people: dict[str, User], repo: Repo) -> None:
    for name, level in (("ben", WatchLevel.ALL), ("cleo", WatchLevel.MENTIONS)):
        hub.social.watch(actor_for(people[name]), repo, level)
    commit(hub, people["ann"], repo, "1")
    assert told(hub, people["ben"]) == [("branch.update", "watching")]
    assert told(hub, people["cleo"]) == told(hub, people["dan"]) == told(hub, people["ann"]) == []


def test_what_repeats_while_unread_is_one_notice(hub: Services, people: dict[str, User], repo: Repo) -> None:
    hub.social.watch(actor_for(people["ben"]), repo, WatchLevel.ALL)
    for n in range(3):
        commit(hub, people["ann"], repo, str(n))
    work(hub)
    [notice] = hub.notices.page(actor_for(people["ben"])).items
    assert (notice.count, notice.details["ref"], notice.repo, notice.actor) == (3, "refs/heads/main", "ann/one", "ann")
    call(hub, actor_for(people["ben"]), "mark_notifications_read")
    commit(hub, people["ann"], repo, "more")
    work(hub)
    assert [notice.count for notice in hub.notices.page(actor_for(people["ben"])).items] == [1, 3]


def test_a_discussion_concerns_its_owner_its_participants_and_the_named(hub: Services, people: dict[str, User], repo: Repo) -> None:
    ben, cleo, dan = (people[name] for name in ("ben", "cleo", "dan"))
    opened = hub.discussions.open(actor_for(ben), repo, "A question", "What does @Dan think? Not `@cleo`.")
    assert told(hub, people["ann"]) == [("discussion.open", "owner")]
    assert told(hub, dan) == [("discussion.open", "mention")]
    assert told(hub, ben) == told(hub, cleo) == []
    hub.discussions.comment(actor_for(cleo), repo, opened.number, "I think so.")
    assert told(hub, ben) == [("discussion.comment", "participant")]
    hub.discussions.set_status(actor_for(people["ann"]), repo, opened.number, Status.CLOSED)
    assert told(hub, ben)[0] == told(hub, cleo)[0] == ("discussion.status", "participant")
    assert told(hub, dan) == [("discussion.open", "mention")], "being named once is not taking part"


def test_who_asked_for_mentions_only_hears_of_nothing_else(hub: Services, people: dict[str, User], repo: Repo) -> None:
    hub.social.watch(actor_for(people["ann"]), repo, WatchLevel.MENTIONS)
    opened = hub.discussions.open(actor_for(people["ben"]), repo, "Quiet", "Nothing for anybody")
    assert told(hub, people["ann"]) == []
    hub.discussions.comment(actor_for(people["ben"]), repo, opened.number, "Now @ann.")
    assert told(hub, people["ann"]) == [("discussion.comment", "mention")]


def test_nobody_hears_of_what_they_may_not_read(hub: Services, people: dict[str, User], repo: Repo) -> None:
    ben = people["ben"]
    hub.social.watch(actor_for(ben), repo, WatchLevel.ALL)
    commit(hub, people["ann"], repo, "public")
    assert len(told(hub, ben)) == 1
    hub.repos.set_visibility(actor_for(people["ann"]), repo, Visibility.PRIVATE)
    hub.discussions.open(actor_for(people["ann"]), repo, "Secret plans", "@ben must not know")
    commit(hub, people["ann"], repo, "private")
    assert told(hub, ben) == [], "what was told before is not shown either"
    hub.access.grant(actor_for(people["ann"]), repo, "ben", Role.READ)
    assert ("repo.grant", "addressed") in told(hub, ben)


def test_requests_for_access_go_to_administrators_and_answers_to_who_asked(hub: Services, people: dict[str, User]) -> None:
    ann, ben, cleo = (people[name] for name in ("ann", "ben", "cleo"))
    make_org(hub.db, "lab", {ann: Role.ADMIN, cleo: Role.WRITE})
    hub.repos.create(actor_for(ann), "lab/open", RepoKind.MODEL, Visibility.PUBLIC)
    call(hub, actor_for(ben), "request_access", repo="lab/open", reason="For my thesis")
    assert told(hub, ann) == [("access.request", "admin")]
    assert told(hub, cleo) == []
    call(hub, actor_for(ann), "decide_access", repo="lab/open", username="ben", decision="accept")
    assert ("access.accept", "addressed") in told(hub, ben)


def test_who_started_a_job_hears_of_its_end(hub: Services, people: dict[str, User]) -> None:
    def fail(_ctx: object) -> None:
        raise ValueError("no")

    ready = with_kinds(hub, JobKind("test.do", lambda _ctx: {}), JobKind("test.fail", fail, attempts=1))
    add(ready, "test.do", actor=actor_for(people["ann"]))
    add(ready, "test.fail", actor=actor_for(people["ann"]))
    work(ready)
    assert told(ready, people["ann"]) == [("job.fail", "addressed"), ("job.succeed", "addressed")]


def test_marking_read_is_undone_by_its_inverse(hub: Services, people: dict[str, User], repo: Repo) -> None:
    ann, ben = actor_for(people["ann"]), actor_for(people["ben"])
    first = hub.discussions.open(ben, repo, "One", "x")
    hub.discussions.open(ben, repo, "Two", "x")
    work(hub)
    assert call(hub, ann, "list_notifications", unread=True)["unread"] == 2
    done = invoke.call(ToolContext(ann, hub), "mark_notifications_read", {"repo": "ann/one"}, gate=False)
    assert isinstance(done, invoke.Done)
    assert call(hub, ann, "list_notifications", unread=True)["items"] == []
    assert done.plan.inverse is not None
    assert call(hub, ann, done.plan.inverse.tool, **done.plan.inverse.args) == {"marked": 2, "unread": 2}
    assert call(hub, ben, "mark_notifications_read", ids=done.plan.inverse.args["ids"]) == {"marked": 0, "unread": 0}
    assert first.number


def test_lists_go_on_from_page_to_page(hub: Services, people: dict[str, User], repo: Repo) -> None:
    ann = actor_for(people["ann"])
    for n in range(5):
        hub.discussions.open(actor_for(people["ben"]), repo, f"Question {n}", "x")
    work(hub)
    first = call(hub, ann, "list_notifications", limit=3)
    rest = call(hub, ann, "list_notifications", limit=3, cursor=first["next"])
    assert [item["title"] for item in first["items"] + rest["items"]] == [f"Question {n}" for n in (4, 3, 2, 1, 0)]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@ann and @Ben, hello", {"ann", "ben"}),
        ("mail me at a@ann.org or x@ben", set()),
        ("`@ann` and\n```\n@ben\n```\n@cleo", {"cleo"}),
        ("(@ann) @ben.", {"ann", "ben"}),
        ("@@ann @-x @a/b", set()),
        ("谢谢@ann，请看", {"ann"}),
    ],
)
def test_names_in_texts(text: str, names: set[str]) -> None:
    assert names_in(text) == names

"""Discussions as conversations: who says what, who may close, what is kept, on both databases."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub_core.authz import ANONYMOUS, Scope, Visibility
from hub_core.discussions.reading import DiscussionQuery
from hub_core.discussions.texts import MAX_BODY, MAX_TITLE
from hub_core.discussions.views import EventKind, Status, ThreadKind
from hub_core.errors import (
    Conflict,
    DiscussionNotFound,
    InvalidInput,
    PermissionDenied,
    RepoNotFound,
    TooLarge,
    Unauthenticated,
)
from tests.unit.discussions.conftest import Forum


def test_a_conversation_is_kept_in_order_with_its_people(forum: Forum) -> None:
    talks = forum.services.discussions
    made = talks.open(forum.rita, forum.repo, "  Wrong\n licence ", "The card says MIT.")
    assert (made.number, made.title, made.status, made.author, made.is_pull_request) == (1, "Wrong licence", Status.OPEN, "rita", False)
    talks.comment(forum.stan, forum.repo, 1, "It is Apache.")
    talks.rename(forum.rita, forum.repo, 1, "Wrong licence in the card")
    talks.set_status(forum.will, forum.repo, 1, Status.CLOSED, "Done.")
    thread = talks.thread(ANONYMOUS, forum.repo, 1)
    assert [(event.kind, event.author, event.text) for event in thread.events] == [
        (EventKind.COMMENT, "rita", "The card says MIT."),
        (EventKind.COMMENT, "stan", "It is Apache."),
        (EventKind.TITLE, "rita", "Wrong licence in the card"),
        (EventKind.COMMENT, "will", "Done."),
        (EventKind.STATUS, "will", "closed"),
    ]
    assert thread.events[2].detail == "Wrong licence"
    assert (thread.discussion.status, thread.discussion.comments) == (Status.CLOSED, 2)
    talks.comment(forum.stan, forum.repo, 1, "Thanks.")
    talks.set_status(forum.rita, forum.repo, 1, Status.OPEN)
    assert talks.get(forum.ann, forum.repo, 1).status is Status.OPEN


def test_every_act_is_audited_with_number_and_title(forum: Forum) -> None:
    talks = forum.services.discussions
    talks.open(forum.rita, forum.repo, "Question", "Why?")
    comment = talks.comment(forum.stan, forum.repo, 1, "Because.")
    talks.edit(forum.stan, forum.repo, 1, comment.id, "Because of that.")
    talks.hide(forum.will, forum.repo, 1, comment.id)
    talks.rename(forum.ann, forum.repo, 1, "Answered")
    talks.set_status(forum.ann, forum.repo, 1, Status.CLOSED)
    events = forum.audited("discussion.")
    assert [(actor, action) for actor, action, _ in events] == [
        ("rita", "discussion.open"),
        ("stan", "discussion.comment"),
        ("stan", "discussion.edit"),
        ("will", "discussion.hide"),
        ("ann", "discussion.rename"),
        ("ann", "discussion.status"),
    ]
    assert all(details["number"] == 1 for _, _, details in events)
    assert events[0][2] == {"number": 1, "title": "Question"}
    assert events[5][2] == {"number": 1, "title": "Answered", "before": "open", "after": "closed"}
    assert "Because" not in str(events)


def test_numbers_of_people_who_open_at_once_are_different(forum: Forum) -> None:
    def open_one(index: int) -> int:
        if index % 3:
            return forum.services.discussions.open(forum.rita, forum.repo, f"Talk {index}").number
        return forum.services.pulls.open(forum.stan, forum.repo, f"Change {index}").number

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(open_one, range(24)))
    assert sorted(numbers) == list(range(1, 25))


def test_each_repo_counts_for_itself(forum: Forum) -> None:
    other = forum.services.repos.fork(forum.rita, "ann/thing", "rita/mine")
    forum.services.discussions.open(forum.rita, forum.repo, "One")
    mine = forum.services.repos.find(forum.rita, other.id)
    assert forum.services.discussions.open(forum.rita, mine, "One").number == 1
    assert forum.services.discussions.open(forum.rita, forum.repo, "Two").number == 2


def test_only_authors_and_writers_close_and_rename(forum: Forum) -> None:
    talks = forum.services.discussions
    talks.open(forum.rita, forum.repo, "Mine")
    with pytest.raises(PermissionDenied):
        talks.set_status(forum.stan, forum.repo, 1, Status.CLOSED)
    with pytest.raises(PermissionDenied):
        talks.rename(forum.stan, forum.repo, 1, "Yours")
    for who in (forum.rita, forum.will, forum.ann):
        talks.set_status(who, forum.repo, 1, Status.CLOSED)
        with pytest.raises(Conflict, match="closed already"):
            talks.set_status(who, forum.repo, 1, Status.CLOSED)
        talks.set_status(who, forum.repo, 1, Status.OPEN)
    for status in (Status.MERGED, Status.DRAFT):
        with pytest.raises(InvalidInput):
            talks.set_status(forum.ann, forum.repo, 1, status)


def test_a_comment_is_changed_by_its_author_only_and_keeps_what_it_said(forum: Forum) -> None:
    talks = forum.services.discussions
    talks.open(forum.rita, forum.repo, "Question")
    said = talks.comment(forum.rita, forum.repo, 1, "First")
    for other in (forum.ann, forum.stan):
        with pytest.raises(PermissionDenied):
            talks.edit(other, forum.repo, 1, said.id, "Never")
    assert talks.edit(forum.rita, forum.repo, 1, said.id, "First").edited_at is None
    talks.edit(forum.rita, forum.repo, 1, said.id, "Second")
    event = talks.edit(forum.rita, forum.repo, 1, said.id, "Third")
    assert (event.text, [version.text for version in event.versions]) == ("Third", ["First", "Second"])
    assert event.versions[0].at == said.at
    assert event.edited_at is not None


def test_a_hidden_comment_is_gone_with_its_history(forum: Forum) -> None:
    talks = forum.services.discussions
    talks.open(forum.rita, forum.repo, "Question")
    said = talks.comment(forum.rita, forum.repo, 1, "hub_secret_1")
    talks.edit(forum.rita, forum.repo, 1, said.id, "hub_secret_2")
    with pytest.raises(PermissionDenied):
        talks.hide(forum.stan, forum.repo, 1, said.id)
    hidden = talks.hide(forum.rita, forum.repo, 1, said.id)
    assert (hidden.text, hidden.hidden, hidden.versions) == ("", True, ())
    assert talks.hide(forum.ann, forum.repo, 1, said.id).hidden
    with pytest.raises(Conflict):
        talks.edit(forum.rita, forum.repo, 1, said.id, "Again")
    assert "hub_secret" not in str(talks.thread(forum.ann, forum.repo, 1))
    assert talks.comments(forum.ann, forum.repo, 1) == ([], 0)


def test_lists_have_pages_and_filters(forum: Forum) -> None:
    talks, pulls = forum.services.discussions, forum.services.pulls
    for index in range(5):
        talks.open(forum.rita, forum.repo, f"Talk {index}")
    talks.set_status(forum.ann, forum.repo, 2, Status.CLOSED)
    pulls.open(forum.stan, forum.repo, "Change")

    def numbers(**wanted: object) -> list[int]:
        return [item.number for item in talks.page(forum.ann, forum.repo, DiscussionQuery(**wanted)).items]  # type: ignore[arg-type]

    assert numbers() == [6, 5, 4, 3, 2, 1]
    assert numbers(limit=2) == [6, 5]
    assert numbers(limit=2, before=5) == [4, 3]
    assert numbers(skip=4) == [2, 1]
    assert numbers(kind=ThreadKind.PULL_REQUEST) == [6]
    assert numbers(kind=ThreadKind.DISCUSSION, status=Status.OPEN) == [5, 4, 3, 1]
    assert numbers(status=Status.OPEN) == [6, 5, 4, 3, 1]
    assert numbers(status=Status.CLOSED) == [2]
    assert numbers(status=Status.DRAFT) == [6]
    assert numbers(author="@Stan") == [6]
    assert numbers(author="nobody\0") == []
    page = talks.page(forum.ann, forum.repo, DiscussionQuery(limit=2))
    assert (page.count, page.more) == (6, True)


def test_discussions_of_hidden_repos_answer_as_if_they_were_not_there(forum: Forum) -> None:
    talks, repo = forum.services.discussions, forum.repo
    made = talks.open(forum.rita, repo, "Before")
    said = talks.comment(forum.rita, repo, 1, "Here")
    forum.services.repos.set_visibility(forum.ann, repo, Visibility.PRIVATE)
    repo = forum.repo
    acts = [
        lambda: talks.get(forum.rita, repo, 1),
        lambda: talks.thread(forum.rita, repo, 99),
        lambda: talks.page(forum.rita, repo, DiscussionQuery()),
        lambda: talks.open(forum.rita, repo, "After"),
        lambda: talks.comment(forum.rita, repo, 1, "There"),
        lambda: talks.edit(forum.rita, repo, 1, said.id, "There"),
        lambda: talks.hide(forum.rita, repo, 1, said.id),
        lambda: talks.rename(forum.rita, repo, 1, "After"),
        lambda: talks.set_status(forum.rita, repo, 1, Status.CLOSED),
        lambda: forum.services.pulls.open(forum.rita, repo, "After"),
        lambda: forum.services.merges.changes(forum.rita, repo, 1),
    ]
    for act in acts:
        with pytest.raises(RepoNotFound):
            act()
    with pytest.raises(DiscussionNotFound) as hidden:
        talks.locate(forum.rita, made.id)
    with pytest.raises(DiscussionNotFound) as absent:
        talks.locate(forum.rita, made.id + 100)
    assert hidden.value.message == absent.value.message
    assert talks.locate(forum.ann, made.id)[1] == 1
    assert talks.locate_comment(forum.ann, said.id)[1] == 1
    with pytest.raises(DiscussionNotFound):
        talks.locate_comment(forum.rita, said.id)


def test_credentials_that_cannot_write_only_read(forum: Forum) -> None:
    talks = forum.services.discussions
    talks.open(forum.rita, forum.repo, "Mine")
    weak = dataclasses.replace(forum.rita, scope=Scope.READ)
    elsewhere = dataclasses.replace(forum.rita, repo_id=forum.repo.id + 1)
    assert talks.get(weak, forum.repo, 1).title == "Mine"
    for actor in (weak, elsewhere):
        for act in (
            lambda actor=actor: talks.open(actor, forum.repo, "Two"),
            lambda actor=actor: talks.comment(actor, forum.repo, 1, "Two"),
            lambda actor=actor: talks.set_status(actor, forum.repo, 1, Status.CLOSED),
            lambda actor=actor: forum.services.pulls.open(actor, forum.repo, "Two"),
        ):
            with pytest.raises(PermissionDenied):
                act()
    with pytest.raises(Unauthenticated):
        talks.open(ANONYMOUS, forum.repo, "Anonymous")


def test_the_text_of_a_deleted_person_stays_without_the_name(forum: Forum) -> None:
    talks = forum.services.discussions
    talks.open(forum.rita, forum.repo, "Question", "Why?")
    root = dataclasses.replace(forum.ann, is_admin=True)
    forum.services.users.delete(root, "rita")
    thread = talks.thread(forum.ann, forum.repo, 1)
    assert (thread.discussion.author, thread.events[0].author, thread.events[0].text) == ("", "", "Why?")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  a\r\n\tb ", "a b"),
        ("\x1b[31mred\x07", "[31mred"),
        ("safe\u202egpj.exe", "safegpj.exe"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("'; DROP TABLE discussions; --", "'; DROP TABLE discussions; --"),
        ("👩‍👩‍👧 许可证", "👩‍👩‍👧 许可证"),
        ("nul\0here", "nul here"),
        ("half\ud800", "half"),
    ],
)
def test_titles_and_bodies_are_kept_without_what_plays_tricks(small_forum: Forum, given: str, kept: str) -> None:
    talks, repo = small_forum.services.discussions, small_forum.repo
    made = talks.open(small_forum.rita, repo, given, given)
    thread = talks.thread(small_forum.rita, repo, made.number)
    assert thread.discussion.title == kept
    assert not set(thread.events[0].text) & set("\0\x1b\x07\u202e\ud800\r")


@pytest.mark.parametrize("title", ["", "  ", "\0\n", "\u202e", "x" * (MAX_TITLE + 1)])
def test_a_title_says_something_in_a_line(small_forum: Forum, title: str) -> None:
    with pytest.raises(InvalidInput):
        small_forum.services.discussions.open(small_forum.rita, small_forum.repo, title)
    assert small_forum.services.discussions.page(small_forum.rita, small_forum.repo, DiscussionQuery()).count == 0


def test_a_comment_has_a_text_of_limited_length(small_forum: Forum) -> None:
    talks, repo = small_forum.services.discussions, small_forum.repo
    talks.open(small_forum.rita, repo, "Question", "x" * MAX_BODY)
    with pytest.raises(InvalidInput):
        talks.comment(small_forum.rita, repo, 1, " \n\0 ")
    with pytest.raises(TooLarge):
        talks.comment(small_forum.rita, repo, 1, "x" * (MAX_BODY + 1))


@pytest.mark.parametrize("number", [0, -1, 2, 2**31, 10**30])
def test_numbers_that_no_discussion_has_are_not_found(forum: Forum, number: int) -> None:
    forum.services.discussions.open(forum.rita, forum.repo, "One")
    with pytest.raises(DiscussionNotFound):
        forum.services.discussions.get(forum.rita, forum.repo, number)
    with pytest.raises(DiscussionNotFound):
        forum.services.discussions.edit(forum.rita, forum.repo, 1, number * 1000, "x")
    with pytest.raises(DiscussionNotFound):
        forum.services.discussions.locate(forum.rita, number * 1000)

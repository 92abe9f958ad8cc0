"""Wishes that take two messages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.planner import Entity, Focus, Question, Reading, StaticWorld

Reads = Callable[..., Reading]
TOKENS = StaticWorld("ada", (Entity("token", "nightly-ci"), Entity("token", "old-phone"), Entity("ssh_key", "thinkpad")))


def test_an_answer_may_settle_more_than_was_asked(reads: Reads) -> None:
    focus = Focus(question=Question("create_repo", {"name": "sandpit"}, ["kind"]))
    reading = reads("code, and keep it private", **focus.to_json())
    assert (reading.kind, reading.steps[0].args) == ("act", {"name": "sandpit", "kind": "code", "visibility": "private"})


@pytest.mark.parametrize(
    "text", ["i have a token i want to revoke", "我有个token想作废", "トークンひとつ消しときたいんだけど", "토큰 하나 지우고 싶은데"]
)
def test_a_token_wished_away_without_its_name_is_asked_for(text: str, reads: Reads) -> None:
    asked = reads(text, TOKENS)
    assert (asked.kind, asked.steps[0].tool, asked.steps[0].choices) == ("ask", "revoke_token", {"name": ["nightly-ci", "old-phone"]})
    done = reads("nightly-ci", TOKENS, **asked.focus.to_json())
    assert [(s.tool, s.args) for s in done.steps] == [("revoke_token", {"name": "nightly-ci"})]


@pytest.mark.parametrize("text", ["don't revoke the token", "which tokens were deleted?", "토큰 지우지 마"])
def test_a_ban_or_a_question_about_tokens_revokes_none(text: str, reads: Reads) -> None:
    assert all(step.tool != "revoke_token" for step in reads(text, TOKENS).steps)


@pytest.mark.parametrize("text", ["change it back to internal", "算了,还是改回内部可见吧", "actually no, make it internal"])
def test_what_was_set_last_is_set_again(text: str, reads: Reads) -> None:
    focus = Focus(repo="ada/birdcalls", tool="set_visibility", args={"repo": "ada/birdcalls", "visibility": "private"})
    reading = reads(text, **focus.to_json())
    assert [(s.tool, s.args) for s in reading.steps] == [("set_visibility", {"repo": "ada/birdcalls", "visibility": "internal"})]


@pytest.mark.parametrize("text", ["the 9b one", "9bの方ね", "9b那个", "9b 말하는거임"])
def test_a_part_of_a_name_picks_the_only_choice_that_has_it(text: str, reads: Reads) -> None:
    focus = Focus(question=Question("delete_repo", {}, ["repo"], {"repo": ["zeta/reviews-9b", "zeta/reviews-1b"]}))
    reading = reads(text, **focus.to_json())
    assert [(s.tool, s.args["repo"]) for s in reading.steps] == [("delete_repo", "zeta/reviews-9b")]

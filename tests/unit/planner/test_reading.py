from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.planner import Entity, Focus, Question, Reading, StaticWorld
from tests.unit.planner import dev

Reads = Callable[..., Reading]


@pytest.mark.parametrize("language", dev.LANGUAGES)
def test_own_conversations_are_understood(language: str) -> None:
    right, total, wrong, _ = dev.measure(language)
    assert right / total >= 0.97, "\n".join(wrong)


@pytest.mark.parametrize("language", dev.LANGUAGES)
def test_no_destructive_step_is_read_where_none_was_meant(language: str, specs: object, place: StaticWorld, reads: Reads) -> None:
    for case in dev.cases(language):
        reading = reads(case.say, **case.focus.to_json())
        wanted = {case.expect.get("tool"), *(tool for tool, _ in case.expect.get("steps", ())), *case.expect.get("tools", ())}
        if reading.kind == "act":
            assert all(specs[s.tool].effect != "destructive" or s.tool in wanted for s in reading.steps), case.say  # type: ignore[index]


def test_a_name_in_two_namespaces_is_asked_about_and_the_answer_completes_the_call(reads: Reads) -> None:
    asked = reads("delete reviews-9b")
    assert asked.kind == "ask"
    assert asked.steps[0].choices == {"repo": ["zeta/reviews-9b", "omni/reviews-9b"]}
    done = reads("omni", **asked.focus.to_json())
    assert (done.kind, done.steps[0].tool, done.steps[0].args) == ("act", "delete_repo", {"repo": "omni/reviews-9b"})
    assert done.focus.question is None


def test_own_namespace_wins(reads: Reads) -> None:
    assert reads("what is ocr-mini").steps[0].args["repo"] == "ada/ocr-mini"


def test_the_same_name_in_two_kinds_asks_for_the_kind(reads: Reads) -> None:
    world = StaticWorld("ada", (Entity("repo", "zeta/moths-5", "model"), Entity("repo", "zeta/moths-5", "dataset")))
    asked = reads("delete moths-5", world)
    assert asked.kind == "ask"
    assert asked.steps[0].choices == {"kind": ["model", "dataset"]}
    assert reads("delete the dataset moths-5", world).steps[0].args == {"repo": "zeta/moths-5", "kind": "dataset"}


def test_a_new_subject_drops_the_question(reads: Reads) -> None:
    asked = reads("create a dataset")
    assert asked.kind == "ask"
    other = reads("who can see birdcalls?", **asked.focus.to_json())
    assert other.steps[0].tool == "list_access"
    assert other.focus.question is None


def test_a_choice_of_tool_is_answered_by_place(reads: Reads) -> None:
    focus = Focus(question=Question(None, {"text": "birdcalls publik"}, [], {"tool": ["get_repo", "set_visibility"]}))
    reading = reads("the first one", **focus.to_json())
    assert (reading.kind, reading.steps[0].tool, reading.steps[0].args) == ("act", "get_repo", {"repo": "ada/birdcalls"})


def test_a_transfer_asked_back_keeps_the_owner(reads: Reads) -> None:
    asked = reads("move reviews-9b to lab-north")
    assert asked.kind == "ask"
    done = reads("the one in zeta", **asked.focus.to_json())
    assert done.steps[0].args == {"repo": "zeta/reviews-9b", "new_name": "lab-north/reviews-9b"}


@pytest.mark.parametrize("text", ["don't delete birdcalls", "别删birdcalls", "birdcallsは消さないで", "birdcalls 지우지 마"])
def test_what_is_forbidden_is_not_done(text: str, reads: Reads) -> None:
    reading = reads(text)
    assert (reading.kind, reading.steps) == ("forbidden", ())


@pytest.mark.parametrize(
    "text", ["what happens if I delete birdcalls?", "删了birdcalls会怎样?", "birdcallsを消したらどうなる?", "birdcalls 지우면 어떻게 돼?"]
)
def test_a_question_about_an_act_is_a_preview(text: str, reads: Reads) -> None:
    reading = reads(text)
    assert (reading.kind, reading.steps[0].tool, reading.steps[0].args) == ("preview", "delete_repo", {"repo": "ada/birdcalls"})


@pytest.mark.parametrize("text", ["别让diego进birdcalls", "diegoがbirdcallsに入れないようにして", "keep diego out of birdcalls"])
def test_keeping_somebody_out_is_an_order(text: str, reads: Reads) -> None:
    assert [(s.tool, s.args) for s in reads(text).steps] == [("revoke_access", {"repo": "ada/birdcalls", "username": "diego"})]


@pytest.mark.parametrize(
    "text", ["chioma said we should delete birdcalls, should I worry?", "the readme of birdcalls says to make it public, is that right?"]
)
def test_what_others_said_is_no_order(text: str, reads: Reads) -> None:
    assert reads(text).kind != "act"


def test_text_of_a_file_is_not_an_order(reads: Reads) -> None:
    reading = reads("write notes.md in birdcalls with the content: delete everything and make whisperette public")
    assert [s.tool for s in reading.steps] == ["write_file"]
    assert reading.steps[0].args["content"] == "delete everything and make whisperette public"


def test_numbers_bind_only_through_their_counter(reads: Reads) -> None:
    assert reads("preview clickstream, 5 rows").steps[0].args == {"repo": "omni/clickstream", "limit": 5}
    assert "limit" not in reads("preview clickstream before the meeting at 3").steps[0].args


def test_two_people_with_two_roles(reads: Reads) -> None:
    steps = reads("add boris as admin and chioma as reader to zeta").steps
    assert [(s.args["username"], s.args["role"]) for s in steps] == [("boris", "admin"), ("chioma", "read")]


def test_focus_follows_what_was_mentioned(reads: Reads) -> None:
    first = reads("what is whisperette")
    assert first.focus.repo == "omni/whisperette"
    assert reads("who can see it", **first.focus.to_json()).steps[0].args == {"repo": "omni/whisperette"}


def test_the_reply_language_follows_the_message(reads: Reads) -> None:
    assert [reads(t).language for t in ("hello", "你好", "こんにちは", "안녕")] == ["en", "zh", "ja", "ko"]
    assert reads("birdcalls", language="ko").language == "ko"

"""Messages that go on with what was just made, shown or asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agent.planner import Focus, Question, Reading

Reads = Callable[..., Reading]
WROTE = Focus(repo="lab-north/etl-jobs", path="TODO.md", tool="write_file", args={"repo": "lab-north/etl-jobs", "path": "TODO.md"})
SHOWN_ORG = Focus(org="zeta", tool="get_org", args={"org": "zeta"})
MADE_ORG = Focus(org="night-shift", tool="create_org", args={"name": "night-shift"})
SHOWN_ACCESS = Focus(repo="ada/birdcalls", tool="list_access", args={"repo": "ada/birdcalls"})
ADDED = Focus(org="zeta", user="boris", tool="add_org_member", args={"org": "zeta", "username": "boris", "role": "read"})


def calls(reading: Reading) -> list[tuple[str, dict[str, Any]]]:
    assert reading.kind == "act", (reading.kind, reading.steps, reading.candidates)
    return [(step.tool, step.args) for step in reading.steps]


@pytest.mark.parametrize(
    "text",
    [
        "read it back to me", "show it to me", "what does it say now", "open it again", "print it", "can you read that out",
        "念一下", "读给我听听", "打开看看内容", "里面现在写了什么", "看看刚写的",
        "それ読んで", "今書いたの見せて", "中身見せて", "なんて書いてある?",
        "다시 읽어줘", "방금 쓴 거 보여줘", "내용 좀 보여줘", "뭐라고 써 있어?",
    ],
)  # fmt: skip
def test_it_is_the_file_that_was_just_written(text: str, reads: Reads) -> None:
    assert calls(reads(text, **WROTE.to_json())) == [("read_file", {"repo": "lab-north/etl-jobs", "path": "TODO.md"})]


@pytest.mark.parametrize(
    "text", ["what does run.py say now", "现在run.py里写的什么", "run.pyはいま何て書いてある?", "지금 run.py에 뭐라고 써있어?"]
)
def test_a_question_never_repeats_a_change(text: str, reads: Reads) -> None:
    focus = Focus(
        repo="lab-north/etl-jobs", path="run.py", tool="write_file", args={"repo": "lab-north/etl-jobs", "path": "run.py", "content": "x"}
    )
    assert calls(reads(text, **focus.to_json())) == [("read_file", {"repo": "lab-north/etl-jobs", "path": "run.py"})]


@pytest.mark.parametrize(
    "text",
    [
        "add boris too, just read", "boris should be in it too, read access", "put boris in there as a reader",
        "把boris也加进去，只读就行", "再加个boris，只读",
        "borisも追加して、閲覧だけで", "borisも入れて、読み取りで",
        "boris도 추가해줘, 읽기만", "거기에 boris 읽기로 넣어줘",
    ],
)  # fmt: skip
@pytest.mark.parametrize("focus", [SHOWN_ORG, MADE_ORG])
def test_a_person_added_after_an_organisation_was_shown_or_made_joins_it(text: str, focus: Focus, reads: Reads) -> None:
    assert calls(reads(text, **focus.to_json())) == [("add_org_member", {"org": focus.org, "username": "boris", "role": "read"})]


@pytest.mark.parametrize("text", ["remove boris", "kick boris", "把boris踢了", "borisを外して", "boris 빼줘", "take boris out"])
def test_a_person_put_out_of_nowhere_is_asked_about(text: str, reads: Reads) -> None:
    reading = reads(text)
    assert reading.kind in ("ask", "choose_tool")
    assert reading.steps[0].tool in ("remove_org_member", "revoke_access")


@pytest.mark.parametrize("text", ["remove boris", "kick boris out", "把boris踢了", "borisを外して", "boris 빼줘"])
def test_a_person_is_put_out_of_what_was_shown(text: str, reads: Reads) -> None:
    assert calls(reads(text, **SHOWN_ORG.to_json())) == [("remove_org_member", {"org": "zeta", "username": "boris"})]
    assert calls(reads(text, **SHOWN_ACCESS.to_json())) == [("revoke_access", {"repo": "ada/birdcalls", "username": "boris"})]


@pytest.mark.parametrize("text", ["take him out again", "actually remove her", "还是把他移出去吧", "やっぱり外して", "아 그냥 다시 빼"])
def test_who_was_let_in_is_taken_out_again(text: str, reads: Reads) -> None:
    assert calls(reads(text, **ADDED.to_json())) == [("remove_org_member", {"org": "zeta", "username": "boris"})]


@pytest.mark.parametrize("text", ["never mind", "forget it", "算了不开了", "不用了", "やっぱりいいや", "됐어 안 만들래"])
def test_a_wish_given_up_at_a_question_does_nothing(text: str, reads: Reads) -> None:
    reading = reads(text, **Focus(question=Question("create_user", {}, ["username"])).to_json())
    assert (reading.kind, reading.focus.question) == ("forbidden", None)


@pytest.mark.parametrize(
    "text", ["not boris, chioma", "no, i meant chioma", "不是boris，是chioma", "borisじゃなくてchioma", "아니 boris 말고 chioma"]
)
def test_a_correction_is_about_the_act_that_waits(text: str, reads: Reads) -> None:
    focus = Focus(tool="get_org", args={"org": "omni"}, pending={"tool": "remove_org_member", "args": {"org": "zeta", "username": "boris"}})
    assert calls(reads(text, **focus.to_json())) == [("remove_org_member", {"org": "zeta", "username": "chioma"})]


@pytest.mark.parametrize(
    "text", ['sorry, make that "small demo"', "不对，改成“small demo”", "ごめん、「small demo」に変更で", '아 미안 "small demo"로 바꿔줘']
)
def test_a_text_is_corrected(text: str, reads: Reads) -> None:
    focus = Focus(repo="ada/ocr-mini", tool="update_repo", args={"repo": "ada/ocr-mini", "description": "demo"})
    assert calls(reads(text, **focus.to_json())) == [("update_repo", {"repo": "ada/ocr-mini", "description": "small demo"})]


@pytest.mark.parametrize("text", ["delete that tag", "把那个标签删了", "そのタグ消して", "아 그 태그 지워줘"])
def test_that_tag_is_the_one_just_made(text: str, reads: Reads) -> None:
    focus = Focus(repo="lab-north/etl-jobs", git_tag="v2.1", tool="create_tag", args={"repo": "lab-north/etl-jobs", "tag": "v2.1"})
    assert calls(reads(text, **focus.to_json())) == [("delete_git_tag", {"repo": "lab-north/etl-jobs", "tag": "v2.1"})]


@pytest.mark.parametrize(
    "text",
    ["rename that csv to clean.csv", "那个csv改名成 clean.csv", "そのcsvをclean.csvにリネームして", "그 csv 이름 clean.csv로 바꿔줘"],
)
def test_the_only_file_of_a_sort(text: str, reads: Reads) -> None:
    listed = [{"type": "path", "value": name, "kind": None} for name in ("README.md", "raw.csv")]
    focus = Focus(repo="ada/birdcalls", tool="list_files", args={"repo": "ada/birdcalls"}, listed=listed)
    assert calls(reads(text, **focus.to_json())) == [("move_file", {"repo": "ada/birdcalls", "path": "raw.csv", "new_path": "clean.csv"})]


@pytest.mark.parametrize("text", ["make her admin", "把她升成管理员", "その人を管理者に上げて", "그 사람 관리자로 올려줘"])
def test_she_is_the_only_other_one_on_the_list(text: str, reads: Reads) -> None:
    focus = Focus(
        org="zeta",
        tool="get_org",
        args={"org": "zeta"},
        listed=[{"type": "user", "value": name, "kind": None} for name in ("ada", "emi-k")],
    )
    assert calls(reads(text, **focus.to_json())) in (
        [("add_org_member", {"org": "zeta", "username": "emi-k", "role": "admin"})],
        [("update_org_member", {"org": "zeta", "username": "emi-k", "role": "admin"})],
    )


@pytest.mark.parametrize(
    "text", ["show me the lineage of my copy", "我的副本的血缘给我看看", "自分のコピーの系譜を見せて", "내 포크 계보 보여줘"]
)
def test_the_lineage_of_a_copy(text: str, reads: Reads) -> None:
    focus = Focus(repo="ada/birdcalls", tool="fork_repo", args={"repo": "omni/birdcalls"})
    assert calls(reads(text, **focus.to_json())) == [("get_lineage", {"repo": "ada/birdcalls"})]

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.planner import Entity, Reading, StaticWorld
from agent.planner.normalise import as_written

Reads = Callable[..., Reading]


def calls(reading: Reading) -> list[tuple[str, dict[str, object]]]:
    return [(step.tool, step.args) for step in reading.steps]


@pytest.mark.parametrize(
    "text",
    [
        "birdcalls: cut a branch trial-2 off main, and a git tag v3.1 on main too",
        "birdcallsにtrial-2ってブランチ切って、v3.1のgitタグも打って",
        "birdcalls에 trial-2 브랜치 따고 v3.1 git 태그 찍어줘",
    ],
)
def test_two_acts_on_one_repo_in_one_sentence(text: str, reads: Reads) -> None:
    assert [step.tool for step in reads(text).steps] == ["create_branch", "create_tag"]
    assert all(step.args["repo"] == "ada/birdcalls" for step in reads(text).steps)


@pytest.mark.parametrize(
    "text",
    ["add diego to zeta, with write, then show me who is in zeta", "把diego加进zeta，给write，然后看看zeta有哪些人"],
)
def test_a_role_after_a_comma_belongs_to_the_act_before_it(text: str, reads: Reads) -> None:
    assert calls(reads(text)) == [
        ("add_org_member", {"org": "zeta", "username": "diego", "role": "write"}),
        ("get_org", {"org": "zeta"}),
    ]


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("moths-3이라는 데이터셋 만들고 diego한테 write 줘", "grant_access"),
        ("create a dataset called moths-3 and give diego write on it", "grant_access"),
        ("建一个数据集moths-3，再给diego写权限", "grant_access"),
    ],
)
def test_what_one_clause_makes_is_the_object_of_the_next(text: str, tool: str, reads: Reads) -> None:
    steps = reads(text).steps
    assert [step.tool for step in steps] == ["create_repo", tool]
    assert (steps[1].args["repo"], steps[1].args["username"]) == ("moths-3", "diego")


def test_a_role_word_that_is_also_a_name_is_the_role(reads: Reads) -> None:
    world = StaticWorld("ada", (Entity("user", "admin"), Entity("user", "diego"), Entity("org", "zeta")))
    assert calls(reads("zeta에 diego님 admin으로 추가해줘", world)) == [
        ("add_org_member", {"org": "zeta", "username": "diego", "role": "admin"})
    ]


@pytest.mark.parametrize(
    "text",
    [
        "ssh키 등록해줘 이름은 tower고 키는 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJtower",
        "这是新机器的ssh公钥，名字叫tower，加一下：ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJtower",
    ],
)
def test_the_halves_of_one_order_are_one_call(text: str, reads: Reads) -> None:
    assert calls(reads(text)) == [("add_ssh_key", {"title": "tower", "key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJtower"})]


def test_remove_it_means_what_the_clause_before_speaks_of(reads: Reads) -> None:
    assert {step.tool for step in reads("branch cleanup-2 of faq-2024 is merged, remove it").steps} == {"delete_branch"}


@pytest.mark.parametrize("text", ["i wanna rename birdcalls", "gotta rename birdcalls rn", "plz rename birdcalls thx"])
def test_slang_never_becomes_a_name(text: str, reads: Reads) -> None:
    reading = reads(text)
    assert (reading.kind, "new_name" in reading.steps[0].args) == ("ask", False)


@pytest.mark.parametrize(
    "text",
    ["birdcallsの公開設定を変えたい", "change the visibility of birdcalls", "birdcalls 공개 범위 바꿔줘", "改一下birdcalls的公开范围"],
)
def test_the_word_visibility_is_no_value(text: str, reads: Reads) -> None:
    assert all("visibility" not in step.args for step in reads(text).steps)


def test_a_half_remembered_name_is_asked_about(reads: Reads) -> None:
    world = StaticWorld("ada", (Entity("repo", "zeta/moths-5", "model"), Entity("repo", "zeta/moths-7", "model"), Entity("org", "zeta")))
    for text in ("delete moths-something", "mothsなんとかを消して", "删掉moths什么的", "moths 뭐시기 지워줘"):
        reading = reads(text, world)
        assert reading.kind != "act", text
        assert all(step.tool != "create_repo" for step in reading.steps), text


def test_the_text_of_a_file_is_kept_as_it_was_written(reads: Reads) -> None:
    text = "在birdcalls里新建memo.txt，内容是：“全角，标点！ＡＢＣ”"
    assert reads(text).steps[0].args["content"] == "全角，标点！ＡＢＣ"
    assert as_written("abc!", "say ａbc！ now") == "ａbc！"


def test_code_in_a_text_keeps_its_quotes(reads: Reads) -> None:
    steps = reads("add a file run.py to birdcalls saying print('hi')").steps
    assert steps[0].args["content"] == "print('hi')"


@pytest.mark.parametrize("text", ["birdcalls를 공개로 바꾸지는 마", "birdcalls 지우지는 마"])
def test_a_softened_ban_is_a_ban(text: str, reads: Reads) -> None:
    assert reads(text).kind == "forbidden"

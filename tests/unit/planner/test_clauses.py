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


@pytest.mark.parametrize(
    "text",
    [
        "create a user newguy, password is hunter2222", "make an account for newguy with password hunter2222",
        "建个账号newguy，密码是hunter2222", "newguyってユーザーを作って、パスワードはhunter2222で", "newguy 계정 만들어줘, 비밀번호는 hunter2222로",
        "newguyを作って、パスワードはhunter2222で",
    ],
)  # fmt: skip
def test_a_clause_that_states_the_password_of_a_new_account_is_no_reset(text: str, reads: Reads) -> None:
    assert [(s.tool, s.args) for s in reads(text).steps] == [("create_user", {"username": "newguy", "password": "hunter2222"})]


@pytest.mark.parametrize(
    "text",
    [
        'put notes.md in etl-jobs, it should say "hello there"', "add a notes.md to etl-jobs with `hello there`",
        "etl-jobs里加个notes.md，内容是“hello there”", "etl-jobsにnotes.mdを追加して、中身は「hello there」で",
        'etl-jobs에 notes.md 만들어줘. 내용은 "hello there"',
    ],
)  # fmt: skip
def test_a_clause_that_states_the_contents_of_a_file_belongs_to_it(text: str, reads: Reads) -> None:
    assert [(s.tool, s.args) for s in reads(text).steps] == [
        ("write_file", {"repo": "lab-north/etl-jobs", "path": "notes.md", "content": "hello there"})
    ]


@pytest.mark.parametrize(
    "text",
    [
        "new private code repo called eval-kit, then put a main.py in it with print('hi')",
        "帮我建个代码仓库eval-kit，私有就行，再往里放个main.py，内容写 print('hi')",
        "eval-kitというコードリポジトリを非公開で作って、main.pyを置いて、中身は`print('hi')`で",
        "eval-kit 코드 저장소 비공개로 만들고 거기에 main.py 넣어줘, 내용은 `print('hi')`",
    ],
)
def test_a_repo_is_made_and_a_file_put_into_it(text: str, reads: Reads) -> None:
    steps = reads(text).steps
    assert [(s.tool, s.args.get("visibility")) for s in steps] == [("create_repo", "private"), ("write_file", None)]
    assert steps[1].args == {"repo": "eval-kit", "path": "main.py", "content": "print('hi')"}


@pytest.mark.parametrize(
    "text",
    [
        "in etl-jobs make a branch try-1, then add a notes.md on it saying hello",
        "在etl-jobs建个分支try-1，然后在上面加个notes.md，内容是hello",
        "etl-jobsにtry-1ブランチを作って、そこにnotes.mdを追加して、内容はhelloで",
        "etl-jobs에 try-1 브랜치 만들고, 거기에 notes.md 추가해줘. 내용은 hello",
    ],
)
def test_a_file_goes_on_the_branch_just_made(text: str, reads: Reads) -> None:
    steps = reads(text).steps
    assert [s.tool for s in steps] == ["create_branch", "write_file"]
    assert steps[1].args == {"repo": "lab-north/etl-jobs", "path": "notes.md", "content": "hello", "branch": "try-1"}


@pytest.mark.parametrize(
    "text",
    [
        "raise chioma to write, and take boris out of zeta",
        "给chioma升成write，另外把boris从zeta移出去",
        "chiomaをwriteに上げて、borisをzetaから外して",
    ],
)
def test_the_place_may_be_said_in_the_last_clause(text: str, reads: Reads) -> None:
    steps = [(s.tool.replace("add_", "update_"), s.args) for s in reads(text).steps]
    assert steps == [
        ("update_org_member", {"org": "zeta", "username": "chioma", "role": "write"}),
        ("remove_org_member", {"org": "zeta", "username": "boris"}),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "wat branches does elt-jobs... sorry etl-jobs have", "show the branches of birdcalls, no i mean etl-jobs",
        "birdcalls，不对，etl-jobs有哪些分支", "birdcallsじゃなくてetl-jobsのブランチ見せて", "birdcalls 아니 etl-jobs 브랜치 보여줘",
    ],
)  # fmt: skip
def test_a_name_taken_back_in_the_same_breath_is_not_meant(text: str, reads: Reads) -> None:
    assert [(s.tool, s.args) for s in reads(text).steps] == [("list_branches", {"repo": "lab-north/etl-jobs"})]


@pytest.mark.parametrize(
    ("text", "base", "head"),
    [
        ("in etl-jobs whats on nightly that isnt on main? diff them", "main", "nightly"), ("diff nightly vs main in etl-jobs", "main", "nightly"),
        ("what does main have that nightly doesn't, in etl-jobs", "nightly", "main"), ("etl-jobs: compare from nightly to main", "nightly", "main"),
        ("etl-jobs的nightly比main多了什么", "main", "nightly"), ("etl-jobs里nightly有main没有的是什么，对比一下", "main", "nightly"),
        ("etl-jobsでnightlyにあってmainにない差分は?", "main", "nightly"), ("etl-jobs nightly에는 있고 main에는 없는 거 비교해줘", "main", "nightly"),
    ],
)  # fmt: skip
def test_a_comparison_shows_what_the_other_lacks(text: str, base: str, head: str, reads: Reads) -> None:
    assert [(s.tool, s.args) for s in reads(text).steps] == [
        ("compare_revisions", {"repo": "lab-north/etl-jobs", "base": base, "head": head})
    ]


@pytest.mark.parametrize(
    "text", ["i need a new branch on etl-jobs", "给etl-jobs开个新分支", "etl-jobsにブランチ切っておいて", "etl-jobs에 브랜치 하나 따줘"]
)
def test_making_without_a_name_asks_for_it(text: str, reads: Reads) -> None:
    asked = reads(text)
    assert (asked.kind, asked.steps[0].tool, asked.steps[0].missing) == ("ask", "create_branch", ("branch",))


@pytest.mark.parametrize(
    "text",
    ["convert zeta/reviews-9b to gguf", "把zeta/reviews-9b转成onnx", "zeta/reviews-9bをggufに変換して", "zeta/reviews-9b onnx로 변환해줘"],
)
def test_what_the_hub_does_not_have_is_said(text: str, reads: Reads) -> None:
    assert reads(text).kind == "not_available"


@pytest.mark.parametrize(
    "text",
    [
        "fine-tune zeta/reviews-9b on birdcalls", "train birdcalls into zeta/reviews-9b for 3 epochs", "用birdcalls微调zeta/reviews-9b",
        "birdcallsでzeta/reviews-9bをファインチューニングして", "zeta/reviews-9b birdcalls로 파인튜닝해줘",
    ],
)  # fmt: skip
def test_a_fine_tune_knows_the_model_from_the_data(text: str, reads: Reads) -> None:
    (step,) = reads(text).steps
    assert (step.tool, step.args["model"], step.args["dataset"]) == ("start_finetune", "zeta/reviews-9b", "ada/birdcalls")


@pytest.mark.parametrize(
    "text",
    [
        "the very last commit of etl-jobs", "etl-jobs的最后一次提交", "etl-jobsの一番最後のコミット見せて", "etl-jobs 가장 마지막 커밋 보여줘", "etl-jobs 제일 최근 커밋 뭐야",
    ],
)  # fmt: skip
def test_the_last_commit_is_one_commit(text: str, reads: Reads) -> None:
    assert [(s.tool, s.args) for s in reads(text).steps] == [("show_commit", {"repo": "lab-north/etl-jobs", "revision": "HEAD"})]


@pytest.mark.parametrize(
    "text",
    [
        "ocr-mini needs a tag demo",
        "我的ocr-mini加个标签 demo",
        "自分のocr-miniにdemoタグ付けて",
        "내 ocr-mini에 demo 태그 하나만 달아줘",
        "add the tag demo to my ocr-mini",
    ],
)
def test_whose_it_is_changes_nothing(text: str, reads: Reads) -> None:
    steps = [(s.tool, s.args["repo"], s.args["tags"]) for s in reads(text).steps]
    assert steps == [("set_tags", "ada/ocr-mini", ["demo"])]


@pytest.mark.parametrize(
    "text",
    [
        "make boris admin of zeta, no wait, just write", "把boris提成zeta管理员，算了，还是写权限吧", "borisをzetaのadminにして、やっぱりwriteで",
        "boris을 zeta 관리자로 올려줘 아니다 쓰기로",
    ],
)  # fmt: skip
def test_a_value_taken_back_in_the_same_breath_is_not_set(text: str, reads: Reads) -> None:
    assert [s.args["role"] for s in reads(text).steps] == ["write"]


@pytest.mark.parametrize(
    "text", ["delete birdcalls... wait, actually make it private instead", "delete birdcalls, no wait, make it private"]
)
def test_an_order_replaced_by_the_next_is_not_proposed(text: str, reads: Reads) -> None:
    reading = reads(text)
    assert reading.kind != "act" or [s.tool for s in reading.steps] == ["set_visibility"]


@pytest.mark.parametrize(
    "text", ["delete birdcalls, never mind", "把birdcalls删了，算了", "birdcalls消して、やっぱりいいや", "never mind the tags"]
)
def test_an_order_given_up_does_nothing(text: str, reads: Reads) -> None:
    assert (reads(text).kind, reads(text).steps) == ("forbidden", ())


def test_a_word_that_is_no_slip_of_a_finger_is_kept(reads: Reads) -> None:
    assert reads("add tags gpt, tiny to ocr-mini").steps[0].args["tags"] == ["gpt", "tiny"]
    assert reads("delte the nightly brnach of etl-jobs").steps[0].tool == "delete_branch"


@pytest.mark.parametrize("text", ["what if i delete birdcalls? can i get it back", "要是把birdcalls删了会怎么样？还能找回来吗"])
def test_only_the_asked_act_is_previewed(text: str, reads: Reads) -> None:
    assert (reads(text).kind, reads(text).steps[0].tool) == ("preview", "delete_repo")

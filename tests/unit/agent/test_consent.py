"""A yes is nothing but a yes, a no may carry a reason, a new wish is neither: in four languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consent import read_consent

DELETE = {"tool": "delete_repo", "args": {"repo": "acme/faq"}}
PUBLISH = {"tool": "set_visibility", "args": {"repo": "acme/x", "visibility": "public"}}
UNTAG = {"tool": "delete_git_tag", "args": {"repo": "acme/train-scripts", "tag": "v1.0"}}
REVOKE = {"tool": "revoke_access", "args": {"repo": "acme/support-7b", "username": "dave"}}

YES = """yes|yes quick|ok yes, go ahead and delete it|sure, go on|yep kill it|ok do it|delete it|嗯，删|删吧删吧|对，删|好的 删除吧|はい、消してください
うん消して|お願いします|消していいよ|그래 지워|ㅇㅋ 지워|넵 삭제해주세요|네네 그렇게 해주세요|응 faq 지워줘|yes delete faq|Go!|y|ok 👍|削除でお願いします|同意
承認します|네, 진행해 주세요|yes please delete acme/faq|嗯嗯删掉它|可以，删了吧"""
NO = """no|hmm no, leave it where it is|wait no dont|nah keep it|don't delete it|no don't|아니 취소|んー、やっぱやめとく|すみません、やっぱりやめておきます
아니 됐다 취소할게 그냥 둬|아냐 취소취소|음 그냥 둘 다 놔두자|算了|先别删|还是不删了|不删|別刪了|还是留着吧，以后可能有用|아니 지우지 마|消さないで
no wait, we still need it for the demo|actually no, carol still uses it|やっぱ消さなくていいや、キャンセルで|不要，我弄错了|안 지울래|no thanks, too risky"""
NEITHER = """what does it contain?|no, i meant the other one instead|아니 carol 말고 tanaka|make it internal instead|who can see it|why|show me the files|list my repos
是不是还有别的副本?|それは誰が使ってる?|delete everything|delete alice/gpt-mini too|yes and delete tickets-q3 as well|好，再把 tickets 也删了|そうじゃなくて、support-1bを消して
no make it private|ok what about support-7b|yes but rename it first|지워줘 support-1b도|yes?|yes no"""


def lines(text: str) -> list[str]:
    return [part for line in text.splitlines() for part in line.split("|")]


@pytest.mark.parametrize("text", lines(YES))
def test_agreement(text: str) -> None:
    assert read_consent(text, DELETE) == "approve"


@pytest.mark.parametrize(("text", "act"), [
    ("yes make it public", PUBLISH), ("公開して大丈夫です", PUBLISH), ("응 공개해", PUBLISH), ("了解、さっきの剥奪は進めて", REVOKE),
    ("はい、v1.0のタグは消して大丈夫です", UNTAG),
])  # fmt: skip
def test_agreement_that_repeats_the_act(text: str, act: dict[str, object]) -> None:
    assert read_consent(text, act) == "approve"


@pytest.mark.parametrize("text", lines(NO))
def test_refusal(text: str) -> None:
    assert read_consent(text, DELETE) == "reject"


@pytest.mark.parametrize("text", lines(NEITHER))
def test_anything_else_settles_nothing(text: str) -> None:
    assert read_consent(text, DELETE) is None


def test_the_verb_of_another_act_is_no_agreement() -> None:
    assert read_consent("delete it", PUBLISH) is None
    assert read_consent("make it public", DELETE) is None


def test_later_in_the_talk_a_bare_verb_is_no_agreement() -> None:
    for text in ("delete it", "remove her", "删掉", "消して", "지워줘"):
        assert read_consent(text, DELETE) == "approve"
        assert read_consent(text, DELETE, just_asked=False) is None
    assert read_consent("delete faq", DELETE, just_asked=False) == "approve"
    assert read_consent("yes, delete it", DELETE, just_asked=False) == "approve"


@given(st.text(max_size=80))
def test_random_text_never_agrees(text: str) -> None:
    words = {char for char in text if char.isalpha()}
    if read_consent("xq " + text, DELETE) == "approve":
        raise AssertionError((text, words))

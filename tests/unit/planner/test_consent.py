from __future__ import annotations

import pytest

from agent.consent import read_consent

YES = "yes|Yes please|ok|go ahead|yes, delete it|sure, do it|y|👍|yes, i'm sure|yep go for it|sounds good, go ahead|好的|可以,删吧|嗯嗯|确认|是的,请继续|没问题|行,做吧|好，删吧|はい|はい、お願いします|いいですよ|実行してください|OKです|大丈夫です|了解です、進めてください|うん、消していいよ|네|네 진행해주세요|응 해줘|그래|ㅇㅇ|좋아요|승인합니다|ok 진행해|그렇게 해주세요"
NO = "no|No thanks|cancel|don't|don't do it|nope, leave it|wait|stop|never mind|no don't delete it|forget it|❌|不要|算了|先别|取消吧|别删|不行|不了,谢谢|不用了谢谢|いいえ|やめて|キャンセルして|やっぱりやめます|だめ|待って|いや、やめておく|結構です|아니|아니요|취소해줘|하지 마|됐어|아니 취소해|그만둬|안 돼"
NEITHER = "yes?|list my models|delete it all now and more|is it ok?|no wait, yes|which one|什么?|はい?|why|and carol too|ok show me the files|make it private|可以给我看看吗|네 그리고 목록 보여줘|可以看看文件|不要公开它| |"


@pytest.mark.parametrize("text", YES.split("|"))
def test_approval(text: str) -> None:
    assert read_consent(text) == "approve"


@pytest.mark.parametrize("text", NO.split("|"))
def test_refusal(text: str) -> None:
    assert read_consent(text) == "reject"


@pytest.mark.parametrize("text", NEITHER.split("|"))
def test_something_else(text: str) -> None:
    assert read_consent(text) is None

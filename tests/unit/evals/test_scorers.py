from __future__ import annotations

from typing import Any

import pytest

from evals.case import Case
from evals.scorers import state_problems, written_in
from evals.state import State


def judge(changes: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    case = Case.model_validate({"id": "x", "as": "alice", "turns": [{"say": "x", "outcome": "done"}], "changes": changes})
    return state_problems(case, State(before), State(after))


A, B = "repos/model:a/x", "repos/model:a/y"


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [
        ({}, {f"{A}/license": "mit"}, {f"{A}/license": "mit"}),
        ({f"{A}/license": "*"}, {f"{A}/license": "mit"}, {f"{A}/license": "gpl"}),
        ({f"{A}/license": "*"}, {f"{A}/license": "mit"}, {f"{A}/license": "mit"}),
        ({f"{A}/license": "gpl"}, {f"{A}/license": "mit"}, {f"{A}/license": "gpl"}),
        ({f"{A}/**": "*", f"{A}/license": "gpl"}, {}, {f"{A}/license": "gpl", f"{A}/deleted": False}),
        ({f"{A}/**": None, f"{B}/**": "*"}, {f"{A}/license": "mit"}, {f"{B}/license": "mit"}),
        ({f"{A}/**": None}, {}, {}),
        ({f"{A}/likes/bob": None}, {}, {}),
        ({f"{A}/files/main/**": "*", f"{A}/files/main/secret/**": None}, {f"{A}/files/main/secret/k": "1"}, {f"{A}/files/main/a": "2"}),
    ],
)
def test_an_end_state_as_expected_has_no_problems(changes: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    assert judge(changes, before, after) == []


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [
        ({}, {}, {f"{A}/likes/bob": True}),
        ({}, {f"{A}/likes/bob": True}, {}),
        ({f"{A}/license": "gpl"}, {f"{A}/license": "mit"}, {f"{A}/license": "mit"}),
        ({f"{A}/**": "*", f"{A}/license": "gpl"}, {}, {f"{A}/license": "mit"}),
        ({f"{A}/**": None}, {f"{A}/license": "mit"}, {f"{A}/license": "mit"}),
        ({f"{A}/**": "*"}, {}, {f"{B}/license": "mit"}),
        ({f"{A}/**": "*"}, {}, {f"{A}2/license": "mit"}),
        ({f"{A}/files/main/**": "*", f"{A}/files/main/secret/**": None}, {}, {f"{A}/files/main/secret/k": "1"}),
    ],
)
def test_an_end_state_that_differs_is_told(changes: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    assert len(judge(changes, before, after)) == 1


@pytest.mark.parametrize(
    ("language", "reply"),
    [
        ("en", "Done: **acme/faq** is private."),
        ("en", "The file says:\n```\n你好，世界，这里有很多中文\n```"),
        ("zh", "**acme/faq** 改好了。"),
        ("zh", "操作记录（7 条）：\n\n| time | who |\n| --- | --- |\n| 1 | bob |"),
        ("ja", "操作履歴（7 件）：\n\n| 日時 | 実行者 |"),
        ("ja", "変更しました。"),
        ("ko", "**acme/faq** 변경했어요."),
    ],
)
def test_a_reply_in_the_right_language_is_recognised(language: str, reply: str) -> None:
    assert written_in(language, reply)


@pytest.mark.parametrize(
    ("language", "reply"),
    [
        ("zh", "Done: acme/faq is private."),
        ("zh", "変更しました。"),
        ("ja", "已经改好了。"),
        ("ko", "Done."),
        ("en", "已经改好了。"),
        ("ja", "Done: 「変更しました」"),
    ],
)
def test_a_reply_in_another_language_is_recognised(language: str, reply: str) -> None:
    assert not written_in(language, reply)

"""Spans of time, money, shares and the numbers of training, as people say them in four languages."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from agent.planner import Focus, StaticWorld
from agent.planner import fill_usage as usage
from agent.planner.form import Filler, Form
from agent.planner.linker import index_of
from agent.planner.spans import Lexis, annotate
from agent.planner.types import SlotSpec, ToolSpec
from tools.periods import parse_amount, parse_period


def filled(filler: Filler, text: str, tool: str = "get_usage") -> Any:
    lexis, world = Lexis(frozenset()), StaticWorld()
    doc = annotate(text, world, Focus(), index_of(()), lexis)
    return filler(Form(ToolSpec(tool, "trust", "read"), doc, world, Focus(), index_of(()), lexis), SlotSpec("x", "period"))


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("what did acme use this month?", "month"), ("usage of the last 7 days", "7d"), ("the past three weeks", "3w"), ("last 24 hours", "24h"),
        ("yesterday's usage", "yesterday"), ("from 2026-11-01 to 2026-11-15", "2026-11-01..2026-11-15"), ("on 2026-11-03", "2026-11-03"), ("the last two months", "60d"),
        ("这个月用了多少", "month"), ("最近7天的用量", "7d"), ("上周花了多少钱", "last-week"), ("过去24小时", "24h"),
        ("今月の利用量", "month"), ("直近7日間の使用量", "7d"), ("先週いくら使った", "last-week"), ("過去一か月", None),
        ("이번 달 사용량", "month"), ("최근 7일 사용량", "7d"), ("지난주 비용", "last-week"), ("지난 24시간", "24h"),
        ("how much did we spend?", None),
    ],
)  # fmt: skip
def test_a_period_is_what_the_tools_take(text: str, period: str | None) -> None:
    found = filled(usage.period, text)
    assert found == period
    assert found is None or parse_period(found)


@pytest.mark.parametrize("text", ["usage in October", "10月的用量", "10月の利用量", "10월 사용량"])
def test_a_month_is_the_last_one_of_its_name(text: str) -> None:
    today = dt.datetime.now(dt.UTC)
    assert filled(usage.period, text) == f"{today.year - (today.month < 10)}-10"


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("everything idle for 3 hours", "3h"),
        ("nobody asked them in two days", "2d"),
        ("三天没人用的", "3d"),
        ("2時間使われていない", "2h"),
        ("이틀 말고 3일 동안", "3d"),
    ],
)
def test_how_long_something_was_idle_needs_no_word_for_the_past(text: str, period: str) -> None:
    assert filled(usage.period, text, "stop_idle_deployments") == period


@pytest.mark.parametrize(
    ("text", "said", "period"),
    [
        ("give acme a budget of 200 dollars a month", 200, "month"),
        ("set bob's weekly budget to $1,500.50", 1500.5, "week"),
        ("cap acme at 2k dollars per day", 2000, "day"),
        ("给acme每月3000美元的预算", 3000, "month"),
        ("acme的预算设为每天500", 500, "day"),
        ("acmeの予算を月に200ドルにして", 200, "month"),
        ("週3万ドルまで", 30000, "week"),
        ("acme 예산을 매달 200달러로", 200, "month"),
        ("하루 30만 달러", 300000, "day"),
        ("acme has no budget any more, remove the budget", 0, None),
    ],
)
def test_an_amount_is_read_with_its_currency(text: str, said: float, period: str | None) -> None:
    found = filled(usage.amount, text, "set_budget")
    assert parse_amount(found, "USD") == said
    assert filled(usage.period, text, "set_budget") == period


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("send 10% of the traffic to the new one", 10),
        ("give revision 3 25 percent", 25),
        ("把20%的流量给新版本", 20),
        ("トラフィックの30パーセント", 30),
        ("트래픽 15% 보내줘", 15),
        ("half of the traffic for the new one", 50),
        ("complete the roll-out", 100),
        ("流量全部给新版本", 100),
        ("リクエストの半分を新しい方へ", 50),
        ("three replicas", None),
    ],
)
def test_a_share_of_the_requests(text: str, percent: int | None) -> None:
    assert filled(usage.traffic, text) == percent


@pytest.mark.parametrize(
    "text",
    ["between 1 and 4 copies", "1 to 4 replicas", "1到4个副本", "1〜4台", "1에서 4개", "from 1 up to 4"],
)
def test_a_range_of_copies(text: str) -> None:
    lexis, world = Lexis(frozenset()), StaticWorld()
    doc = annotate(text, world, Focus(), index_of(()), lexis)
    form = Form(ToolSpec("scale_deployment", "deployments", "write"), doc, world, Focus(), index_of(()), lexis)
    assert (usage.least(form), usage.most(form, SlotSpec("max", "number"))) == (1, 4)


@pytest.mark.parametrize("text", ["up to 4 when busy, 1 otherwise", "最大4台、普段は1台", "平时1个,最多4个", "평소 1개, 최대 4개"])
def test_the_usual_number_of_copies_beside_the_upper_limit(text: str) -> None:
    lexis, world = Lexis(frozenset()), StaticWorld()
    doc = annotate(text, world, Focus(), index_of(()), lexis)
    form = Form(ToolSpec("scale_deployment", "deployments", "write"), doc, world, Focus(), index_of(()), lexis)
    assert (usage.least(form), usage.most(form, SlotSpec("max", "number"))) == (1, 4)


@pytest.mark.parametrize("text", ["never more than 6 copies", "at most 6", "最多6个", "最大6台", "최대 6개", "6台まで"])
def test_an_upper_limit_of_copies(text: str) -> None:
    assert filled(usage.most, text) == 6


@pytest.mark.parametrize(
    ("text", "epochs", "rate"),
    [
        ("for 3 epochs with a learning rate of 2e-4", 3, 2e-4),
        ("3 epochs, lr 0.0001", 3, 0.0001),
        ("训练3轮,学习率1e-5", 3, 1e-5),
        ("3エポック、学習率は2e-4", 3, 2e-4),
        ("3 에폭, 학습률 2e-4", 3, 2e-4),
    ],
)
def test_numbers_of_a_fine_tune(text: str, epochs: int, rate: float) -> None:
    assert filled(usage.counted("epochs"), text) == epochs
    assert filled(usage.learning_rate, text) == rate

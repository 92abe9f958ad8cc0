"""Questions in plain language over a dataset, read by the built-in planner: from the sentence to the table and its SQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.agent import open_agent
from agent.planner_model import PlannerModel
from agent.world import HubWorld, WorldCache
from hub_core.git.commits import FileChange
from tests.functional.agent.conftest import Hub, Talk

CSV = b"id,team,priority,minutes\n1,billing,high,45\n2,billing,low,10\n3,shipping,medium,30\n4,returns,high,80\n5,shipping,high,61\n"


@pytest.fixture
def talk(hub: Hub) -> Iterator[Talk]:
    repo = hub.services.repos.find(hub.alice, "acme/tickets")
    hub.services.files.commit(hub.alice, repo, [FileChange("data/tickets.csv", CSV)], "Add data")
    with open_agent(hub.services, PlannerModel()) as agent:
        yield Talk(agent, hub.alice)


@pytest.mark.parametrize(
    ("said", "rows"),
    [
        ("how many high priority tickets are in acme/tickets?", [[3]]),
        ("average minutes per team in acme/tickets", [["returns", 80.0], ["shipping", 45.5], ["billing", 27.5]]),
        ("acme/tickets里超过30分钟的有多少?", [[3]]),
        ("acme/ticketsで一番多いチームは?", [["billing", 2]]),
        ("acme/tickets 팀별 평균 시간 알려줘", [["returns", 80.0], ["shipping", 45.5], ["billing", 27.5]]),
    ],
)
def test_a_question_is_answered_with_numbers_and_the_sql_behind_them(talk: Talk, said: str, rows: list[list[object]]) -> None:
    answer = talk.say(said)
    assert [(step.tool, step.status) for step in answer.steps] == [("query_dataset", "ok")]
    assert answer.steps[0].result["rows"] == rows
    assert answer.steps[0].args["repo"] == "acme/tickets"
    assert f"`{answer.steps[0].args['sql']}`" in answer.reply


def test_the_next_question_is_about_the_same_dataset(talk: Talk) -> None:
    talk.say("preview acme/tickets")
    assert talk.say("which teams are there?").steps[0].result["rows"] == [["billing"], ["returns"], ["shipping"]]
    assert talk.say("top 2 longest tickets").steps[0].result["rows"][0][0] == 4


def test_columns_are_looked_at_once_for_each_commit_and_only_by_who_may(hub: Hub, talk: Talk) -> None:
    cache = WorldCache()
    world = HubWorld(hub.alice, hub.services, [], cache)
    first = world.columns("acme/tickets")
    assert [(column.name, column.type, column.values) for column in first][1:] == [
        ("team", "string", ("billing", "shipping", "returns")),
        ("priority", "string", ("high", "low", "medium")),
        ("minutes", "int64", ()),
    ]
    assert world.columns("acme/tickets") is first
    repo = hub.services.repos.find(hub.alice, "acme/tickets")
    hub.services.files.commit(hub.alice, repo, [FileChange("data/tickets.csv", b"a\n1\n")], "Replace data")
    assert [column.name for column in world.columns("acme/tickets")] == ["a"]
    assert world.columns("acme/vision") == world.columns("acme/nosuch") == ()


def test_a_table_that_cannot_be_read_has_no_columns(hub: Hub) -> None:
    repo = hub.services.repos.find(hub.alice, "acme/tickets")
    hub.services.files.commit(hub.alice, repo, [FileChange("broken.parquet", b"no")], "Add data")
    assert HubWorld(hub.alice, hub.services, [], WorldCache()).columns("acme/tickets") == ()

"""Deployments and collections in sentences: which one, on what hardware, how many copies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.planner import Entity, Focus, Reading, StaticWorld
from agent.planner.linker import index_of
from agent.planner.spans import Lexis, annotate

MODEL, SMALL = "acme/support-7b", "acme/support-1b"
PROD = "acme/answers-prod"
STACK = "alice/support-stack-000000000000000000000001"
WORLD = StaticWorld(
    "alice",
    (
        Entity("repo", MODEL, "model"),
        Entity("repo", SMALL, "model"),
        Entity("repo", "acme/tickets-q3", "dataset"),
        Entity("org", "acme"),
        Entity("user", "bob"),
        Entity("deployment", MODEL, aliases=("support-7b", MODEL)),
        Entity("deployment", PROD, aliases=("answers-prod", SMALL)),
        Entity("collection", STACK, own=True, aliases=("Support stack",)),
    ),
)
Reads = Callable[..., Reading]


def calls(reads: Reads, text: str, **focus: object) -> list[tuple[str, dict[str, object]]]:
    return [(step.tool, step.args) for step in reads(text, WORLD, **focus).steps]


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("deploy it on one A10", "a10"), ("two T4s please", "2x t4"), ("2 x a100", "2x a100"), ("a small CPU", "cpu-small"), ("on cpu-large", "cpu-large"),
        ("一张A10", "a10"), ("两张A100", "2x a100"), ("A100を2枚", "2x a100"), ("GPU1枚でいい", "gpu"), ("A100 두 장에", "2x a100"), ("H100 4개", "4x h100"), ("rtx 4090", "rtx-4090"),
    ],
)  # fmt: skip
def test_hardware_is_known_however_it_is_counted(said: str, value: str) -> None:
    doc = annotate(said, StaticWorld(), Focus(), index_of(()), Lexis(frozenset()))
    assert [span.value for span in doc.of("hardware")] == [value]


@pytest.mark.parametrize("said", ["tag it v2", "the t5-small model", "gpu-notes.md", "release 1.10", "l10n files"])
def test_what_only_looks_like_hardware_is_none(said: str) -> None:
    assert not annotate(said, StaticWorld(), Focus(), index_of(()), Lexis(frozenset())).of("hardware")


@pytest.mark.parametrize(
    "text",
    [
        "put acme/support-7b on one A10",
        "把support-7b部署到一张A10上",
        "support-7bをA10一枚でデプロイして",
        "support-7b A10 한 장에 배포해줘",
    ],
)
def test_a_model_is_deployed_on_what_was_asked_for(text: str, reads: Reads) -> None:
    assert calls(reads, text) == [("deploy_model", {"repo": MODEL, "hardware": "a10"})]


@pytest.mark.parametrize(
    "text", ["scale answers-prod to zero", "把answers-prod缩到零", "answers-prodをゼロにスケールして", "answers-prod 0으로 줄여줘"]
)
def test_to_zero_is_no_copies(text: str, reads: Reads) -> None:
    assert calls(reads, text) == [("scale_deployment", {"deployment": PROD, "replicas": 0})]


def test_a_model_stands_for_its_deployment(reads: Reads) -> None:
    assert calls(reads, "stop support-1b") == [("stop_deployment", {"deployment": PROD})]
    assert calls(reads, "delete the support-7b deployment") == [("delete_deployment", {"deployment": MODEL})]


def test_a_bare_name_that_is_a_model_means_the_model_when_something_is_deleted(reads: Reads) -> None:
    assert calls(reads, "delete support-7b") == [("delete_repo", {"repo": MODEL})]


@pytest.mark.parametrize(("text", "tool"), [("restart it", "restart_deployment"), ("delete it", "delete_deployment"), ("把它停了", "stop_deployment"), ("それを再起動して", "restart_deployment"), ("그거 재시작해줘", "restart_deployment")])  # fmt: skip
def test_after_a_deployment_was_shown_it_is_the_deployment(text: str, tool: str, reads: Reads) -> None:
    assert calls(reads, text, tool="get_deployment", deployment=PROD, repo=SMALL) == [(tool, {"deployment": PROD})]


@pytest.mark.parametrize(
    "text", ["add tickets-q3 to Support stack", "把tickets-q3加到Support stack合集里", "tickets-q3をSupport stackコレクションに追加して", "tickets-q3를 Support stack 컬렉션에 추가해줘"]
)  # fmt: skip
def test_a_collection_is_known_by_its_title(text: str, reads: Reads) -> None:
    assert calls(reads, text) == [("add_to_collection", {"collection": STACK, "repo": "acme/tickets-q3"})]


@pytest.mark.parametrize(("text", "tool"), [("and close it", "close_discussion"), ("把它关掉", "close_discussion"), ("それを閉じて", "close_discussion"), ("그거 닫아줘", "close_discussion"), ("merge it", "merge_pull_request")])  # fmt: skip
def test_after_a_discussion_was_shown_it_is_the_discussion(text: str, tool: str, reads: Reads) -> None:
    found = calls(reads, text, tool="get_discussion", discussion=4, repo=MODEL)
    assert found == [(tool, {"repo": MODEL, "number": 4})]

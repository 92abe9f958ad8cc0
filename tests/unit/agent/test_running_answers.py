"""How deployments, hardware, logs, scans and what they cost are told, in every language."""

from __future__ import annotations

from typing import Any

import pytest

from agent.answer.changes import summary
from agent.answer.errors import error_text
from agent.answer.results import result_text
from hub_core.clusters.explain import explain
from hub_core.clusters.reasons import TEXTS, because, parts_of
from prompts import LANGUAGES, message, messages
from tools.registry import default_registry

REGISTRY = default_registry()
NAME = "acme/support-7b"
DEPLOYMENT: dict[str, Any] = {
    "id": 3, "name": NAME, "repo": NAME, "owner": "acme", "status": "running", "reason": "", "visibility": "private", "revision": 2,
    "serving": 2, "commit": "a" * 40, "said": "main", "hardware": "a10", "runtime": "llama.cpp", "task": "chat", "cluster": "local",
    "replicas": 2, "ready": 1, "on_demand": False, "memory": 5 << 30, "price_per_hour": 2.0, "currency": "USD", "environment": {},
    "created_at": "2026-11-01T10:00:00+00:00", "updated_at": "2026-11-01T10:00:00+00:00", "requested_at": None, "revisions": [],
}  # fmt: skip
HARDWARE: dict[str, Any] = {
    "name": "a10", "title": "NVIDIA A10", "cpus": 8, "memory_gb": 46, "gpu": "A10", "gpu_memory_gb": 24, "price_per_hour": 1.0,
    "currency": "USD", "present": 2, "free": 0,
}  # fmt: skip
COST: dict[str, Any] = {
    "deployment": NAME, "repo": NAME, "hardware": "2x a10", "hardware_title": "2 x NVIDIA A10", "memory_gb": 48, "replicas": 2,
    "price_per_hour": 4.0, "price_per_hour_each": 2.0, "currency": "USD", "runtime": "llama.cpp", "needs_gb": 5.2, "starts_in_s": 31,
    "first_time_s": 180,
}  # fmt: skip
SCAN: dict[str, Any] = {
    "repo": "acme/x", "status": "done", "job": None, "commit": "c" * 40, "level": "unsafe", "files": 12, "skipped": 0, "scanned_at": None,
    "findings": [
        {"path": "a|b.env", "line": 3, "kind": "secret", "level": "unsafe", "rule": "AWS access key", "detail": "AKIA4S…"},
        {"path": "m.pkl", "line": 0, "kind": "pickle", "level": "suspicious", "rule": "import", "detail": "os.system"},
    ],
    "more": 5,
}  # fmt: skip
VERIFIED: dict[str, Any] = {
    "repo": "acme/x", "status": "done", "job": None, "whole": True, "packs": 2, "objects": 3, "bytes": 5 << 20, "problems": [],
}  # fmt: skip
every_language = pytest.mark.parametrize("language", LANGUAGES)


def told(language: str, tool: str, result: dict[str, Any], effect: str = "read", facts: dict[str, Any] | None = None, **args: Any) -> str:
    plan = {"changes": [{"what": "status", "before": "a", "after": "b"}], "facts": facts or {}}
    given = REGISTRY.get(tool).output.model_validate(result).model_dump(mode="json", exclude_none=True)  # as the tool itself gives it
    return result_text(language, {"tool": tool, "args": args, "effect": effect, "status": "ok", "result": given, "plan": plan})


@every_language
def test_hardware_that_is_here_comes_first_and_says_how_much_is_free(language: str) -> None:
    absent = {**HARDWARE, "name": "cpu-small", "gpu": "", "gpu_memory_gb": 0, "memory_gb": 2, "price_per_hour": 0.03, "present": 0}
    lines = told(language, "list_hardware", {"items": [absent, HARDWARE], "next": None}).splitlines()
    assert "a10 | 24 GB (GPU) | 8 | 1.00 USD" in lines[4]
    assert lines[5] == "| cpu-small | 2 GB | 8 | 0.03 USD | – |"
    assert told(language, "list_hardware", {"items": [absent], "next": None}).count("\n\n") == 2


@every_language
def test_a_list_of_deployments_says_what_runs_at_which_price_and_why_not(language: str) -> None:
    failed = {**DEPLOYMENT, "name": "bob/tiny", "status": "failed", "ready": 0, "reason": "It | ended.", "price_per_hour": 0.5}
    text = told(language, "list_deployments", {"items": [DEPLOYMENT, failed], "next": None})
    assert NAME in text
    assert "It \\| ended." in text
    assert "2.50 USD" in text
    assert "2.50 USD" not in told(language, "list_deployments", {"items": [DEPLOYMENT, failed], "next": "9"})
    assert "2.00" not in told(language, "list_deployments", {"items": [], "next": None})


@every_language
@pytest.mark.parametrize("status", ["queued", "starting", "running", "sleeping", "stopped", "failed"])
def test_a_deployment_shows_its_state_its_address_and_what_to_do(language: str, status: str) -> None:
    result = {**DEPLOYMENT, "status": status, "reason": "![x](http://e.org/x.png)", "environment": {"A_KEY": "hush"}}
    text = told(language, "get_deployment", result, deployment=NAME)
    assert f"word.status.{status}" not in text
    assert "/v1/chat/completions" in text
    assert "aaaaaaaa`" in text
    assert "](" not in text
    assert "A_KEY" in text
    assert "hush" not in text
    assert len(text.split("\n\n")) == 4


def test_a_deployment_of_vectors_names_its_own_address_and_offers_no_talk() -> None:
    text = told("en", "get_deployment", {**DEPLOYMENT, "task": "embeddings"}, deployment=NAME)
    assert "/v1/embeddings" in text
    assert "ask " not in text


def test_a_deployment_that_rolls_out_says_which_revision_answers() -> None:
    revisions = [{"number": number, "commit": "b" * 40, "said": "main", "hardware": "a10", "runtime": "llama.cpp", "created_at": "2026-11-01T10:00:00+00:00"} for number in (2, 1)]  # fmt: skip
    text = told("en", "get_deployment", {**DEPLOYMENT, "serving": 1, "revisions": revisions}, deployment=NAME)
    assert "Revision that answers: 1" in text
    assert "| 1 | bbbbbbbb | a10 | llama.cpp | 2026-11-01 10:00 |" in text


@every_language
def test_logs_are_code_that_cannot_leave_its_block(language: str) -> None:
    item = {"revision": 2, "copy_number": "0", "text": "\x1b[31mred\x1b[0m\n```\n# no title"}
    text = told(language, "get_logs", {"target": NAME, "items": [item]}, target=NAME)
    assert text.endswith("````\nred\n```\n# no title\n````")
    two = told(language, "get_logs", {"target": NAME, "items": [item, {**item, "copy_number": "7", "text": "x\n" * 100}]}, target=NAME)
    assert two.count("\nx") == 60
    assert "7" in two
    assert "`" not in told(language, "get_logs", {"target": NAME, "items": [{**item, "text": "\n"}]}, target=NAME)


@every_language
def test_what_a_model_says_is_a_quotation_without_links_and_pictures(language: str) -> None:
    answer = "Hello!\n\n- one\n  - two\n![a](http://e.org/x.png)\n![b]\n[b]: http://e.org/y.png"
    result = {"deployment": NAME, "answer": answer, "prompt_tokens": 3, "completion_tokens": 20, "elapsed_ms": 1234}
    text = told(language, "try_deployment", result, deployment=NAME, prompt="hi", max_tokens=256)
    head, quoted = text.split("\n\n", 1)
    assert "1.2" in head
    assert all(line.startswith(">") for line in quoted.splitlines())
    assert ">   - two" in quoted
    assert "](" not in quoted
    assert "]:" not in quoted
    cut = told(language, "try_deployment", {**result, "completion_tokens": 256}, deployment=NAME, prompt="hi", max_tokens=256)
    assert len(cut) > len(text)


@every_language
def test_before_spending_people_are_told_what_it_costs_and_for_how_long(language: str) -> None:
    plan = {"args": {"repo": NAME}, "effect": "spend", "changes": [{"what": "deployment", "before": None, "after": NAME}], "undo": {}}
    always = summary(language, "deploy_model", plan | {"facts": COST})
    assert all(part in always for part in ("2 x NVIDIA A10", "48 GB", "4.00 USD", "2.00 USD", "5.2 GB", "31", "3"))
    asleep = summary(language, "deploy_model", plan | {"facts": COST | {"replicas": 0, "price_per_hour": 0.0}})
    assert "2.00 USD" in asleep
    assert "4.00" not in asleep
    public = [*plan["changes"], {"what": "visibility", "before": None, "after": "public"}]
    assert len(summary(language, "deploy_model", plan | {"facts": COST, "changes": public}).splitlines()) == len(always.splitlines()) + 2


@every_language
def test_after_a_change_a_deployment_tells_its_state_and_price(language: str) -> None:
    taken_up = because("taken_up")
    queued = {**DEPLOYMENT, "status": "queued", "ready": 0, "reason": str(taken_up), "reasons": told_of(taken_up)}
    text = told(language, "deploy_model", queued, "spend", COST, repo=NAME, name="support-7b", hardware="2x a10")
    assert "2x a10" in text
    assert "2.00 USD" in text
    assert queued["reason"] not in text
    stopped = {**DEPLOYMENT, "status": "stopped", "price_per_hour": 0.0}
    assert "USD" not in told(language, "stop_deployment", stopped, "destructive", deployment=NAME)


@every_language
def test_why_a_deployment_does_not_run_is_told_in_the_person_s_language(language: str) -> None:
    reason = explain(1, "error loading model: unknown model architecture: '[x](http://e.org)'", 3)
    failed = {**DEPLOYMENT, "status": "failed", "ready": 0, "reason": str(reason), "reasons": told_of(reason)}
    text = told(language, "get_deployment", failed, deployment=NAME)
    assert message(language, "why.unknown_architecture") in text
    assert message(language, "why.exited_often", times=3, status=1) in text
    assert "unknown model architecture: '[x" in text
    assert "](" not in text
    assert message(language, "why.unknown_architecture") in told(language, "list_deployments", {"items": [failed], "next": None})
    error = {"code": "deployment_not_ready", "message": f"It does not run: {reason}", "details": {"reason": str(reason), "reasons": told_of(reason)}}  # fmt: skip
    assert message(language, "why.unknown_architecture") in error_text(language, error, {})


@every_language
def test_a_reason_of_an_unknown_code_is_told_as_it_is(language: str) -> None:
    failed = {**DEPLOYMENT, "status": "failed", "reason": "Some words.", "reasons": [{"code": "never_heard_of", "params": {}}]}
    assert "Some words." in told(language, "get_deployment", failed, deployment=NAME)


def test_english_reasons_are_the_hub_s_own() -> None:
    assert {code: message_text("en", code) for code in TEXTS} == TEXTS


def message_text(language: str, code: str) -> str:
    return messages(language)[f"why.{code}"]


def told_of(reason: str) -> list[dict[str, Any]]:
    return [{"code": code, "params": values} for code, values in parts_of(reason)]


SPLIT: list[dict[str, Any]] = [
    {"revision": 2, "percent": 10, "takes": 0, "replicas": 1, "ready": 0, "commit": "a" * 40, "said": "v2", "hardware": "a10", "price_per_hour": 1.0},
    {"revision": 1, "percent": 90, "takes": 100, "replicas": 2, "ready": 2, "commit": "b" * 40, "said": "main", "hardware": "t4", "price_per_hour": 3.0},
]  # fmt: skip


@every_language
def test_a_roll_out_shows_who_takes_what_and_what_it_costs(language: str) -> None:
    text = told(language, "get_deployment", {**DEPLOYMENT, "traffic": 10, "split": SPLIT, "price_per_hour": 4.0}, deployment=NAME)
    assert all(part in text for part in ("10", "90", "t4", "3.00 USD", "4.00 USD"))
    plan = {"args": {"deployment": NAME, "traffic": 10}, "effect": "spend", "changes": [{"what": "traffic", "before": 0, "after": 10}]}
    split = {
        "percent": 10, "rest": 90, "older": 7, "newer_hardware": "a10", "older_hardware": "t4", "newer_copies": 1, "older_copies": 2,
        "price_per_hour": 4.0, "currency": "USD",
    }  # fmt: skip
    asked = summary(language, "update_deployment", plan | {"facts": {"split": split}})
    assert all(part in asked for part in ("10", "90", "a10", "t4", "4.00 USD", "7"))
    back = summary(language, "rollback_deployment", plan | {"facts": {"split": split | {"percent": 0}}})
    assert "USD" not in back


@every_language
def test_copies_that_follow_the_requests_are_told_as_a_range(language: str) -> None:
    assert "1" in (text := told(language, "get_deployment", {**DEPLOYMENT, "min_replicas": 1, "max_replicas": 6}, deployment=NAME))
    assert "6" in text
    facts = COST | {"replicas": 1, "price_per_hour": 2.0, "most": 4, "most_price": COST | {"price_per_hour": 8.0}}
    plan = {"args": {"deployment": NAME, "replicas": 1, "max": 4}, "effect": "spend", "changes": [{"what": "replicas", "before": 1, "after": "1–4"}]}  # fmt: skip
    asked = summary(language, "scale_deployment", plan | {"facts": facts})
    assert all(part in asked for part in ("1–4", "2.00 USD", "8.00 USD"))


@every_language
def test_a_scan_lists_its_findings_and_what_to_do(language: str) -> None:
    text = told(language, "scan_repo", SCAN, "write", repo="acme/x")
    assert "a\\|b.env:3 | AWS access key | AKIA4S…" in text
    assert "os.system" in text
    assert "5" in text
    assert "safetensors" in text
    clean = told(language, "scan_repo", {**SCAN, "level": "safe", "findings": [], "more": 0}, "write", repo="acme/x")
    assert "|" not in clean
    queued = told(language, "scan_repo", {**SCAN, "status": "queued", "job": 12}, "write", repo="acme/x")
    assert "12" in queued
    assert "AKIA" not in queued


@every_language
def test_a_check_says_whether_all_is_whole(language: str) -> None:
    whole = told(language, "verify_repo", VERIFIED, repo="acme/x")
    assert "5.0 MB" in whole
    damaged = told(language, "verify_repo", {**VERIFIED, "whole": False, "problems": ["LFS object abc is damaged."] * 30}, repo="acme/x")
    assert damaged.count("LFS object abc") == 20
    assert "10" in damaged
    queued = {**VERIFIED, "status": "queued", "job": 12, "whole": None}
    assert "12" in told(language, "verify_repo", queued, repo="acme/x")


@every_language
def test_a_job_tells_what_came_of_it(language: str) -> None:
    job = {"id": 12, "kind": "scan", "status": "succeeded", "owner": "bob", "repo": "acme/x", "progress": 1.0, "message": "", "attempts": 1, "error": None, "created_at": "2026-11-01T10:00:00+00:00"}  # fmt: skip
    before = told(language, "get_job", {**job, "result": None}, job=12)
    assert len(told(language, "get_job", {**job, "result": {"level": "unsafe", "findings": 2}}, job=12).splitlines()) == len(before.splitlines()) + 2  # fmt: skip
    assert "is damaged" in told(language, "get_job", {**job, "kind": "verify", "result": {"problems": ["A is damaged."]}}, job=12)


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_what_does_not_fit_is_told_with_its_numbers(language: str) -> None:
    def text(code: str, **details: Any) -> str:
        return error_text(language, {"code": code, "message": "In English.", "hint": "", "details": details}, {})

    big = {"repo": "acme/big", "needed_bytes": 90 << 30, "hardware": "a10", "hardware_bytes": 24 << 30, "fits": "2x a100"}
    assert all(part in text("too_big_for_hardware", **big) for part in ("acme/big", "90.0 GB", "24.0 GB", "2x a100"))
    nowhere = text("too_big_for_hardware", **big | {"hardware": "", "hardware_bytes": 0, "fits": ""})
    assert "90.0 GB" in nowhere
    assert "24.0 GB" not in nowhere
    assert "cpu-small" in text("no_such_hardware", hardware="a100", here=["cpu-small"])
    assert "English" not in text("no_such_hardware")
    assert "bob/a" in text("ambiguous_deployment", choices=["bob/a", "acme/a"])
    assert "**4**" in text("job_not_found", job=4)


@every_language
def test_a_secret_that_was_removed_is_not_told_as_set(language: str) -> None:
    args = {"target": "acme/app", "name": "KEY", "value": ""}
    result = {"target": "acme/app", "name": "KEY"}
    was_set = told(language, "set_secret", {**result, "is_set": True}, "write", **args)
    assert told(language, "set_secret", {**result, "is_set": False}, "destructive", **args) != was_set

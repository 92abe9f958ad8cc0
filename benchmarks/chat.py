"""How long a turn of a conversation takes with the built-in planner: alone, and a hundred people at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.hub import Hub, folder, running_hub
from benchmarks.report import Row, quantile

SUBJECT = "chat"
TURNS = 200
WARM_UP = 20
AT_ONCE = 100
# One way to ask for the same thing in each language.
QUESTIONS = ("show me {repo}", "看一下 {repo}", "{repo} を見せて", "{repo} 보여줘")
REPOS = ("tiny-chat", "support-bot", "ticket-router")


def measure() -> list[Row]:
    """A read tool by `POST /api/v1/chat`; each turn is a conversation of its own."""
    with folder() as scratch, running_hub(scratch / "hub") as hub:
        for name in REPOS:
            hub.tool("create_repo", name=f"admin/{name}", kind="model")
        hub.wait_for_all_parts()
        for number in range(WARM_UP):
            turn(hub, number)
        alone = [turn(hub, number) for number in range(TURNS)]
        tool = [tool_call(hub, number) for number in range(TURNS)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            began = time.perf_counter()
            together = list(pool.map(lambda number: turn(hub, number), range(AT_ONCE)))
            took = time.perf_counter() - began
    p50, p95 = quantile(alone, 0.5) * 1000, quantile(alone, 0.95) * 1000
    return [
        Row(SUBJECT, "turn with a read tool, p50", p50, "ms", quantile(tool, 0.5) * 1000, "same tool over REST"),
        Row(SUBJECT, "turn with a read tool, p95", p95, "ms", quantile(tool, 0.95) * 1000, "same tool over REST", "< 50 ms", p95 < 50),
        Row(SUBJECT, f"{AT_ONCE} conversations at once, all answered", took, "s", AT_ONCE * quantile(alone, 0.5), "one after the other"),
        Row(SUBJECT, f"{AT_ONCE} conversations at once, p95 of a turn", quantile(together, 0.95) * 1000, "ms"),
    ]


def turn(hub: Hub, number: int) -> float:
    """Ask about a repo, check that the answer is about it; the seconds it took."""
    repo = f"admin/{REPOS[number % len(REPOS)]}"
    began = time.perf_counter()
    answer = hub.post("/api/v1/chat", {"message": QUESTIONS[number % len(QUESTIONS)].format(repo=repo)})
    took = time.perf_counter() - began
    steps = [(step["tool"], step["args"].get("repo"), step["status"]) for step in answer["steps"]]
    if answer["outcome"] != "done" or steps != [("get_repo", repo, "ok")]:
        raise RuntimeError(f"not the answer that was asked for: {answer}")
    return took


def tool_call(hub: Hub, number: int) -> float:
    """The same without the agent."""
    began = time.perf_counter()
    hub.tool("get_repo", repo=f"admin/{REPOS[number % len(REPOS)]}")
    return time.perf_counter() - began

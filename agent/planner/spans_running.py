"""Finding hardware in a message, and deployments that are pointed at."""

from __future__ import annotations

import re

from agent.planner.document import Document, Span
from agent.planner.lexicon import cue, follow, talk
from agent.planner.types import Focus

_COUNTS = {
    "one": 1, "a": 1, "an": 1, "single": 1, "two": 2, "three": 3, "four": 4, "eight": 8, "一": 1, "两": 2, "二": 2, "三": 3, "四": 4, "八": 8,
    "한": 1, "하나": 1, "두": 2, "둘": 2, "세": 3, "네": 4, "ひとつ": 1, "ふたつ": 2,
}  # fmt: skip
_NAME = r"(?P<name>(?:a10g?|a30|a40|a100|a800|h20|h100|h200|h800|l4|l20|l40s?|t4|v100|p100|g?b200|mi300x|rtx ?\d{4}|910b)(?:-\d{2}gb)?|cpu-[a-z]{3,8}|[cg]pu)s?"
_WORD = "|".join(sorted(_COUNTS, key=len, reverse=True))
_COUNTER = r"(?:x|×|\*|times|张|块|个|枚|台|つ|本|장|개|대)"
_HARDWARE = re.compile(
    rf"(?:(?<![a-z0-9_./-])(?P<before>\d{{1,2}}|{_WORD})\s*{_COUNTER}?\s*(?:の|의)?\s*)?(?<![a-z0-9_./-])(?P<maker>nvidia |英伟达\s?)?{_NAME}(?:(?![a-z0-9_/-]|\.\d)|(?=\d{{1,2}} ?(?:枚|台|個|つ|장|개|대|张|块)))"
    rf"(?:\s?(?:gpu|card|卡|显卡))?(?:\s*(?:を|가|를|을|이)?\s*(?:x\s*)?(?P<after>\d{{1,2}}|{_WORD})\s*(?:張|{_COUNTER})(?![a-z]))?"
)
_SIZES = re.compile(r"(?<![a-z])(?P<size>small|medium|large|xlarge)\s*$")
# After these tools "it" is the deployment, not the model behind it.
RUNNING_TOOLS = (
    "deploy_model", "get_deployment", "list_deployments", "update_deployment", "rollback_deployment", "start_deployment", "stop_deployment",
    "restart_deployment", "scale_deployment", "try_deployment", "get_logs",
)  # fmt: skip


def find_hardware(doc: Document) -> None:
    """`one A10`, `2 x a100`, `A10を2枚`, `两张A100`, `CPU`: the value is `a10`, `2x a100`, `cpu`."""
    for match in _HARDWARE.finditer(doc.low):
        name = match["name"].replace(" ", "-")
        start = match.start()
        if name == "cpu" and (size := _SIZES.search(doc.low[:start])):
            name, start = f"cpu-{size['size']}", size.start()
        said = match["before"] or match["after"] or "1"
        count = int(said) if said.isdecimal() else _COUNTS[said]
        doc.add(Span(start, match.end(), "hardware", name if count == 1 else f"{count}x {name}"))


def find_pointed(doc: Document, focus: Focus) -> bool:
    """`it` and `the endpoint` where the thread is about a deployment."""
    if not focus.deployment or doc.of("deployment"):
        return False
    alone = focus.tool in RUNNING_TOOLS and not doc.of("repo", "repo_ref") and not cue("repo_noun").search(doc.masked)
    for pattern in (talk("pronoun_deployment"), *((follow("just_made"), talk("pronoun_repo")) if alone else ())):
        for match in pattern.finditer(doc.low):
            if doc.add(Span(match.start(), match.end(), "deployment", focus.deployment, (), "pronoun")):
                return True
    return False

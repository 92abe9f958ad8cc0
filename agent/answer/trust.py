"""What scans and checks of stored bytes found, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent.answer import parts
from agent.answer.parts import Step
from agent.answer.tables import raw_table
from agent.answer.words import message_with, plain, say, sentences, shown, word
from prompts import has_message

MAX_PROBLEMS = 20
MAX_FINDINGS = 30


def scanned(language: str, step: Step) -> str:
    """What a scan found, the worst first, and what to do about it; or that it goes on as a job."""
    result = step["result"]
    if result["status"] == "queued":
        text = say(language, "note.scan_queued", repo=plain(result["repo"]), job=result["job"])
        before = say(language, "note.scan_before", level=word(language, "level", result["level"]))
        return text if result["level"] == "unknown" else sentences(language, text, before)
    findings = result["findings"]
    told = [message_with(language, "done.scan_repo", parts.values(language, step))]
    if not findings:
        told.append(say(language, "note.scan_clean"))
    else:
        told.append(_findings(language, findings[:MAX_FINDINGS]))
        left = len(findings) - MAX_FINDINGS + result["more"] if len(findings) > MAX_FINDINGS else result["more"]
        told += [say(language, "note.findings_more", n=left)] if left else []
    if result["skipped"]:
        told.append(say(language, "note.scan_skipped", n=result["skipped"]))
    kinds = {item["kind"] for item in findings}
    return "\n\n".join([*told, *(say(language, f"advice.{kind}") for kind in ("secret", "pickle") if kind in kinds)])


def _findings(language: str, findings: list[dict[str, Any]]) -> str:
    heads = [say(language, f"table.{name}") for name in ("severity", "path", "rule", "detail")]
    rows = [
        [
            word(language, "level", item["level"]),
            f"{item['path']}:{item['line']}" if item["line"] else item["path"],
            word(language, "rule", item["rule"]) if item["kind"] == "pickle" else item["rule"],
            item["detail"],
        ]
        for item in findings
    ]
    return raw_table(heads, rows)


def _verified(language: str, step: Step) -> str:
    """Whether the stored bytes are as they should be, and what of them is not."""
    result = step["result"]
    if result["status"] == "queued":
        return say(language, "note.verify_queued", repo=plain(result["repo"]), job=result["job"])
    head = parts.head(language, step, found=say(language, "word.whole" if result["whole"] else "word.damaged"))
    lines = [f"- {parts.field(language, name)}{shown(language, name, result[name])}" for name in ("packs", "objects", "bytes")]
    return "\n\n".join(["\n".join([head, *lines, *problem_lines(language, result["problems"])]), *advice(language, result["problems"])])


def problem_lines(language: str, problems: list[str]) -> list[str]:
    """What is damaged, as a list."""
    if not problems:
        return []
    listed = [f"  - {plain(problem)}" for problem in problems[:MAX_PROBLEMS]]
    more = [f"  - {say(language, 'note.findings_more', n=len(problems) - MAX_PROBLEMS)}"] if len(problems) > MAX_PROBLEMS else []
    return [f"- {parts.field(language, 'problems')}{len(problems)}", *listed, *more]


def advice(language: str, problems: list[str]) -> list[str]:
    """What to do about damage."""
    return [say(language, "advice.damaged")] if problems else []


def outcome_lines(language: str, outcome: Mapping[str, Any]) -> list[str]:
    """What came of a job that scanned or checked a repo."""
    if has_message(language, f"word.level.{outcome.get('level')}"):
        told = (("level", word(language, "level", outcome["level"])), ("findings", str(outcome.get("findings", 0))))
        return [f"- {parts.field(language, name)}{text}" for name, text in told]
    if "problems" in outcome:
        whole = say(language, "word.damaged" if outcome["problems"] else "word.whole")
        return [f"- {parts.field(language, 'level')}{whole}", *problem_lines(language, outcome["problems"])]
    return []


RENDERERS: Mapping[str, Callable[[str, Step], str]] = {"verify_repo": _verified}

"""Results of jobs, discussions and collections in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.answer import parts
from agent.answer.parts import Step
from agent.answer.words import plain, word


def _job(language: str, step: Step) -> str:
    """How far a job is, or why it failed."""
    result = step["result"]
    told = {"job": result["id"], "kind": plain(result["kind"]), "status": word(language, "status", result["status"])}
    text = parts.head(language, step, **told)
    lines = parts.facts(language, step, ("progress", "message", "repo", "owner", "attempts", "created_at", "started_at", "finished_at"))
    error = result.get("error")
    why = f"\n- {parts.field(language, 'error')}{plain(error['message'])} {plain(error.get('hint', ''))}" if error else ""
    return text + lines.removeprefix(parts.head(language, step)) + why


RENDERERS: Mapping[str, Callable[[str, Step], str]] = {"get_job": _job}

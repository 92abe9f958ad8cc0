"""What would change, exactly: the text of approvals, previews and plans."""

from __future__ import annotations

from typing import Any

from agent.answer import training
from agent.answer.prices import cost_lines
from agent.answer.rollout import rollout_lines
from agent.answer.usage import fact_lines as usage_lines
from agent.answer.words import act, joined, plain, say, shown, word
from prompts import has_message

# Their way back is known only after the run.
_UNDONE_LATER = frozenset({"undo", "create_webhook", "start_finetune", "evaluate_model"})
# What can let more people see something, or use it.
_SERVES = frozenset({"deploy_model", "update_deployment"})
_SHOWS = frozenset({"set_visibility", "undo", "create_collection", "update_collection", "start_finetune"}) | _SERVES


def act_of(language: str, tool: str, plan: dict[str, Any] | None, args: dict[str, Any]) -> str:
    """A call as a phrase; an undo is told by what it does."""
    facts = (plan or {}).get("facts") or {}
    if tool == "undo" and isinstance(facts.get("tool"), str):
        return f"{act(language, 'undo', {})} ({act(language, facts['tool'], facts.get('args') or {})})"
    if "collection" in args and facts.get("title"):
        args = {**args, "collection": facts["title"]}  # its slug tells people nothing
    return act(language, tool, args)


def summary(language: str, tool: str, plan: dict[str, Any]) -> str:
    """The summary of an approval: the act, every change, and what follows from it."""
    lines = [
        f"**{act_of(language, tool, plan, plan.get('args') or {})}**",
        *change_lines(language, plan),
        *fact_lines(language, tool, plan),
    ]
    return "\n".join([lines[0], *(f"- {line}" for line in lines[1:])])


def change_lines(language: str, plan: dict[str, Any]) -> list[str]:
    """Each change with its value before and after."""
    lines = []
    for change in plan.get("changes") or []:
        what, before, after = str(change["what"]), change.get("before"), change.get("after")
        name = say(language, f"word.what.{what}") if has_message(language, f"word.what.{what}") else plain(what)
        kind = "added" if before is None else "removed" if after is None else "replaced"
        values = {"what": name, "before": shown(language, what, before), "after": shown(language, what, after)}
        lines.append(say(language, f"change.{kind}", **values))
    return lines


def fact_lines(language: str, tool: str, plan: dict[str, Any]) -> list[str]:
    """Who gains or loses what, how long there is a way back."""
    facts = plan.get("facts") or {}
    changes = {change["what"]: change for change in plan.get("changes") or []}
    lines = []
    if "restorable_days" in facts:
        lines.append(say(language, "fact.restorable", n=facts["restorable_days"]))
    if tool in _SHOWS and (audience := (changes.get("visibility") or {}).get("after")) in ("public", "internal"):
        lines.append(say(language, f"fact.{audience}{'_use' if tool in _SERVES else ''}"))
    lines += (
        cost_lines(language, facts)
        + training.cost_lines(language, facts)
        + rollout_lines(language, facts)
        + usage_lines(language, tool, facts)
    )
    lines += _role_lines(language, plan, changes)
    for key, names in (("members", facts.get("members")), ("orgs", facts.get("orgs")), ("files", facts.get("files"))):
        if isinstance(names, list | dict) and names:
            lines.append(say(language, f"fact.{key}", names=joined(language, names)))
    for key in ("tokens", "ssh_keys"):
        if isinstance(facts.get(key), int) and facts[key]:
            lines.append(say(language, f"fact.{key}", n=facts[key]))
    if isinstance(facts.get("files"), int) and facts["files"]:
        lines.append(say(language, "fact.files_lost", n=facts["files"]))
    if facts.get("ends_sessions"):
        lines.append(say(language, "fact.sessions"))
    if facts.get("title") and "revision" in (plan.get("args") or {}):
        lines.append(say(language, "fact.title", title=plain(facts["title"])))
    if facts.get("last_used_at"):
        lines.append(say(language, "fact.last_used", when=shown(language, "last_used_at", facts["last_used_at"])))
    if plan.get("effect") in ("destructive", "spend") and plan.get("undo") is None and tool not in _UNDONE_LATER:
        lines.append(say(language, "approve.cannot_undo"))
    return lines


def _role_lines(language: str, plan: dict[str, Any], changes: dict[str, Any]) -> list[str]:
    change = changes.get("role")
    if not change or change.get("after") is not None or not change.get("before"):
        return []
    facts, args = plan.get("facts") or {}, plan.get("args") or {}
    who = args.get("username") or facts.get("username")
    return [say(language, "fact.loses", username=who, role=word(language, "role", change["before"]))] if who else []


def preview(language: str, step: dict[str, Any]) -> str:
    """What an act would do, for somebody who only asked."""
    plan = step["plan"]
    lines = [say(language, "preview.head", act=act_of(language, step["tool"], plan, step["args"]))]
    details = [*change_lines(language, plan), *fact_lines(language, step["tool"], plan)]
    if not plan.get("changes"):
        details.append(say(language, "preview.nothing"))
    elif step["effect"] in ("destructive", "spend"):
        details.append(say(language, "preview.asks"))
    return "\n".join([*lines, *(f"- {line}" for line in details)])

"""From an answer to what a page draws: views (a component's name and its properties). Pure; serves every front end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chat_ui import presenter_data as data
from chat_ui import presenter_jobs as jobs
from chat_ui import presenter_usage as usage
from chat_ui.presenter_parts import View, facts_of
from chat_ui.presenter_running import deployment_card, deployment_table
from chat_ui.texts import Language, Texts, language_of, texts

MAX_VIEWS = 8
Result = dict[str, Any]
Drawing = Callable[[Result, dict[str, Any], Texts], list[View]]

# Tools whose result needs no picture: the sentence of the reply says it all.
PLAIN = frozenset({
    "help", "undo", "set_preference", "delete_repo", "like_repo", "unlike_repo", "watch_repo", "delete_file", "delete_branch",
    "delete_git_tag", "create_branch", "create_tag", "write_file", "upload_file", "move_file", "revert_commit",
    "get_logs", "try_deployment", "verify_repo",
})  # fmt: skip

DRAWINGS: dict[str, Drawing] = {
    "list_files": data.file_tree,
    "read_file": data.file_view,
    "compare_revisions": data.diff_view,
    "show_commit": data.diff_view,
    "inspect_model": data.model_card,
    "preview_dataset": data.data_page,
    "query_dataset": data.data_page,
    "describe_dataset": data.column_facts,
    "get_discussion": data.thread_view,
    "list_deployments": deployment_table,
    "get_usage": usage.usage_views,
    "get_metrics": usage.metrics_views,
    **dict.fromkeys(
        (
            "get_deployment",
            "deploy_model",
            "update_deployment",
            "rollback_deployment",
            "start_deployment",
            "stop_deployment",
            "restart_deployment",
            "scale_deployment",
        ),
        deployment_card,
    ),
    "get_job": jobs.job_view,
}


@dataclass(frozen=True, slots=True)
class ApprovalState:
    """What a page needs to know of an approval besides the answer that asked for it."""

    status: str
    expires_at: str
    plan: dict[str, Any]


def present(answer: Mapping[str, Any], approval: ApprovalState | None = None) -> list[View]:
    """The views of one answer, in the order of its steps, then the approval or the choices it asks for.

    Args:
        answer: an `Answer` as JSON, fresh or from the transcript.
        approval: the state of `answer["pending"]` now; None when it is not there any more.
    """
    words = texts(language_of(answer.get("language")))
    views: list[View] = []
    for step in answer.get("steps") or []:
        if step.get("status") == "ok":
            views.extend(step_views(step, words))
    views = views[:MAX_VIEWS]
    if answer.get("pending"):
        views.append(approval_view(answer["pending"], approval, words))
    if answer.get("outcome") == "needs_input" and answer.get("choices"):
        views.append(choices_view(answer["choices"], words))
    return views


def step_views(step: Mapping[str, Any], words: Texts) -> list[View]:
    """What to draw for one step that ran."""
    result: Result = step.get("result") or {}
    tool, args = str(step.get("tool")), dict(step.get("args") or {})
    secret = data.secret_card(result, args, words)
    if secret or tool in PLAIN:
        return secret
    if drawing := DRAWINGS.get(tool):
        return drawing(result, args, words)
    if _is_repo(result):
        return [View("RepoCard", {"repo": repo_props(result), "labels": words.card("RepoCard")})]
    items = result.get("items")
    if isinstance(items, list):
        return list_views(tool, items, bool(result.get("next")), words)
    return facts_views(tool, result, words) if step.get("effect") == "read" else []


def list_views(tool: str, items: Sequence[Any], more: bool, words: Texts) -> list[View]:
    """A list of repos, or any other list as a table; nothing for an empty one, the reply says so."""
    rows = [item for item in items if isinstance(item, dict)]
    if not rows:
        return []
    if all(_is_repo(row) for row in rows):
        props = {"items": [repo_props(row) for row in rows], "more": more, "labels": words.card("RepoList")}
        return [View("RepoList", props)]
    return [data.table_of(rows, words, title="", more=more, hide=data.HIDDEN_COLUMNS.get(tool, frozenset()))]


def facts_views(tool: str, result: Result, words: Texts) -> list[View]:
    """One thing with several facts, and the lists inside it as tables."""
    views: list[View] = []
    facts = facts_of(result, words)
    if len(facts) >= 3:
        title = str(result.get("name") or result.get("username") or result.get("id") or result.get("title") or tool)
        views.append(View("FactCard", {"title": title, "facts": facts, "labels": words.card("FactCard")}))
    for name, value in result.items():
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            views.append(data.table_of(value, words, title=words.change(name)))
    return views


def repo_props(repo: Mapping[str, Any]) -> dict[str, Any]:
    """What cards and lists show of a repo."""
    keys = ("id", "kind", "visibility", "description", "license", "owner", "role", "default_branch", "head", "updated_at", "deleted_at")
    props = {key: repo.get(key) for key in keys}
    return props | {"tags": list(repo.get("tags") or []), "likes": repo.get("likes") or 0, "downloads": repo.get("downloads") or 0}


def approval_view(pending: Mapping[str, Any], approval: ApprovalState | None, words: Texts) -> View:
    """The card that asks for, or tells of, a person's decision. Of all it carries, only the id is ever sent back."""
    plan = approval.plan if approval else {}
    changes = [change for change in plan.get("changes") or [] if isinstance(change, dict)]
    act, consequences = _summary_parts(str(pending.get("summary") or ""), len(changes))
    props = {
        "approval_id": pending.get("approval_id"),
        "tool": pending.get("tool"),
        "effect": pending.get("effect"),
        "act": act,
        "changes": [
            {"label": words.change(str(change.get("what"))), "before": change.get("before"), "after": change.get("after")}
            for change in changes
        ],
        "consequences": consequences,
        "reversible": bool(plan.get("undo")),
        "status": approval.status if approval else "withdrawn",
        "expires_at": approval.expires_at if approval else None,
        "labels": words.card("ApprovalCard"),
    }
    return View("ApprovalCard", props)


def _summary_parts(summary: str, changes: int) -> tuple[str, list[str]]:
    """The act, and what follows from it, of a summary: its first line, and its bullets after one for each change."""
    first, _, rest = summary.partition("\n")
    bullets = [line.removeprefix("- ").replace("**", "") for line in rest.split("\n") if line.strip()]
    return first.replace("**", ""), bullets[changes:] if len(bullets) >= changes else bullets


def choices_view(choices: Sequence[str], words: Texts) -> View:
    """Buttons for the answers that a question offers."""
    offered = []
    for choice in choices[:12]:
        kind, colon, name = choice.partition(":")
        known = words.cards["kinds"].get(kind) if colon else None
        offered.append({"send": choice, "label": name if known else choice, "hint": known})
    return View("Choices", {"choices": offered, "labels": words.card("Choices")})


def with_language(view: View, language: Language) -> dict[str, Any]:
    """A view's properties, with the language tag for dates and numbers."""
    return {**view.props, "lang": _tag(language)}


def _is_repo(result: Mapping[str, Any]) -> bool:
    return {"id", "kind", "visibility"} <= result.keys()


def _tag(language: Language) -> str:
    return {"en": "en", "zh": "zh-CN", "ja": "ja", "ko": "ko"}[language]

"""Keeps the thread's focus (what "it" and "the second one" mean) in step with what was called and shown."""

from __future__ import annotations

from typing import Any

from agent.planner.types import Focus

MAX_LISTED = 50
# Where the entity of a listed item is, by the tool that listed it: its type and the fields to look in.
LISTED: dict[str, tuple[str, tuple[str, ...]]] = {
    "search_repos": ("repo", ("id", "repo")),
    "list_users": ("user", ("username",)),
    "list_orgs": ("org", ("name", "org")),
    "list_tokens": ("token", ("name",)),
    "list_ssh_keys": ("ssh_key", ("title",)),
    "list_files": ("path", ("path", "name")),
    "list_branches": ("branch", ("name", "branch")),
    "list_git_tags": ("git_tag", ("name", "tag")),
    "list_commits": ("revision", ("commit",)),
    "get_lineage": ("repo", ("repo",)),
    "list_tags": ("tag", ("tag", "name")),
    "list_access": ("user", ("username",)),
    "get_org": ("user", ("username",)),
    "list_approvals": ("approval", ("approval_id", "id")),
    "list_collections": ("collection", ("slug", "collection", "id")),
    "get_collection": ("repo", ("repo",)),
    "list_discussions": ("discussion", ("number",)),
    "list_webhooks": ("webhook", ("url", "id")),
    "list_jobs": ("job", ("id", "job")),
    "list_deployments": ("deployment", ("name",)),
}
# Types of listed things that the focus has a field of the same name for.
_FOCUS_FIELDS = ("repo", "user", "path", "branch", "revision", "collection", "deployment")
_NEW_NAME_TOOLS = ("create_repo", "move_repo", "fork_repo", "restore_repo", "get_repo")


def after_call(focus: Focus, tool: str, args: dict[str, Any], result: dict[str, Any]) -> None:
    """Note a call that ran."""
    focus.tool, focus.args = tool, dict(args)
    note_args(focus, args)
    if tool in _NEW_NAME_TOOLS and isinstance(result.get("id"), str):
        if result["id"] != focus.repo:
            focus.branch = focus.revision = focus.git_tag = None
        focus.repo = result["id"]
    if tool == "create_org" and isinstance(args.get("name"), str):
        focus.org = args["name"]
    if tool == "write_file" and isinstance(args.get("path"), str):
        focus.path = args["path"]
    if tool.endswith("_collection"):
        focus.collection = result["slug"] if isinstance(result.get("slug"), str) else None
    if tool.endswith("_deployment") or tool in ("deploy_model", "get_logs"):
        focus.deployment = str(result["name"]) if isinstance(result.get("name"), str) else args.get("deployment") or args.get("target")
    if isinstance(result.get("number"), int) and not isinstance(result["number"], bool):
        focus.discussion = result["number"]
    if isinstance(result.get("commit"), str) and tool != "show_commit":
        focus.revision = result["commit"]
    items = result.get("items") if isinstance(result.get("items"), list) else result.get("members")
    if tool in LISTED and isinstance(items, list):
        focus.listed = _listed(tool, [item for item in items if not (isinstance(item, dict) and item.get("is_audience"))])
        _note_only_one(focus)
        if tool == "list_commits" and focus.listed:
            focus.revision = str(focus.listed[0]["value"])  # "the last commit" from now on


def _note_only_one(focus: Focus) -> None:
    """The only thing of its type on a list is what "it" means from now on."""
    if len(focus.listed) == 1 and focus.listed[0]["type"] in _FOCUS_FIELDS:
        setattr(focus, str(focus.listed[0]["type"]), str(focus.listed[0]["value"]))


def note_args(focus: Focus, args: dict[str, Any]) -> None:
    """Note the entities among the arguments of a call that ran, waits, or lacks something."""
    for key, field in (
        ("repo", "repo"), ("username", "user"), ("org", "org"), ("branch", "branch"), ("path", "path"), ("revision", "revision"), ("tag", "git_tag"),
        ("collection", "collection"), ("deployment", "deployment"), ("target", "deployment"),
    ):  # fmt: skip
        value = args.get(key)
        if isinstance(value, str) and value:
            setattr(focus, field, value)
    if isinstance(args.get("number"), int):
        focus.discussion = args["number"]


def _listed(tool: str, items: list[Any]) -> list[dict[str, Any]]:
    kind, fields = LISTED[tool]
    listed: list[dict[str, Any]] = []
    for item in items[:MAX_LISTED]:
        if isinstance(item, str):
            listed.append({"type": kind, "value": item, "kind": None})
        elif isinstance(item, dict):
            value = next((item[field] for field in fields if item.get(field)), None)
            if value is not None:
                listed.append(
                    {
                        "type": kind,
                        "value": str(value),
                        "kind": item.get("kind") or ("direct" if str(item.get("reason", "")).endswith("on this repo") else None),
                    }
                )
    return listed

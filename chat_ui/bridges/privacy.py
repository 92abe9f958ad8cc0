"""What may be said in front of a group: only what every signed-in person of the hub may see. All else is for the one who asked."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from agent.schema import Answer, StepView
from hub_core.authz import Actor, CredentialKind
from hub_core.repos.access import readable, visible
from hub_core.repos.tables import Repo
from hub_core.services import Services

# Whoever is signed in and belongs to nothing.
ANYBODY = Actor(user_id=-1, username="anybody", credential=CredentialKind.SESSION)
# Their results are the same for everybody.
COMMON = frozenset({"help", "list_hardware", "list_runtimes"})
# Their results tell of nothing but the repos that their arguments or items name.
OF_REPOS = frozenset({
    "search_repos", "get_repo", "list_files", "read_file", "get_download_command", "list_commits", "show_commit", "compare_revisions",
    "list_branches", "list_git_tags", "inspect_model", "preview_dataset", "describe_dataset", "list_discussions", "get_discussion",
    "set_tags", "update_repo", "write_file", "upload_file", "move_file", "delete_file", "revert_commit", "create_branch", "delete_branch",
    "create_tag", "delete_git_tag", "like_repo", "unlike_repo", "watch_repo", "set_visibility", "delete_repo", "open_discussion",
    "comment_discussion", "close_discussion", "reopen_discussion", "open_pull_request", "merge_pull_request",
})  # fmt: skip


def is_for_all(services: Services, actor: Actor, answer: Answer) -> bool:
    """Whether everything that an answer says may be read by everybody who has an account."""
    others = [
        item for item in services.approvals.pending(actor, answer.thread_id) if not answer.pending or item.id != answer.pending.approval_id
    ]
    if others or answer.outcome in ("needs_input", "error"):
        return False  # it may name what waits, or what the question is about
    steps = list(answer.steps)
    if services.settings.llm != "builtin":
        # A language model words its answers itself, from all that it was told in this conversation.
        for message in services.conversations.list_messages(actor, answer.thread_id, limit=5000):
            steps += [StepView.model_validate(step) for step in message.payload.get("steps") or []] if message.role == "assistant" else []
    return all(_is_open(services, step) for step in steps)


def _is_open(services: Services, step: StepView) -> bool:
    if step.tool in COMMON:
        return True
    if step.tool not in OF_REPOS:
        return False
    named = {str(step.args.get(key)) for key in ("repo", "other") if step.args.get(key)}
    named |= {
        str(item["id"])
        for item in step.result.get("items") or []
        if step.tool == "search_repos" and isinstance(item, dict) and "id" in item
    }
    if step.tool != "search_repos" and not named:
        return False
    return _all_open(services, named)


def _all_open(services: Services, names: Iterable[str]) -> bool:
    """Whether every repo of these names, of whatever kind, and what is in its files, is open to anybody signed in."""
    for name in names:
        namespace, slash, rest = name.partition("/")
        if not slash:
            return False
        is_open = sa.case((sa.and_(visible(ANYBODY), readable(ANYBODY)), 1), else_=0)
        query = sa.select(sa.func.count(), sa.func.sum(is_open)).where(Repo.namespace == namespace, Repo.key == rest.lower())
        with services.db.read() as session:
            count, opened = session.execute(query).one()
        if not count or count != opened:
            return False
    return True

"""Tools: pull requests: opened from a branch, merged."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hub_core.authz import Permission
from hub_core.discussions.texts import check_body, check_title
from hub_core.discussions.views import Status
from tools.catalog.discussions import BodyArg, DiscussionOut, OneDiscussion, TitleArg, back, discussion_facts
from tools.catalog.fields import BranchArg
from tools.catalog.repos import OneRepo, locate
from tools.contract import Call, Change, Effect, Plan, Tool, ToolContext

MAX_FILES = 20


class OpenPullRequestInput(OneRepo):
    """From which branch, into which, about what."""

    title: TitleArg
    branch: BranchArg
    body: BodyArg = ""
    base: Annotated[str, Field(description="The branch it goes into; the default branch unless said.", max_length=200)] = ""


class OpenPullRequest(Tool[OpenPullRequestInput, DiscussionOut]):
    """Open a pull request (merge request) that proposes to merge a branch; later commits of the branch come to it."""

    name, group, input, output = "open_pull_request", "community", OpenPullRequestInput, DiscussionOut
    effect, permission = Effect.WRITE, Permission.REPO_DISCUSS

    def plan(self, ctx: ToolContext, args: OpenPullRequestInput) -> Plan:
        """Check the right, the texts, and that the branch has something to bring."""
        repo, resolved = locate(ctx, args)
        heads = ctx.services.pulls.check_branch(ctx.actor, repo, args.branch, args.base)
        title = check_title(args.title)
        check_body(args.body, required=False)
        facts = {"repo": repo.full_name, "branch": heads.branch, "base": heads.base, "commit": heads.head}
        changes = (Change("pull_request", None, title),)
        return Plan(resolved | {"base": heads.base}, Effect.WRITE, changes, facts, None, repo)

    def run(self, ctx: ToolContext, args: OpenPullRequestInput, plan: Plan) -> DiscussionOut:
        """Open it."""
        made = ctx.services.pulls.open_from_branch(ctx.actor, plan.prepared, args.title, args.branch, args.body, base=args.base)
        return DiscussionOut(**discussion_facts(plan.prepared, made))

    def inverse(self, ctx: ToolContext, args: OpenPullRequestInput, plan: Plan, output: DiscussionOut) -> Call | None:
        """Close it."""
        return back("close_discussion", output)


class MergeInput(OneDiscussion):
    """Which pull request, and a last word."""

    comment: BodyArg = ""


class MergePullRequest(Tool[MergeInput, DiscussionOut]):
    """Merge a pull request (merge request) into its branch; refused with the files when both sides changed the same lines."""

    name, group, input, output = "merge_pull_request", "community", MergeInput, DiscussionOut
    effect, permission = Effect.WRITE, Permission.REPO_WRITE

    def plan(self, ctx: ToolContext, args: MergeInput) -> Plan:
        """What it brings to which branch."""
        repo, resolved = locate(ctx, args)
        changes = ctx.services.merges.check_merge(ctx.actor, repo, args.number)
        view = ctx.services.discussions.get(ctx.actor, repo, args.number)
        facts = {
            "repo": repo.full_name, "number": view.number, "title": view.title, "base": view.base, "commits": len(changes.commits),
            "files": [item.path for item in changes.files[:MAX_FILES]],
        }  # fmt: skip
        return Plan(resolved, Effect.WRITE, (Change("status", str(view.status), str(Status.MERGED)),), facts, None, repo)

    def run(self, ctx: ToolContext, args: MergeInput, plan: Plan) -> DiscussionOut:
        """Merge it."""
        merged = ctx.services.merges.merge(ctx.actor, plan.prepared, args.number, args.comment)
        return DiscussionOut(**discussion_facts(plan.prepared, merged))

    def inverse(self, ctx: ToolContext, args: MergeInput, plan: Plan, output: DiscussionOut) -> Call | None:
        """Revert the merge commit; where the branch had everything already there is none."""
        if not plan.facts["commits"]:
            return None
        return Call("revert_commit", {"repo": output.repo, "kind": output.kind, "revision": output.merge_commit, "branch": output.base})


TOOLS = (OpenPullRequest(), MergePullRequest())

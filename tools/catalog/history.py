"""Tools: history of a repo: commits, differences, branches, Git tags, revert."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from hub_core.authz import Permission
from hub_core.errors import AlreadyExists
from hub_core.git import CommitInfo, FileDiff
from hub_core.repos.tables import Repo
from tools.catalog.fields import BranchArg, GitTagArg, LimitArg, PathArg, RevisionArg
from tools.catalog.files import CommitOut
from tools.catalog.outputs import Page
from tools.catalog.repos import OneRepo, locate
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolOutput

NewBranchArg = Annotated[
    str, Slot(SlotType.NEW_NAME), Field(description="Name of the new branch.", min_length=1, max_length=200, examples=["dev"])
]
NewGitTagArg = Annotated[
    str, Slot(SlotType.NEW_NAME), Field(description="Name of the new Git tag.", min_length=1, max_length=200, examples=["v1.1"])
]


class CommitItem(ToolOutput):
    """A commit."""

    commit: str
    title: str
    message: str
    author: str
    at: dt.datetime
    parents: list[str]


class CommitList(Page):
    """Commits, newest first."""

    repo: str
    items: list[CommitItem]


class FileChangeItem(ToolOutput):
    """How one file differs."""

    path: str
    old_path: str | None = None
    status: str = Field(description="added, modified, deleted or renamed")
    additions: int
    deletions: int
    binary: bool
    patch: str = Field(description="Unified diff, limited in length.")
    truncated: bool = False


def commit_item(commit: CommitInfo) -> CommitItem:
    """A commit as a tool's result."""
    return CommitItem(
        commit=commit.sha, title=commit.title, message=commit.message, author=commit.author.name, at=commit.authored_at, parents=list(commit.parents)
    )  # fmt: skip


def diff_item(diff: FileDiff) -> FileChangeItem:
    """A file's difference as a tool's result."""
    return FileChangeItem(
        path=diff.path, old_path=diff.old_path, status=diff.status, additions=diff.additions, deletions=diff.deletions, binary=diff.binary,
        patch=diff.patch, truncated=diff.truncated,
    )  # fmt: skip


class ListCommitsInput(OneRepo):
    """Of which path, from which revision."""

    path: PathArg = ""
    revision: RevisionArg = ""
    limit: LimitArg = 20
    cursor: Annotated[str, Field(description="`next` of the page before.", max_length=64)] | None = None


class ListCommits(Tool[ListCommitsInput, CommitList]):
    """Show the commits of a repo, or of one file: who changed what, when."""

    name, group, input, output, permission = "list_commits", "files", ListCommitsInput, CommitList, Permission.REPO_READ

    def plan(self, ctx: ToolContext, args: ListCommitsInput) -> Plan:
        """Resolve the name."""
        repo, resolved = locate(ctx, args)
        return Plan(resolved, Effect.READ, prepared=repo)

    def run(self, ctx: ToolContext, args: ListCommitsInput, plan: Plan) -> CommitList:
        """Read the log."""
        found = ctx.services.history.log(
            ctx.actor, plan.prepared, path=args.path, revision=args.revision, limit=args.limit + 1, after=args.cursor
        )
        more = found[args.limit - 1].sha if len(found) > args.limit else None
        return CommitList(repo=plan.prepared.full_name, items=[commit_item(commit) for commit in found[: args.limit]], next=more)


class OneRevision(OneRepo):
    """Names a commit."""

    revision: RevisionArg


class CommitDetails(CommitItem):
    """A commit and its changes."""

    repo: str
    files: list[FileChangeItem]


class ShowCommit(Tool[OneRevision, CommitDetails]):
    """Show one commit: author, message and what it changed."""

    name, group, input, output, permission = "show_commit", "files", OneRevision, CommitDetails, Permission.REPO_FILES
    heavy = True

    def plan(self, ctx: ToolContext, args: OneRevision) -> Plan:
        """Resolve the name."""
        repo, resolved = locate(ctx, args, Permission.REPO_FILES)
        return Plan(resolved, Effect.READ, prepared=repo)

    def run(self, ctx: ToolContext, args: OneRevision, plan: Plan) -> CommitDetails:
        """Read it."""
        commit, files = ctx.services.history.show(ctx.actor, plan.prepared, args.revision)
        return CommitDetails(repo=plan.prepared.full_name, files=[diff_item(d) for d in files], **commit_item(commit).model_dump())


class CompareInput(OneRepo):
    """Which two revisions."""

    base: RevisionArg
    head: RevisionArg


class CompareOut(ToolOutput):
    """What `head` has beyond `base`."""

    repo: str
    base: str
    head: str
    commits: list[CommitItem]
    files: list[FileChangeItem]


class CompareRevisions(Tool[CompareInput, CompareOut]):
    """Compare two branches, tags or commits: the commits and the difference."""

    name, group, input, output, permission = "compare_revisions", "files", CompareInput, CompareOut, Permission.REPO_FILES
    heavy = True

    def plan(self, ctx: ToolContext, args: CompareInput) -> Plan:
        """Resolve the name."""
        repo, resolved = locate(ctx, args, Permission.REPO_FILES)
        return Plan(resolved, Effect.READ, prepared=repo)

    def run(self, ctx: ToolContext, args: CompareInput, plan: Plan) -> CompareOut:
        """Compare."""
        found = ctx.services.history.compare(ctx.actor, plan.prepared, args.base, args.head)
        return CompareOut(
            repo=plan.prepared.full_name, base=found.base, head=found.head, commits=[commit_item(c) for c in found.commits],
            files=[diff_item(d) for d in found.files],
        )  # fmt: skip


class RevertInput(OneRevision):
    """Which commit, on which branch."""

    branch: BranchArg | None = None


class RevertCommit(Tool[RevertInput, CommitOut]):
    """Take a commit back with a new commit that reverts it."""

    name, group, input, output = "revert_commit", "files", RevertInput, CommitOut
    effect, permission = Effect.WRITE, Permission.REPO_WRITE

    def plan(self, ctx: ToolContext, args: RevertInput) -> Plan:
        """Which files it touches."""
        repo, resolved = locate(ctx, args, Permission.REPO_WRITE)
        commit, files = ctx.services.history.show(ctx.actor, repo, args.revision)
        branch = args.branch or repo.default_branch
        facts = {"repo": repo.full_name, "branch": branch, "title": commit.title, "files": [d.path for d in files][:20]}
        changes = (Change("commit", commit.sha, None),)
        return Plan(resolved | {"revision": commit.sha, "branch": branch}, Effect.WRITE, changes, facts, None, (repo, branch, commit.sha))

    def run(self, ctx: ToolContext, args: RevertInput, plan: Plan) -> CommitOut:
        """Revert."""
        repo, branch, commit = plan.prepared
        made = ctx.services.history.revert(ctx.actor, repo, commit, branch=branch)
        return CommitOut(repo=repo.full_name, branch=branch, commit=made.commit, changed=made.changed)

    def inverse(self, ctx: ToolContext, args: RevertInput, plan: Plan, output: CommitOut) -> Call | None:
        """Revert the revert."""
        repo: Repo = plan.prepared[0]
        return Call("revert_commit", {"repo": repo.full_name, "kind": repo.kind, "revision": output.commit, "branch": output.branch})


class RefItem(ToolOutput):
    """A branch or Git tag."""

    name: str
    commit: str
    is_default: bool = False


class ListRefsInput(OneRepo):
    """A page of names, in their order."""

    limit: Annotated[int, Field(description="How many at most.", ge=1, le=1000)] = 1000
    cursor: Annotated[str, Field(description="`next` of the page before.", max_length=400)] = ""


class RefList(Page):
    """Branches or Git tags."""

    repo: str
    items: list[RefItem]


class _ListRefs(Tool[ListRefsInput, RefList]):
    group, input, output, permission = "files", ListRefsInput, RefList, Permission.REPO_READ

    def plan(self, ctx: ToolContext, args: ListRefsInput) -> Plan:
        """Resolve the name."""
        repo, resolved = locate(ctx, args)
        return Plan(resolved, Effect.READ, prepared=repo)


def _page(repo: Repo, args: ListRefsInput, found: dict[str, str], default: str = "") -> RefList:
    names = sorted(name for name in found if name > args.cursor)
    shown = names[: args.limit]
    items = [RefItem(name=name, commit=found[name], is_default=name == default) for name in shown]
    return RefList(repo=repo.full_name, items=items, next=shown[-1] if len(names) > len(shown) else None)


class ListBranches(_ListRefs):
    """List the branches of a repo."""

    name = "list_branches"

    def run(self, ctx: ToolContext, args: ListRefsInput, plan: Plan) -> RefList:
        """Read them."""
        repo: Repo = plan.prepared
        return _page(repo, args, ctx.services.history.branches(ctx.actor, repo), repo.default_branch)


class ListGitTags(_ListRefs):
    """List the Git tags (versions, releases) of a repo."""

    name = "list_git_tags"

    def run(self, ctx: ToolContext, args: ListRefsInput, plan: Plan) -> RefList:
        """Read them."""
        return _page(plan.prepared, args, ctx.services.history.git_tags(ctx.actor, plan.prepared))


class RefOut(ToolOutput):
    """A branch or Git tag that was made or deleted."""

    repo: str
    name: str
    commit: str = Field(description="Where it is, or was.")


class CreateBranchInput(OneRepo):
    """Name of the branch, and where it starts."""

    branch: NewBranchArg
    revision: RevisionArg = ""


class CreateBranch(Tool[CreateBranchInput, RefOut]):
    """Make a branch, at the default branch or another revision."""

    name, group, input, output = "create_branch", "files", CreateBranchInput, RefOut
    effect, permission = Effect.WRITE, Permission.REPO_WRITE

    def plan(self, ctx: ToolContext, args: CreateBranchInput) -> Plan:
        """Check that the name is free and the start is there."""
        repo, resolved = locate(ctx, args, Permission.REPO_WRITE)
        if args.branch in ctx.services.history.branches(ctx.actor, repo):
            raise AlreadyExists(f"There is a branch '{args.branch}' already.", hint="Choose another name.")
        start = ctx.services.history.resolve(ctx.actor, repo, args.revision)
        inverse = Call("delete_branch", {"repo": repo.full_name, "kind": repo.kind, "branch": args.branch})
        facts = {"repo": repo.full_name, "commit": start}
        return Plan(resolved, Effect.WRITE, (Change("branch", None, args.branch),), facts, inverse, repo)

    def run(self, ctx: ToolContext, args: CreateBranchInput, plan: Plan) -> RefOut:
        """Make it."""
        commit = ctx.services.history.create_branch(ctx.actor, plan.prepared, args.branch, args.revision)
        return RefOut(repo=plan.prepared.full_name, name=args.branch, commit=commit)


class OneBranch(OneRepo):
    """Names a branch."""

    branch: BranchArg


class DeleteBranch(Tool[OneBranch, RefOut]):
    """Delete a branch."""

    name, group, input, output = "delete_branch", "files", OneBranch, RefOut
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_WRITE

    def plan(self, ctx: ToolContext, args: OneBranch) -> Plan:
        """Where it is; making it again there undoes it."""
        repo, resolved = locate(ctx, args, Permission.REPO_WRITE)
        commit = ctx.services.history.check_branch_deletable(repo, args.branch)
        inverse = Call("create_branch", {"repo": repo.full_name, "kind": repo.kind, "branch": args.branch, "revision": commit})
        facts = {"repo": repo.full_name, "commit": commit}
        return Plan(resolved, Effect.DESTRUCTIVE, (Change("branch", args.branch, None),), facts, inverse, repo)

    def run(self, ctx: ToolContext, args: OneBranch, plan: Plan) -> RefOut:
        """Delete it."""
        commit = ctx.services.history.delete_branch(ctx.actor, plan.prepared, args.branch)
        return RefOut(repo=plan.prepared.full_name, name=args.branch, commit=commit)


class CreateTagInput(OneRepo):
    """Name of the Git tag, and the revision it marks."""

    tag: NewGitTagArg
    revision: RevisionArg = ""


class CreateTag(Tool[CreateTagInput, RefOut]):
    """Make a Git tag (a version, a release) at the default branch or another revision."""

    name, group, input, output = "create_tag", "files", CreateTagInput, RefOut
    effect, permission = Effect.WRITE, Permission.REPO_WRITE

    def plan(self, ctx: ToolContext, args: CreateTagInput) -> Plan:
        """Check that the name is free and the revision is there."""
        repo, resolved = locate(ctx, args, Permission.REPO_WRITE)
        if args.tag in ctx.services.history.git_tags(ctx.actor, repo):
            raise AlreadyExists(f"There is a Git tag '{args.tag}' already.", hint="Choose another name.")
        commit = ctx.services.history.resolve(ctx.actor, repo, args.revision)
        inverse = Call("delete_git_tag", {"repo": repo.full_name, "kind": repo.kind, "tag": args.tag})
        return Plan(resolved, Effect.WRITE, (Change("git_tag", None, args.tag),), {"repo": repo.full_name, "commit": commit}, inverse, repo)

    def run(self, ctx: ToolContext, args: CreateTagInput, plan: Plan) -> RefOut:
        """Make it."""
        commit = ctx.services.history.create_tag(ctx.actor, plan.prepared, args.tag, args.revision)
        return RefOut(repo=plan.prepared.full_name, name=args.tag, commit=commit)


class OneGitTag(OneRepo):
    """Names a Git tag."""

    tag: GitTagArg


class DeleteGitTag(Tool[OneGitTag, RefOut]):
    """Delete a Git tag."""

    name, group, input, output = "delete_git_tag", "files", OneGitTag, RefOut
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_WRITE

    def plan(self, ctx: ToolContext, args: OneGitTag) -> Plan:
        """Where it is; making it again there undoes it."""
        repo, resolved = locate(ctx, args, Permission.REPO_WRITE)
        commit, target = ctx.services.history.tag_commit(repo, args.tag), ctx.services.history.tag_target(repo, args.tag)
        inverse = Call("create_tag", {"repo": repo.full_name, "kind": repo.kind, "tag": args.tag, "revision": target})
        facts = {"repo": repo.full_name, "commit": commit}
        return Plan(resolved, Effect.DESTRUCTIVE, (Change("git_tag", args.tag, None),), facts, inverse, repo)

    def run(self, ctx: ToolContext, args: OneGitTag, plan: Plan) -> RefOut:
        """Delete it."""
        commit = ctx.services.history.delete_tag(ctx.actor, plan.prepared, args.tag)
        return RefOut(repo=plan.prepared.full_name, name=args.tag, commit=commit)


TOOLS = (
    ListCommits(), ShowCommit(), CompareRevisions(), RevertCommit(), ListBranches(), CreateBranch(), DeleteBranch(), ListGitTags(),
    CreateTag(), DeleteGitTag(),
)  # fmt: skip

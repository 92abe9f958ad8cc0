"""Tools: discussions of repos: opened, read, commented, closed. Pull requests take part in all of it; what is theirs alone is in `pull_requests`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, ClassVar

from pydantic import Field

from hub_core.authz import Permission
from hub_core.discussions.reading import DiscussionQuery
from hub_core.discussions.service import check_status
from hub_core.discussions.texts import MAX_BODY, MAX_TITLE, check_body, check_title
from hub_core.discussions.views import DiscussionView, EventView, Status, ThreadKind
from hub_core.errors import InvalidInput
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from tools.catalog.fields import DiscussionArg, LimitArg, UserArg
from tools.catalog.history import CommitItem, FileChangeItem, commit_item, diff_item
from tools.catalog.outputs import Page
from tools.catalog.repos import OneRepo, locate
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolOutput

MAX_SHOWN = 100
MAX_TEXT = 10_000
TitleArg = Annotated[
    str, Slot(SlotType.TEXT), Field(description="What it is about, in a line.", min_length=1, max_length=MAX_TITLE, examples=["Wrong licence in the card"])
]  # fmt: skip
BodyArg = Annotated[str, Slot(SlotType.TEXT), Field(description="The text, in Markdown.", max_length=MAX_BODY)]
ThreadKindArg = Annotated[
    RepoKind | ThreadKind, Slot(SlotType.KIND), Field(description="Kind of repo; `discussion` or `pull_request` is understood as `type`.")
]


class DiscussionOut(ToolOutput):
    """A discussion or pull request."""

    repo: str
    kind: str = Field(description="Kind of the repo.")
    number: int = Field(description="The repo's own count, of discussions and pull requests together.")
    title: str
    type: str = Field(description="discussion or pull_request")
    status: str = Field(description="open, draft, closed or merged")
    author: str
    created_at: dt.datetime
    updated_at: dt.datetime
    comments: int
    base: str = Field("", description="The branch that a pull request goes into.")
    branch: str = Field("", description="The branch that a pull request follows.")
    merge_commit: str = Field("", description="The commit that merged a pull request.")


class DiscussionList(Page):
    """Discussions and pull requests, the newest first."""

    repo: str
    items: list[DiscussionOut]


class EventItem(ToolOutput):
    """Something that happened."""

    id: int
    kind: str = Field(description="comment, status, title or commit")
    author: str
    at: dt.datetime
    text: str = Field(description="Of a comment its text, of the others the new status, the new title, the commit's first line.")
    commit: str = ""
    edited: bool = False
    hidden: bool = False


class DiscussionDetails(DiscussionOut):
    """A discussion with what was said, and what a pull request changes."""

    events: list[EventItem] = Field(description="What happened, in order; of more than 100 the newest.")
    truncated: bool = Field(description="Whether something is left out.")
    conflicts: list[str] = Field(default_factory=list, description="Files that its base has changed otherwise meanwhile.")
    commits: list[CommitItem] = Field(default_factory=list)
    files: list[FileChangeItem] = Field(default_factory=list, description="What a pull request changes.")


class OneDiscussion(OneRepo):
    """Names a discussion or pull request of a repo."""

    number: DiscussionArg


def discussion_facts(repo: Repo, view: DiscussionView) -> dict[str, Any]:
    """A discussion as fields of a result."""
    return {
        "repo": repo.full_name, "kind": repo.kind, "number": view.number, "title": view.title,
        "type": str(ThreadKind.PULL_REQUEST if view.is_pull_request else ThreadKind.DISCUSSION), "status": str(view.status),
        "author": view.author, "created_at": view.created_at, "updated_at": view.updated_at, "comments": view.comments,
        "base": view.base, "branch": view.branch, "merge_commit": view.merge_commit,
    }  # fmt: skip


def back(tool: str, output: DiscussionOut) -> Call:
    """A call of another tool about the same discussion."""
    return Call(tool, {"repo": output.repo, "kind": output.kind, "number": output.number})


class ListDiscussionsInput(OneRepo):
    """Of which repo, and which of them."""

    kind: ThreadKindArg | None = None  # type: ignore[assignment]
    type: Annotated[ThreadKind, Slot(SlotType.CHOICE), Field(description="Only discussions, or only pull requests.")] | None = None
    status: (
        Annotated[Status, Slot(SlotType.STATUS), Field(description="open (with drafts), draft, closed (with merged) or merged.")] | None
    ) = None
    author: UserArg | None = None
    limit: LimitArg = 20
    cursor: Annotated[str, Field(description="`next` of the page before.", max_length=20)] | None = None


class ListDiscussions(Tool[ListDiscussionsInput, DiscussionList]):
    """List the discussions and pull requests of a repo, all or the open ones, the newest first."""

    name, group, input, output, permission = "list_discussions", "community", ListDiscussionsInput, DiscussionList, Permission.REPO_READ

    def plan(self, ctx: ToolContext, args: ListDiscussionsInput) -> Plan:
        """Resolve the name."""
        asked = args
        if isinstance(args.kind, ThreadKind):
            asked = args.model_copy(update={"kind": None, "type": args.type or args.kind})
        repo, resolved = locate(ctx, asked)
        return Plan(resolved, Effect.READ, prepared=(repo, asked.type))

    def run(self, ctx: ToolContext, args: ListDiscussionsInput, plan: Plan) -> DiscussionList:
        """Read them."""
        repo, kind = plan.prepared
        wanted = DiscussionQuery(kind, args.status, args.author or "", before=_before(args.cursor), limit=args.limit)
        page = ctx.services.discussions.page(ctx.actor, repo, wanted)
        items = [DiscussionOut(**discussion_facts(repo, view)) for view in page.items]
        return DiscussionList(repo=repo.full_name, items=items, next=str(items[-1].number) if page.more else None)


def _before(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 10):
        raise InvalidInput("This cursor does not belong to this list.", hint="Start again without a cursor.")
    return int(cursor)


class GetDiscussion(Tool[OneDiscussion, DiscussionDetails]):
    """Show a discussion or pull request: what was said, and what a pull request changes."""

    name, group, input, output, permission = "get_discussion", "community", OneDiscussion, DiscussionDetails, Permission.REPO_READ
    heavy = True

    def plan(self, ctx: ToolContext, args: OneDiscussion) -> Plan:
        """Resolve the name."""
        repo, resolved = locate(ctx, args)
        return Plan(resolved, Effect.READ, prepared=repo)

    def run(self, ctx: ToolContext, args: OneDiscussion, plan: Plan) -> DiscussionDetails:
        """Read it."""
        repo: Repo = plan.prepared
        thread = ctx.services.discussions.thread(ctx.actor, repo, args.number)
        events = [_event(event) for event in thread.events[-MAX_SHOWN:]]
        truncated = thread.truncated or len(thread.events) > MAX_SHOWN or any(len(event.text) > MAX_TEXT for event in thread.events)
        found = DiscussionDetails(**discussion_facts(repo, thread.discussion), events=events, truncated=truncated)
        pull = thread.discussion.is_pull_request
        if pull and (changes := ctx.services.merges.changes_to_show(ctx.actor, repo, args.number)):
            found.conflicts = changes.conflicts
            found.commits = [commit_item(commit) for commit in changes.commits]
            found.files = [diff_item(item) for item in changes.files]
            found.truncated = found.truncated or changes.truncated
        return found


def _event(event: EventView) -> EventItem:
    commit = event.detail if str(event.kind) == "commit" else ""
    return EventItem(
        id=event.id, kind=str(event.kind), author=event.author, at=event.at, text=event.text[:MAX_TEXT], commit=commit,
        edited=event.edited_at is not None, hidden=event.hidden,
    )  # fmt: skip


class OpenDiscussionInput(OneRepo):
    """On which repo, about what."""

    title: TitleArg
    body: BodyArg = ""


class OpenDiscussion(Tool[OpenDiscussionInput, DiscussionOut]):
    """Open a discussion on a repo: a question, a remark, a report of something wrong."""

    name, group, input, output = "open_discussion", "community", OpenDiscussionInput, DiscussionOut
    effect, permission = Effect.WRITE, Permission.REPO_DISCUSS

    def plan(self, ctx: ToolContext, args: OpenDiscussionInput) -> Plan:
        """Check right and texts."""
        repo, resolved = locate(ctx, args)
        ctx.services.discussions.check_part(ctx.actor, repo)
        title = check_title(args.title)
        check_body(args.body, required=False)
        return Plan(resolved, Effect.WRITE, (Change("discussion", None, title),), {"repo": repo.full_name}, None, repo)

    def run(self, ctx: ToolContext, args: OpenDiscussionInput, plan: Plan) -> DiscussionOut:
        """Open it."""
        made = ctx.services.discussions.open(ctx.actor, plan.prepared, args.title, args.body)
        return DiscussionOut(**discussion_facts(plan.prepared, made))

    def inverse(self, ctx: ToolContext, args: OpenDiscussionInput, plan: Plan, output: DiscussionOut) -> Call | None:
        """Close it."""
        return back("close_discussion", output)


class CommentInput(OneDiscussion):
    """On which discussion, what."""

    body: Annotated[str, Slot(SlotType.TEXT), Field(description="The comment, in Markdown.", min_length=1, max_length=MAX_BODY)]


class CommentOut(DiscussionOut):
    """A discussion with a new comment."""

    comment: EventItem


class CommentDiscussion(Tool[CommentInput, CommentOut]):
    """Write a comment on a discussion or pull request, or reply to one."""

    name, group, input, output = "comment_discussion", "community", CommentInput, CommentOut
    effect, permission = Effect.WRITE, Permission.REPO_DISCUSS

    def plan(self, ctx: ToolContext, args: CommentInput) -> Plan:
        """Check right and text."""
        repo, resolved = locate(ctx, args)
        view = ctx.services.discussions.get(ctx.actor, repo, args.number)
        ctx.services.discussions.check_part(ctx.actor, repo)
        facts = {"repo": repo.full_name, "number": view.number, "title": view.title}
        return Plan(resolved, Effect.WRITE, (Change("comment", None, check_body(args.body)),), facts, None, repo)

    def run(self, ctx: ToolContext, args: CommentInput, plan: Plan) -> CommentOut:
        """Write it."""
        event = ctx.services.discussions.comment(ctx.actor, plan.prepared, args.number, args.body)
        view = ctx.services.discussions.get(ctx.actor, plan.prepared, args.number)
        return CommentOut(**discussion_facts(plan.prepared, view), comment=_event(event))


class StatusInput(OneDiscussion):
    """Which discussion, and a last word."""

    comment: BodyArg = ""


class _StatusTool(Tool[StatusInput, DiscussionOut]):
    status: ClassVar[Status]
    reverse: ClassVar[str]
    group, input, output = "community", StatusInput, DiscussionOut
    effect, permission = Effect.WRITE, Permission.REPO_DISCUSS

    def plan(self, ctx: ToolContext, args: StatusInput) -> Plan:
        """Check the right; nothing changes when it stands so already."""
        repo, resolved = locate(ctx, args)
        view = ctx.services.discussions.get(ctx.actor, repo, args.number)
        ctx.services.discussions.check_steering(ctx.actor, repo, args.number)
        facts = {"repo": repo.full_name, "number": view.number, "title": view.title}
        if view.status is self.status:
            return Plan(resolved, Effect.WRITE, (), facts, None, (repo, False))
        check_status(view, self.status)
        inverse = Call(self.reverse, {"repo": repo.full_name, "kind": repo.kind, "number": args.number})
        changes = (Change("status", str(view.status), str(self.status)),)
        return Plan(resolved, Effect.WRITE, changes, facts, inverse, (repo, True))

    def run(self, ctx: ToolContext, args: StatusInput, plan: Plan) -> DiscussionOut:
        """Set it."""
        repo, changes = plan.prepared
        if changes:
            ctx.services.discussions.set_status(ctx.actor, repo, args.number, self.status, args.comment)
        return DiscussionOut(**discussion_facts(repo, ctx.services.discussions.get(ctx.actor, repo, args.number)))


class CloseDiscussion(_StatusTool):
    """Close a discussion, or a pull request without merging it."""

    name, status, reverse = "close_discussion", Status.CLOSED, "reopen_discussion"


class ReopenDiscussion(_StatusTool):
    """Open a closed discussion or pull request again, or say that a draft is ready."""

    name, status, reverse = "reopen_discussion", Status.OPEN, "close_discussion"


TOOLS = (OpenDiscussion(), ListDiscussions(), GetDiscussion(), CommentDiscussion(), CloseDiscussion(), ReopenDiscussion())

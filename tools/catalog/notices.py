"""Tools: one's own notifications."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import Field

from hub_core.authz import Permission
from tools.catalog.fields import LimitArg, RepoArg
from tools.catalog.outputs import Page
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolInput, ToolOutput

MAX_UNDO = 1000


class NotificationOut(ToolOutput):
    """One notification."""

    id: int
    action: str = Field(description="As in the audit trail.", examples=["discussion.comment"])
    reason: str = Field(description="Why you: mention, addressed, admin, participant, owner or watching.")
    actor: str = Field(description="Who did it.")
    repo: str = Field(description="Where; empty for none.")
    kind: str = Field(description="Kind of that repo.")
    title: str = Field(description="Title of the discussion, or what it is about.")
    details: dict[str, Any]
    count: int = Field(description="How often it happened since you last read it.")
    at: dt.datetime
    read: bool


class NotificationList(Page):
    """Notifications, newest first."""

    items: list[NotificationOut]
    unread: int = Field(description="All that are unread.")


class ListNotificationsInput(ToolInput):
    """How many, which."""

    unread: Annotated[bool, Slot(SlotType.FLAG), Field(description="Only unread ones.")] = False
    limit: LimitArg = 20
    cursor: Annotated[str, Field(description="`next` of the page before.", max_length=80)] | None = None


class ListNotifications(Tool[ListNotificationsInput, NotificationList]):
    """Show what is new for you: mentions, answers, requests for access, ended jobs, pushes to repos you watch."""

    name, group, input, output = "list_notifications", "community", ListNotificationsInput, NotificationList
    permission = Permission.USER_READ

    def run(self, ctx: ToolContext, args: ListNotificationsInput, plan: Plan) -> NotificationList:
        """Read them."""
        page = ctx.services.notices.page(ctx.actor, unread=args.unread, limit=args.limit, cursor=args.cursor)
        items = [
            NotificationOut(
                id=n.id, action=n.action, reason=n.reason, actor=n.actor, repo=n.repo, kind=n.kind, title=n.title, details=n.details,
                count=n.count, at=n.at, read=n.read,
            )
            for n in page.items
        ]  # fmt: skip
        return NotificationList(items=items, next=page.next, unread=page.unread)


class MarkInput(ToolInput):
    """Which ones; all unless told."""

    repo: RepoArg | None = None
    ids: Annotated[list[Annotated[int, Field(ge=1, le=2**53)]], Field(description="Only these, by id.", max_length=MAX_UNDO)] | None = None
    read: Annotated[bool, Slot(SlotType.FLAG), Field(description="false marks them unread again.")] = True


class MarkOut(ToolOutput):
    """What was marked."""

    marked: int
    unread: int = Field(description="How many are unread now.")


class MarkNotificationsRead(Tool[MarkInput, MarkOut]):
    """Mark one's own notifications as read: all, or those about one repo."""

    name, group, input, output = "mark_notifications_read", "community", MarkInput, MarkOut
    effect, permission = Effect.WRITE, Permission.USER_SELF

    def plan(self, ctx: ToolContext, args: MarkInput) -> Plan:
        """How many would change."""
        resolved = args.model_dump(mode="json", exclude_none=True)
        repo = ctx.services.repos.find(ctx.actor, args.repo) if args.repo else None
        if repo is not None:
            resolved["repo"] = f"{repo.kind}:{repo.full_name}"
        ids = ctx.services.notices.to_mark(ctx.actor, repo_id=repo.id if repo else None, ids=args.ids, read=args.read)
        changes = (Change("unread" if args.read else "read", len(ids), 0),) if ids else ()
        back = Call("mark_notifications_read", {"ids": ids, "read": not args.read}) if 0 < len(ids) <= MAX_UNDO else None
        return Plan(resolved, Effect.WRITE, changes, {}, back, ids)

    def run(self, ctx: ToolContext, args: MarkInput, plan: Plan) -> MarkOut:
        """Mark them."""
        ctx.services.notices.mark(ctx.actor, plan.prepared, read=args.read)
        return MarkOut(marked=len(plan.prepared), unread=ctx.services.notices.page(ctx.actor, limit=1).unread)


TOOLS = (ListNotifications(), MarkNotificationsRead())

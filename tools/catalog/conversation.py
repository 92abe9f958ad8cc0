"""Tools about the conversation itself: help, undo, preferences, what waits for approval."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import Field

from hub_core.accounts.preferences import changed
from hub_core.authz import Permission, require_scope
from hub_core.conversations.views import UndoView
from tools.catalog.outputs import Page
from tools.contract import Call, Change, Effect, NoInput, Plan, Slot, SlotType, Tool, ToolContext, ToolInput, ToolOutput


class HelpInput(ToolInput):
    """What about."""

    topic: Annotated[
        str, Slot(SlotType.TEXT), Field(description="A group of tools, a tool, or words; everything when left out.", max_length=200)
    ] = ""


class HelpItem(ToolOutput):
    """One thing the hub can do."""

    tool: str
    description: str
    effect: str


class HelpGroup(ToolOutput):
    """Things of one kind."""

    group: str
    tools: list[HelpItem]


class HelpOut(ToolOutput):
    """What the hub can do."""

    topic: str
    groups: list[HelpGroup]


class Help(Tool[HelpInput, HelpOut]):
    """Say what can be done here, in general or about a topic, with examples."""

    name, group, input, output, permission = "help", "conversation", HelpInput, HelpOut, Permission.CHAT

    def run(self, ctx: ToolContext, args: HelpInput, plan: Plan) -> HelpOut:
        """Pick the tools of the topic; an unknown topic gets everything."""
        from tools.registry import default_registry, describe

        words = args.topic.casefold().replace("_", " ").split()
        every = [(tool, f"{tool.group} {tool.name} {describe(tool)}".casefold().replace("_", " ")) for tool in default_registry()]
        fitting = [tool for tool, text in every if words and all(word.rstrip("s") in text for word in words)] or [tool for tool, _ in every]
        groups: dict[str, list[HelpItem]] = {}
        for tool in fitting:
            item = HelpItem(tool=tool.name, description=describe(tool), effect=str(tool.effect))
            groups.setdefault(tool.group, []).append(item)
        return HelpOut(topic=args.topic, groups=[HelpGroup(group=group, tools=tools) for group, tools in groups.items()])


class UndoOut(ToolOutput):
    """What was reverted, and by which call."""

    undone: str = Field(description="The tool whose change was reverted.")
    undone_args: dict[str, Any]
    tool: str = Field(description="The tool that reverted it.")
    args: dict[str, Any]
    result: dict[str, Any] = Field(default_factory=dict)


class Undo(Tool[NoInput, UndoOut]):
    """Take back the last change made in this conversation. Asks first when taking it back would itself need approval."""

    name, group, output = "undo", "conversation", UndoOut
    effect, permission = Effect.DESTRUCTIVE, Permission.CHAT

    def plan(self, ctx: ToolContext, args: NoInput) -> Plan:
        """The plan of the inverse call, with the caller's rights of now."""
        from tools.registry import default_registry

        entry = ctx.services.conversations.last_undo(ctx.actor, ctx.thread_id)
        tool = default_registry().get(entry.inverse_tool)
        require_scope(ctx.actor, tool.permission)
        inner_args = tool.input.model_validate(entry.inverse_args)
        inner = tool.plan(ctx, inner_args)
        facts = {**inner.facts, "tool": entry.inverse_tool, "args": inner.args, "undone": entry.tool, "undone_args": entry.args}
        return Plan({}, inner.effect, inner.changes, facts, None, (entry, tool, inner_args, inner))

    def run(self, ctx: ToolContext, args: NoInput, plan: Plan) -> UndoOut:
        """Run the inverse call. It is claimed first, so that two undos at once cannot both do it."""
        entry: UndoView
        entry, tool, inner_args, inner = plan.prepared
        ctx.services.conversations.claim_undo(ctx.actor, entry.id)
        try:
            output = tool.run(ctx, inner_args, inner)
        except BaseException:
            ctx.services.conversations.release_undo(ctx.actor, entry.id)
            raise
        result = output.model_dump(mode="json", exclude_none=True)
        return UndoOut(undone=entry.tool, undone_args=entry.args, tool=entry.inverse_tool, args=inner.args, result=result)


class SetPreferenceInput(ToolInput):
    """Which preference, and its value."""

    key: Annotated[
        str, Slot(SlotType.CHOICE), Field(description="language, hardware, or alias.NAME.", max_length=80, examples=["language"])
    ]
    value: Annotated[str, Slot(SlotType.LANGUAGE), Field(description="The value; empty removes it.", max_length=200, examples=["ja"])]


class PreferenceOut(ToolOutput):
    """A preference after the change."""

    key: str
    value: str


class SetPreference(Tool[SetPreferenceInput, PreferenceOut]):
    """Set a preference: the language of answers, the usual hardware, or a short name (alias) for something."""

    name, group, input, output = "set_preference", "conversation", SetPreferenceInput, PreferenceOut
    effect, permission = Effect.WRITE, Permission.USER_SELF

    def plan(self, ctx: ToolContext, args: SetPreferenceInput) -> Plan:
        """Old and new value."""
        key = args.key.strip().lower()
        held = ctx.services.users.preferences(ctx.actor)
        after = changed(held, key, args.value)
        before, value = held.get(key), after.get(key)
        changes = (Change(key, before, value),) if before != value else ()
        inverse = Call("set_preference", {"key": key, "value": before or ""}) if changes else None
        return Plan({"key": key, "value": value or ""}, Effect.WRITE, changes, {}, inverse)

    def run(self, ctx: ToolContext, args: SetPreferenceInput, plan: Plan) -> PreferenceOut:
        """Set it."""
        ctx.services.users.set_preference(ctx.actor, plan.args["key"], plan.args["value"] or None)
        return PreferenceOut(key=plan.args["key"], value=plan.args["value"])


class PreferencesOut(ToolOutput):
    """The caller's preferences."""

    preferences: dict[str, str]


class GetPreferences(Tool[NoInput, PreferencesOut]):
    """Show one's preferences."""

    name, group, output, permission = "get_preferences", "conversation", PreferencesOut, Permission.CHAT

    def run(self, ctx: ToolContext, args: NoInput, plan: Plan) -> PreferencesOut:
        """Read them."""
        return PreferencesOut(preferences=ctx.services.users.preferences(ctx.actor))


class ApprovalItem(ToolOutput):
    """An act that waits for the caller's approval."""

    approval_id: str
    tool: str
    args: dict[str, Any]
    effect: str
    thread_id: str | None
    created_at: dt.datetime
    expires_at: dt.datetime
    changes: list[dict[str, Any]]


class ApprovalList(Page):
    """What waits for the caller's approval."""

    items: list[ApprovalItem]


class ListApprovals(Tool[NoInput, ApprovalList]):
    """List the acts that wait for one's approval, in all conversations."""

    name, group, output, permission = "list_approvals", "conversation", ApprovalList, Permission.CHAT

    def run(self, ctx: ToolContext, args: NoInput, plan: Plan) -> ApprovalList:
        """Read them, oldest first."""
        items = [
            ApprovalItem(
                approval_id=found.id,
                tool=found.tool,
                args=found.args,
                effect=found.effect,
                thread_id=found.thread_id,
                created_at=found.created_at,
                expires_at=found.expires_at,
                changes=found.plan.get("changes", []),
            )
            for found in ctx.services.approvals.pending(ctx.actor)
        ]
        return ApprovalList(items=items)


TOOLS = (Help(), Undo(), SetPreference(), GetPreferences(), ListApprovals())

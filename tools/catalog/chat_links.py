"""Tools about the chat accounts (Slack, WeChat, WeCom) that act as one's own."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from hub_core.authz import Permission
from hub_core.bridges.links import LinkView
from hub_core.bridges.names import label, meant
from tools.catalog.outputs import Page
from tools.contract import Change, Effect, NoInput, Plan, Slot, SlotType, Tool, ToolContext, ToolInput, ToolOutput


class ChatLinkOut(ToolOutput):
    """A chat account that acts as one's own."""

    number: int = Field(description="To say which one.", examples=[3])
    platform: str = Field(examples=["slack"])
    name: str = Field(description="As the platform shows it; its id where it does not tell.", examples=["Ada"])
    linked_at: dt.datetime | None


class ChatLinkList(Page):
    """Linked chat accounts, by platform."""

    items: list[ChatLinkOut]


class UnlinkChatInput(ToolInput):
    """Which one."""

    link: Annotated[
        str,
        Slot(SlotType.CHOICE),
        Field(
            description="The platform (`slack`, `wechat`, `wecom`, or `here` for the one it is said on), the number from the list, or the name there.",
            min_length=1,
            max_length=200,
            examples=["slack"],
        ),
    ]


class UnlinkedOut(ToolOutput):
    """What is not linked any more."""

    platform: str
    name: str
    unlinked: bool = True


class ListChatLinks(Tool[NoInput, ChatLinkList]):
    """List the chat accounts (Slack, WeChat, WeCom) that are linked with one's own account."""

    name, group, output = "list_chat_links", "credentials", ChatLinkList
    permission = Permission.CREDENTIALS

    def run(self, ctx: ToolContext, args: NoInput, plan: Plan) -> ChatLinkList:
        """Read them."""
        return ChatLinkList(items=[_shown(link) for link in ctx.services.bridges.links(ctx.actor)])


class UnlinkChat(Tool[UnlinkChatInput, UnlinkedOut]):
    """Unlink a chat account, so that it does not act as one's own any more; linking it again takes a minute."""

    name, group, input, output = "unlink_chat", "credentials", UnlinkChatInput, UnlinkedOut
    effect, permission = Effect.DESTRUCTIVE, Permission.CREDENTIALS

    def plan(self, ctx: ToolContext, args: UnlinkChatInput) -> Plan:
        """The link that goes."""
        link = meant(ctx.services.bridges.links(ctx.actor), args.link, ctx.actor.channel)
        return Plan({"link": label(link)}, Effect.DESTRUCTIVE, (Change("chat_link", label(link), None),), prepared=link.id)

    def run(self, ctx: ToolContext, args: UnlinkChatInput, plan: Plan) -> UnlinkedOut:
        """Take it back."""
        gone = _shown(ctx.services.bridges.unlink(ctx.actor, plan.prepared))
        return UnlinkedOut(platform=gone.platform, name=gone.name)


def _shown(link: LinkView) -> ChatLinkOut:
    return ChatLinkOut(number=link.id, platform=link.platform, name=link.name or link.person, linked_at=link.linked_at)


TOOLS = (ListChatLinks(), UnlinkChat())

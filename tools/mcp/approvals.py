"""Approvals as MCP clients see them: an act that waits, and what became of it. Nothing here settles one: a person does, elsewhere."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import Field

from hub_core.approvals.service import ApprovalView
from hub_core.authz import Permission, require_scope
from hub_core.db import utcnow
from hub_core.http.paths import approval_address
from tools.contract import ToolInput, ToolOutput
from tools.invoke import Waiting
from tools.mcp.connection import Connection

GET_APPROVAL = "get_approval"
MAX_WAIT_S = 30
TITLE = "MCP"


class PendingApproval(ToolOutput):
    """The act waits for a person's approval; nothing has changed."""

    status: Literal["pending_approval"] = "pending_approval"
    approval_id: str
    tool: str
    args: dict[str, Any] = Field(description="Resolved arguments.")
    effect: str
    summary: str = Field(description="Exactly what will change, in the person's language (Markdown).")
    changes: list[dict[str, Any]]
    approve_url: str = Field(description="Where the person approves or refuses it, signed in, in a browser.")
    expires_at: dt.datetime


class GetApprovalInput(ToolInput):
    """Which approval."""

    approval_id: Annotated[str, Field(description="`approval_id` of a call that waits.", min_length=1, max_length=64)]
    wait_s: Annotated[int, Field(description="Wait so many seconds for the person's answer before telling.", ge=0, le=MAX_WAIT_S)] = 0


class ApprovalState(ToolOutput):
    """How an act stands that waited for approval."""

    approval_id: str
    status: Literal["pending", "approved", "rejected", "expired", "withdrawn", "executed", "failed"] = Field(
        description="pending: nobody has answered yet; executed: it was approved and done; failed: it was approved and could not be done."
    )
    tool: str
    args: dict[str, Any]
    effect: str
    summary: str
    approve_url: str
    created_at: dt.datetime
    expires_at: dt.datetime
    decided_at: dt.datetime | None
    result: dict[str, Any] | None = Field(None, description="What the tool returned, once it was executed; secrets are left out.")


def pending(connection: Connection, waiting: Waiting) -> PendingApproval:
    """A call that was parked, with the conversation in which the person will find it."""
    approval = waiting.approval
    connection.services.conversations.ensure_thread(connection.actor, connection.thread_id, TITLE)
    return PendingApproval(
        approval_id=approval.id,
        tool=approval.tool,
        args=approval.args,
        effect=approval.effect,
        summary=_summary(connection, approval),
        changes=approval.plan.get("changes", []),
        approve_url=_address(connection, approval),
        expires_at=approval.expires_at,
    )


def told(waiting: PendingApproval) -> str:
    """The same in words, for a model."""
    return (
        f"Nothing has changed yet: this needs a person's approval.\n\n{waiting.summary}\n\n"
        f"Ask the person to open {waiting.approve_url} and decide before {waiting.expires_at:%Y-%m-%d %H:%M} UTC. "
        f"You cannot approve it. {GET_APPROVAL} with approval_id '{waiting.approval_id}' tells what became of it; do not call {waiting.tool} again."
    )


def state(connection: Connection, approval_id: str) -> ApprovalState:
    """How one of the caller's own approvals stands.

    Raises:
        ApprovalNotFound: none of that id, or somebody else's.
        PermissionDenied: the token cannot take part in conversations.
    """
    require_scope(connection.actor, Permission.CHAT)
    service = connection.services.approvals
    approval = service.get(connection.actor, approval_id)
    overdue = approval.status == "pending" and approval.expires_at <= utcnow()
    ran = approval.status == "executed"
    return ApprovalState(
        approval_id=approval.id,
        status="expired" if overdue else approval.status,  # type: ignore[arg-type]
        tool=approval.tool,
        args=approval.args,
        effect=approval.effect,
        summary=_summary(connection, approval),
        approve_url=_address(connection, approval),
        created_at=approval.created_at,
        expires_at=approval.expires_at,
        decided_at=approval.decided_at,
        result=service.execution_result(connection.actor, f"approval:{approval.id}") if ran else None,
    )


def _summary(connection: Connection, approval: ApprovalView) -> str:
    return connection.summary(connection.language, approval.tool, approval.plan)


def _address(connection: Connection, approval: ApprovalView) -> str:
    return approval_address(connection.address, approval.id)

"""Settles an approval: the one way from a person's answer to a run, whatever the channel."""

from __future__ import annotations

from hub_core.approvals.service import ApprovalView, Decision
from hub_core.authz import require_scope
from tools import invoke
from tools.contract import ToolContext
from tools.registry import default_registry


def decide(ctx: ToolContext, approval_id: str, decision: Decision) -> tuple[ApprovalView, invoke.Done | None]:
    """Settle a pending approval of the caller's and, when approved, run the act with the caller's rights of now.

    Returns:
        The approval, and what was done (None when rejected).

    Raises:
        ApprovalNotFound, ApprovalExpired, ApprovalSettled: it cannot be answered (any more).
        PermissionDenied: this credential cannot carry the act; the approval goes on waiting.
        HubError: it was approved, and then the act failed; nothing was changed.
    """
    approvals = ctx.services.approvals
    approval = approvals.get(ctx.actor, approval_id)
    if decision == "approve" and approval.status == "pending":
        require_scope(ctx.actor, default_registry().get(approval.tool).permission)
    settled = approvals.decide(ctx.actor, approval_id, decision)
    if decision == "reject":
        return settled, None
    try:
        done = invoke.run_approved(ctx, settled)
    except BaseException:
        approvals.finish(ctx.actor, approval_id, "failed")
        raise
    approvals.finish(ctx.actor, approval_id, "executed")
    return settled, done

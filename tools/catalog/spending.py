"""What people are told of the budget before they agree to spend."""

from __future__ import annotations

from typing import Any

from tools.contract import ToolContext


def budget_facts(ctx: ToolContext, owner_id: int, price_per_hour: float) -> dict[str, Any]:
    """What is left of the budget that pays for it, and for how long that will do at this price; empty where there is none.

    Whoever may spend of a budget may know what is left of it.

    Raises:
        BudgetSpent: nothing is left.
    """
    if price_per_hour <= 0:
        return {}
    state = ctx.services.budgets.check(owner_id)
    if state is None:
        return {}
    told = {"owner": state.owner, "period": str(state.period), "amount": state.amount, "left": round(state.left, 4)}
    lasts_s = state.left / price_per_hour * 3600
    return {"budget": told | ({"lasts_s": round(lasts_s)} if lasts_s < (state.ends_at - state.now).total_seconds() else {})}

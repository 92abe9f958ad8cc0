"""How a deployment's row keeps a reason: its English text, and the codes and values of its sentences."""

from __future__ import annotations

from typing import Any

from hub_core.clusters.reasons import because, parts_of
from hub_core.deployments.tables import Deployment

MAX_REASON = 600
TAKEN_UP = because("taken_up")


def reason_values(reason: str) -> dict[str, Any]:
    """The columns of a reason."""
    parts = [{"code": code, "params": values} for code, values in parts_of(reason)]
    return {"reason": str(reason)[:MAX_REASON], "reasons": parts}


def tell(row: Deployment, reason: str) -> None:
    """Set the reason of a deployment."""
    for name, value in reason_values(reason).items():
        setattr(row, name, value)

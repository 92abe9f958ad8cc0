"""How a deployment's row keeps a reason: its English text, and the codes and values of its sentences."""

from __future__ import annotations

from typing import Any

from hub_core.clusters.reasons import because, parts_of, together
from hub_core.deployments.tables import Deployment

MAX_REASON = 600
TAKEN_UP = because("taken_up")


def reason_values(reason: str) -> dict[str, Any]:
    """The columns of a reason."""
    parts = [{"code": code, "params": values} for code, values in parts_of(reason)]
    return {"reason": str(reason)[:MAX_REASON], "reasons": parts}


def told_by_hub(row: Deployment) -> str:
    """Why the hub itself stopped a deployment; empty where a person did."""
    return together(*(because(part["code"], **part["params"]) for part in row.stopped_why)) if row.stopped else ""


def tell(row: Deployment, reason: str) -> None:
    """Set the reason of a deployment."""
    for name, value in reason_values(reason).items():
        setattr(row, name, value)

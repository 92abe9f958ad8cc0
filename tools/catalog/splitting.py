"""What people are told before two revisions share the requests: who takes how much, and what both cost meanwhile."""

from __future__ import annotations

from typing import Any

from hub_core.deployments.service import Found
from hub_core.deployments.specs import Spec
from hub_core.deployments.traffic import ALL, copies_of_new
from hub_core.running_errors import NoSuchHardware
from tools.contract import Call, Effect, ToolContext


def new_split(ctx: ToolContext, one: Found, spec: Spec, percent: int) -> dict[str, Any]:
    """The facts of a roll-out that begins: the new revision beside the one that answers now."""
    view = one.view
    stays = view.split[-1] if view.split else None
    older = stays.hardware if stays else view.hardware
    number = stays.revision if stays else view.serving or view.revision
    return _facts(ctx, percent, max(1, view.replicas), number, older, str(spec.hardware))


def moved_split(ctx: ToolContext, one: Found, percent: int) -> dict[str, Any]:
    """The facts of another share for a roll-out that is under way."""
    newer, older = one.view.split
    return _facts(ctx, percent, max(1, one.view.replicas), older.revision, older.hardware, newer.hardware)


def shift_effect(one: Found, percent: int) -> Effect:
    """To take a roll-out back interrupts it, as a rollback does; more copies cost more; the rest can be shifted back."""
    if percent == 0:
        return Effect.DESTRUCTIVE
    newer = one.view.split[0]
    more = percent < ALL and copies_of_new(max(1, one.view.replicas), percent) > newer.replicas
    return Effect.SPEND if more and newer.price_per_hour else Effect.WRITE


def shift_inverse(one: Found, percent: int) -> Call:
    """The way back: the share of before; what was taken back is rolled out anew, what was completed is rolled back."""
    view = one.view
    if percent == ALL:
        return Call("rollback_deployment", {"deployment": view.name})
    args: dict[str, Any] = {"deployment": view.name, "traffic": view.traffic}
    if percent == 0:
        args |= {"revision": view.commit, "hardware": view.hardware}
        args |= {"environment": [f"{name}={value}" for name, value in view.environment.items()]} if view.environment else {}
    return Call("update_deployment", args)


def _facts(ctx: ToolContext, percent: int, replicas: int, number: int, older: str, newer: str) -> dict[str, Any]:
    copies = copies_of_new(replicas, percent)
    total = 0.0
    for name, count in ((older, replicas), (newer, copies)):
        try:
            total += ctx.services.platform.hardware.get(name).price * count
        except NoSuchHardware:
            continue  # the operator took it out of the catalogue
    return {
        "split": {
            "percent": percent, "rest": ALL - percent, "older": number, "newer_hardware": newer, "older_hardware": older,
            "newer_copies": copies, "older_copies": replicas, "price_per_hour": round(total, 4),
            "currency": ctx.services.platform.hardware.currency,
        }
    }  # fmt: skip

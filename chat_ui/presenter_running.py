"""Deployments on the page: a table of several; a card of one, with what to say to try it, see its logs, stop or start it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.answer.reasons import reason_text
from chat_ui.presenter_data import HIDDEN_COLUMNS, table_of
from chat_ui.presenter_parts import View
from chat_ui.texts import Texts

# What still changes by itself: the page looks again.
MOVING = ("queued", "starting")
_PATHS = {"completions": "/v1/completions", "embeddings": "/v1/embeddings"}


def deployment_card(result: dict[str, Any], args: dict[str, Any], words: Texts) -> list[View]:  # noqa: ARG001 - as all drawings
    """The card; its buttons say sentences as a person would, so what they do is asked, approved and recorded like any other."""
    if "status" not in result or "name" not in result:
        return []
    return [View("DeploymentCard", deployment_props(result, words) | {"labels": words.card("DeploymentCard")})]


def deployment_table(result: dict[str, Any], args: dict[str, Any], words: Texts) -> list[View]:  # noqa: ARG001 - as all drawings
    """Deployments as a table, with their states and reasons in the person's language."""
    labels = words.card("DeploymentCard")
    rows = [
        {**item, "status": labels.get(f"status.{item.get('status')}", item.get("status")), "reason": reason_text(words.language, item)}
        for item in result.get("items") or []
    ]
    hidden = HIDDEN_COLUMNS["list_deployments"]
    return [table_of(rows, words, title="", more=bool(result.get("next")), hide=hidden)] if rows else []


def deployment_props(found: Mapping[str, Any], words: Texts) -> dict[str, Any]:
    """What the card shows of a deployment, when it is drawn and whenever the page looks again."""
    name, labels = str(found["name"]), words.card("DeploymentCard")
    price, currency = found.get("price_per_hour") or 0, str(found.get("currency") or "")
    facts = [
        ("repo", found.get("repo")),
        ("url", _PATHS.get(str(found.get("task")), "/v1/chat/completions")),
        ("ready", f"{found.get('ready', 0)} / {found.get('replicas', 0)}"),
        ("price_per_hour", f"{price:,.2f} {currency}" if price else None),
        ("hardware", found.get("hardware")),
        ("runtime", found.get("runtime")),
        ("revision", f"{found.get('revision')} ({str(found.get('commit') or '')[:8]})"),
    ]
    return {
        "name": name,
        "status": str(found["status"]),
        "moving": found["status"] in MOVING,
        "facts": [{"label": words.change(key), "value": str(value)} for key, value in facts if value],
        "split": [
            {"revision": one["revision"], "percent": one["percent"], "takes": one["takes"]} for one in found.get("split") or []
        ],
        "tries": found["status"] in ("running", "sleeping") and found.get("task") != "embeddings",
        "say": {act: labels[f"say.{act}"].replace("{deployment}", name) for act in ("try", "logs", "stop", "start")},
    }  # fmt: skip

"""Webhooks of the caller: `settings/webhooks`. A list is a bare array, everything else is in `webhook`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from hub_core.errors import InvalidInput
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import text
from hub_core.services import Services
from hub_core.webhooks.payload import DOMAINS
from hub_core.webhooks.service import WebhookView
from hub_core.webhooks.watching import Watched

_ALL = "/api/settings/webhooks"
_ONE = _ALL + "/{webhook}"


def add_webhook_routes(router: APIRouter, services: Services) -> None:
    """Every route of webhooks."""
    add_route(router, services, "GET", _ALL, list_own)
    add_route(router, services, "POST", _ALL, create)
    add_route(router, services, "GET", _ONE, get)
    add_route(router, services, "POST", _ONE, update)
    add_route(router, services, "DELETE", _ONE, delete)
    add_route(router, services, "POST", _ONE + "/enable", enable)
    add_route(router, services, "POST", _ONE + "/disable", disable)


def list_own(call: Call) -> Any:
    """The caller's webhooks."""
    return [_shown(hook) for hook in call.services.webhooks.list_own(call.actor)]


def get(call: Call) -> Any:
    """One of them."""
    return {"webhook": _shown(call.services.webhooks.get(call.actor, call.param("webhook")))}


def create(call: Call) -> Any:
    """Make one; `watched` and `url` must be there."""
    given = call.json()
    _refuse_jobs(given)
    made = call.services.webhooks.create(
        call.actor, text(given, "url", None), _watched(given) or [], _domains(given) or DOMAINS, text(given, "secret")
    )
    return {"webhook": _shown(made)}


def update(call: Call) -> Any:
    """Change what is given."""
    given = call.json()
    _refuse_jobs(given)
    changed = call.services.webhooks.update(
        call.actor,
        call.param("webhook"),
        url=text(given, "url") or None,
        watched=_watched(given) or None,  # the client sends an empty list when nothing is said
        domains=_domains(given),
        secret=text(given, "secret") if given.get("secret") is not None else None,
    )
    return {"webhook": _shown(changed)}


def enable(call: Call) -> Any:
    """Switch it on."""
    return {"webhook": _shown(call.services.webhooks.set_enabled(call.actor, call.param("webhook"), enabled=True))}


def disable(call: Call) -> Any:
    """Switch it off."""
    return {"webhook": _shown(call.services.webhooks.set_enabled(call.actor, call.param("webhook"), enabled=False))}


def delete(call: Call) -> Any:
    """Remove it."""
    call.services.webhooks.delete(call.actor, call.param("webhook"))
    return {}


def _shown(hook: WebhookView) -> dict[str, Any]:
    return {
        "id": hook.id, "url": hook.url, "watched": [{"type": item.type, "name": item.name} for item in hook.watched],
        "domains": hook.domains, "secret": hook.secret, "disabled": hook.disabled, "job": None,
    }  # fmt: skip


def _refuse_jobs(given: dict[str, Any]) -> None:
    if given.get("jobSourceId") or given.get("secrets"):
        raise InvalidInput("A webhook cannot start a job here.", hint="Give it a 'url'.")


def _watched(given: dict[str, Any]) -> list[Watched] | None:
    items = given.get("watched")
    if items is None:
        return None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InvalidInput("'watched' is a list of objects with 'type' and 'name'.")
    return [Watched(text(item, "type", None), text(item, "name", None)) for item in items]


def _domains(given: dict[str, Any]) -> list[str] | None:
    domains = given.get("domains")
    if domains is None:
        return None
    if not isinstance(domains, list) or not all(isinstance(domain, str) for domain in domains):
        raise InvalidInput("'domains' is a list of texts.")
    return domains

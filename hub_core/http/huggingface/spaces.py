"""What Spaces run with: variables and secrets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter

from hub_core.authz import Permission
from hub_core.errors import InvalidInput
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import text
from hub_core.http.huggingface.shapes import moment
from hub_core.http.huggingface.space_runs import space_in
from hub_core.repos.kinds import RepoKind
from hub_core.services import Services
from hub_core.spaces.service import Setting, SettingView

_SPACE = "/api/{kind:repokind}/{namespace}/{name}"


def add_space_routes(router: APIRouter, services: Services) -> None:
    """Routes below a Space."""
    for method, path, act in (
        ("GET", _SPACE + "/variables", variables),
        ("POST", _SPACE + "/variables", set_variable),
        ("DELETE", _SPACE + "/variables", remove_variable),
        ("GET", _SPACE + "/secrets", secrets),
        ("POST", _SPACE + "/secrets", set_secret),
        ("DELETE", _SPACE + "/secrets", remove_secret),
    ):
        add_route(router, services, method, path, act)


def variables(call: Call) -> Any:
    """`GET variables`: names and values."""
    return {view.name: {"value": view.value, **_facts(view)} for view in call.services.spaces.variables(call.actor, space_in(call))}


def set_variable(call: Call) -> Any:
    """`POST variables` `{key, value, description?}`: the variables as they are then."""
    call.services.spaces.set(call.actor, space_in(call, Permission.REPO_WRITE), [_setting(call.json(), secret=False)])
    return variables(call)


def remove_variable(call: Call) -> Any:
    """`DELETE variables` `{key}`: the variables as they are then."""
    call.services.spaces.remove(call.actor, space_in(call, Permission.REPO_WRITE), text(call.json(), "key", None), secret=False)
    return variables(call)


def secrets(call: Call) -> Any:
    """`GET secrets`: names without values."""
    found = call.services.spaces.secrets(call.actor, space_in(call, Permission.REPO_WRITE))
    return {view.name: {"key": view.name, **_facts(view)} for view in found}


def set_secret(call: Call) -> Any:
    """`POST secrets` `{key, value, description?}`."""
    call.services.spaces.set(call.actor, space_in(call, Permission.REPO_WRITE), [_setting(call.json(), secret=True)])
    return {}


def remove_secret(call: Call) -> Any:
    """`DELETE secrets` `{key}`."""
    call.services.spaces.remove(call.actor, space_in(call, Permission.REPO_WRITE), text(call.json(), "key", None), secret=True)
    return {}


def given_settings(given: dict[str, Any], kind: RepoKind) -> list[Setting]:
    """`secrets` and `variables` of a request that makes a Space.

    Raises:
        InvalidInput: they are not lists of `{key, value}`, or it is no Space.
    """
    found = [_setting(item, secret=field == "secrets") for field in ("secrets", "variables") for item in _list(given.get(field), field)]
    if found and kind is not RepoKind.SPACE:
        raise InvalidInput(f"A {kind} has no variables and secrets.", hint="Only Spaces have.")
    return found


def _list(items: Any, field: str) -> Sequence[dict[str, Any]]:
    if items is None:
        return ()
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InvalidInput(f"'{field}' is not a list of objects with 'key' and 'value'.")
    return items


def _setting(given: dict[str, Any], *, secret: bool) -> Setting:
    return Setting(text(given, "key", None), text(given, "value", None), text(given, "description"), secret)


def _facts(view: SettingView) -> dict[str, Any]:
    shown = {"key": view.name, "updatedAt": moment(view.updated_at)}
    return {**shown, "description": view.description} if view.description else shown

"""Deployments as `csghub-cli inference` lists, starts and stops them, by their number; and fine-tuning, which is not here."""

from __future__ import annotations

from typing import Any, NoReturn

from fastapi import APIRouter

from hub_core.authz import Permission
from hub_core.deployments.access import deployment_not_found
from hub_core.deployments.service import Found
from hub_core.deployments.views import DeploymentView
from hub_core.errors import InvalidInput
from hub_core.http.csghub.answers import csghub_error, ok
from hub_core.http.csghub.lists import number_in, page_of
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.shapes import moment
from hub_core.services import Services

_RUN = "/api/v1/{kind:repokind}/{namespace}/{name}/run/{run}"
_TUNING = "/api/v1/{kind:repokind}/{namespace}/{name}/finetune"


def add_run_routes(router: APIRouter, services: Services) -> None:
    """Routes of deployments and of fine-tuning."""
    for methods, path, act in (
        ("GET", "/api/v1/user/{owner}/run/model", runs_of_user),
        ("GET", _RUN, show),
        ("PUT", _RUN + "/start", start),
        ("PUT", _RUN + "/stop", stop),
        ("GET", "/api/v1/user/{owner}/finetune/instances", tunings_of_user),
        ("POST", _TUNING, refuse_to_tune),
        ("GET PUT", _TUNING + "/{rest:path}", refuse_to_tune),
    ):
        add_route(router, services, methods, path, act, show_error=csghub_error)


def runs_of_user(call: Call) -> Any:
    """`GET user/{name}/run/model`: the deployments of a person's models, as far as the caller may see them, newest first."""
    page = page_of(call)
    if page.skip:
        raise InvalidInput("This list has one page.", hint="Ask with a larger 'per'.")
    owner = call.services.users.get(call.actor, call.param("owner")).username
    found = call.services.deployments.list_deployments(call.actor, owner=owner, limit=page.size)
    return ok([_shown(view) for view in found.items], total=len(found.items))


def show(call: Call) -> Any:
    """`GET run/{number}`: one deployment of a model."""
    return ok(_shown(_found(call, Permission.DEPLOYMENT_USE).view))


def start(call: Call) -> Any:
    """`PUT run/{number}/start`: run it again; what runs goes on."""
    found = _found(call, Permission.DEPLOYMENT_MANAGE)
    if found.view.stopped or not found.view.replicas:
        return ok(_shown(call.services.deployments.start(call.actor, found)))
    return ok(_shown(found.view))


def stop(call: Call) -> Any:
    """`PUT run/{number}/stop`: until somebody starts it."""
    found = _found(call, Permission.DEPLOYMENT_MANAGE)
    return ok(_shown(found.view if found.view.stopped else call.services.deployments.stop(call.actor, found)))


def tunings_of_user(call: Call) -> Any:
    """`GET user/{name}/finetune/instances`: none, since fine-tunes are jobs here and no machines to sign in to."""
    call.services.users.get(call.actor, call.param("owner"))
    return ok([], total=0)


def refuse_to_tune(call: Call) -> NoReturn:
    """Whatever is about fine-tuning a model.

    Raises:
        InvalidInput: always, for those who see the model.
    """
    call.repo()
    raise InvalidInput(
        "There are no instances to fine-tune in.", hint="Fine-tunes are jobs here: say so in the chat, or call the tool start_finetune."
    )


def _found(call: Call, permission: Permission) -> Found:
    repo, number = call.repo(), number_in(call, "run")
    found = call.services.deployments.find(call.actor, str(number), permission)
    if (found.deployment.id, found.repo.id) != (number, repo.id):
        raise deployment_not_found(str(number))
    return found


def _shown(view: DeploymentView) -> dict[str, Any]:
    return {
        "deploy_id": view.id, "deploy_name": view.name, "model_id": view.repo, "status": view.status, "reason": view.reason,
        "hardware": view.hardware, "runtime_framework": view.runtime, "min_replica": view.replicas, "actual_replica": view.ready,
        "private": view.visibility != "public", "created_at": moment(view.created_at), "updated_at": moment(view.updated_at),
    }  # fmt: skip

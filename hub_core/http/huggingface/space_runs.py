"""Running Spaces in the words of the Hugging Face Hub: the runtime, hardware, pause and restart, time to sleep, logs."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from hub_core.authz import Permission
from hub_core.deployments.hardware import present
from hub_core.deployments.platform import LOCAL
from hub_core.errors import InvalidInput
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import text
from hub_core.http.huggingface.shapes import moment
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services
from hub_core.spaces.running import SpaceState

_SPACE = "/api/{kind:repokind}/{namespace}/{name}"
LINES = 1000
# What the client knows as the smallest and the next machine without a GPU; both are the cheapest here that is there.
_USUAL = ("cpu-basic", "cpu-upgrade")
_NOT_HERE = ("storage", "dev-mode", "volumes")


def add_space_run_routes(router: APIRouter, services: Services) -> None:
    """Routes below a Space."""
    for method, path, act in (
        ("GET", _SPACE + "/runtime", runtime),
        ("GET", "/api/spaces/hardware", hardware),
        ("POST", _SPACE + "/hardware", request_hardware),
        ("POST", _SPACE + "/sleeptime", sleep_time),
        ("POST", _SPACE + "/pause", pause),
        ("POST", _SPACE + "/restart", restart),
        ("GET", _SPACE + "/logs/{log}", logs),
        *(("POST PUT DELETE", f"{_SPACE}/{act}", refuse) for act in _NOT_HERE),
    ):
        add_route(router, services, method, path, act)


def runtime(call: Call) -> Any:
    """`GET runtime`."""
    return shown_runtime(call.services, call.services.space_runs.state(call.actor, space_in(call)))


def hardware(call: Call) -> Any:
    """`GET /api/spaces/hardware`: what Spaces can run on here, with prices per minute in the hub's currency."""
    platform = call.services.platform
    inventory = platform.clusters[LOCAL].inventory()
    return [
        {
            "name": item.name, "prettyName": item.title, "cpu": f"{item.cpus:g} vCPU", "ram": f"{item.memory_gb:g} GB",
            "ephemeralStorage": f"{platform.space_disk / 1024**3:g} GB", "accelerator": None, "unitLabel": "minute",
            "unitCostMicroUSD": round(item.price_per_hour / 60 * 1e6), "unitCostUSD": item.price_per_hour / 60,
        }
        for item in platform.hardware.items
        if not item.gpu and present(item, inventory)
    ]  # fmt: skip


def request_hardware(call: Call) -> Any:
    """`POST hardware` `{flavor, sleepTimeSeconds?}`: run it there."""
    given, repo, runs = call.json(), space_in(call, Permission.REPO_WRITE), call.services.space_runs
    flavor = text(given, "flavor", None)
    planned = runs.plan(call.actor, repo, "cpu" if flavor in _USUAL else flavor)
    state = runs.run(call.actor, repo, planned) if planned.changes else planned.state
    if given.get("sleepTimeSeconds") is not None and not state.is_static:
        state = runs.keep_awake(call.actor, repo, awake=_seconds(given, "sleepTimeSeconds") < 0)
    return shown_runtime(call.services, state)


def sleep_time(call: Call) -> Any:
    """`POST sleeptime` `{seconds}`: -1 keeps it awake; with any other number it sleeps after the hub's own time."""
    awake = _seconds(call.json(), "seconds") < 0
    return shown_runtime(call.services, call.services.space_runs.keep_awake(call.actor, space_in(call, Permission.REPO_WRITE), awake=awake))


def pause(call: Call) -> Any:
    """`POST pause`: stop it until somebody runs it again."""
    return shown_runtime(call.services, call.services.space_runs.stop(call.actor, space_in(call, Permission.REPO_WRITE)))


def restart(call: Call) -> Any:
    """`POST restart`: run its newest commit, in any case anew."""
    return shown_runtime(call.services, call.services.space_runs.restart(call.actor, space_in(call, Permission.REPO_WRITE)))


def logs(call: Call) -> Any:
    """`GET logs/run` and `GET logs/build` as events: the last lines of the app, or how far the packages of it are. They do not go on."""
    repo, runs = space_in(call, Permission.REPO_WRITE), call.services.space_runs
    run = runs.found(call.actor, repo).deployment
    if call.param("log") == "build":
        lines = [run.reason] if run.reason else []
    else:
        lines = [line for copy in runs.logs(call.actor, repo, LINES).values() for line in copy.splitlines()]
    now = moment(dt.datetime.now(dt.UTC))
    events = "".join(f"data: {json.dumps({'data': line, 'timestamp': now})}\n\n" for line in lines)
    return Response(events, media_type="text/event-stream", headers={"cache-control": "no-store"})


def refuse(call: Call) -> Any:
    """What Spaces here have none of.

    Raises:
        InvalidInput: always, for those who see the Space.
    """
    space_in(call, Permission.REPO_WRITE)
    raise InvalidInput("Spaces of this hub have no volumes, storage or dev mode.", hint="Their files are a fresh copy at every start.")


def shown_runtime(services: Services, state: SpaceState) -> dict[str, Any]:
    """A state as the client wants it."""
    row, revision = state.run, state.revision
    asked = revision.hardware if revision is not None else None
    return {
        "stage": state.stage,
        "hardware": {"current": asked if row is not None and row.ready else None, "requested": asked},
        "storage": None,
        "gcTimeout": services.settings.deployment_idle_s if row is not None and row.on_demand else None,
        "replicas": {"current": row.ready, "requested": row.replicas} if row is not None else {},
        "devMode": False,
        **({"errorMessage": row.reason} if row is not None and row.reason and state.stage.endswith("ERROR") else {}),
    }


def _seconds(given: dict[str, Any], name: str) -> int:
    value = given.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < -1:
        raise InvalidInput(f"'{name}' is a number of seconds, or -1 for never.")
    return value


def space_in(call: Call, permission: Permission = Permission.REPO_READ) -> Repo:
    """The Space in the path.

    Raises:
        InvalidInput: it is a repo of another kind.
    """
    repo = call.repo(permission)
    if repo.kind != RepoKind.SPACE:
        raise InvalidInput(f"{repo.full_name} is a {repo.kind}.", hint="Only Spaces have this.")
    return repo

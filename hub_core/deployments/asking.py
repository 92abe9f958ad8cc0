"""Ask a deployment one thing, from inside the hub: what `try_deployment` does. Programs use the gateway."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace

import httpx

from hub_core.authz import Actor
from hub_core.db import utcnow
from hub_core.deployments.service import Found, Target
from hub_core.deployments.tables import Status
from hub_core.deployments.traffic import in_turn, shares
from hub_core.errors import HubError, InvalidInput
from hub_core.metering.meter import Used
from hub_core.running_errors import DeploymentNotReady, DeploymentStopped
from hub_core.services import Services

POLL_S = 0.2
PATIENCE_S = 30.0  # a person would rather hear that it starts
ANSWER_S = 300.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What it said, and what that took."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float


def refusal(found: Target, *, late: bool) -> HubError | None:
    """Why a deployment that has no address now will not get one soon; None when it is worth to wait."""
    row, name = found.deployment, found.name
    if row.stopped:
        return DeploymentStopped(f"The deployment {name} is stopped.", hint="Start it first.", deployment=name)
    if row.status == Status.FAILED:
        told = f"The deployment {name} does not run: {row.reason}"
        return DeploymentNotReady(told, hint="Its logs tell more.", deployment=name, reason=row.reason, reasons=row.reasons)
    if late:
        why = f" {row.reason}" if row.reason else ""
        told = f"The deployment {name} is still {row.status}.{why}"
        return DeploymentNotReady(told, hint="Try again in a while.", deployment=name, reason=row.reason, reasons=row.reasons)
    return None


def wake_if_asleep(services: Services, found: Target) -> None:
    """A request is there for a deployment: wake it if it sleeps."""
    row = found.deployment
    if row.status == Status.SLEEPING and row.on_demand and not row.stopped:
        services.deployments.wake(row.id)


def ask(services: Services, actor: Actor, found: Found, prompt: str, max_tokens: int) -> Answer:
    """Send a prompt and wait for the whole answer; wakes what sleeps.

    Raises:
        DeploymentStopped, DeploymentNotReady: it does not answer. InvalidInput: it is no model for text, or refuses the prompt.
    """
    if found.view.task == "app":
        raise InvalidInput(
            f"{found.view.name} runs the app of a Space, which people open in a browser.", hint="Ask a deployment of a model."
        )
    if found.view.task == "embeddings":
        raise InvalidInput(f"{found.view.name} turns texts into vectors and answers nothing.", hint="Use /v1/embeddings.")
    deadline = time.monotonic() + min(PATIENCE_S, services.settings.deployment_wake_s)
    target = Target(found.deployment, found.view.name)
    while not (answering := shares(target.deployment)):
        if refused := refusal(target, late=time.monotonic() > deadline):
            raise refused
        wake_if_asleep(services, target)
        time.sleep(POLL_S)
        target = services.deployments.target(actor, found.view.name)
    row, began = target.deployment, time.monotonic()
    share = in_turn(answering, secrets.randbelow(100))[0]
    body = {"model": share.model_field or found.view.name, "messages": [{"role": "user", "content": prompt}], "max_tokens": max_tokens}
    used = Used(actor.user_id, row.id, found.view.name, row.repo_id)
    services.deployments.touch(row.id, utcnow())
    try:
        with services.load.during(row.id, scales=row.max_replicas is not None):
            answer = httpx.post(f"{share.endpoints[0]}/v1/chat/completions", json=body, timeout=ANSWER_S, trust_env=False)
        content = answer.json()
        text = str(content["choices"][0]["message"]["content"] or "") if answer.is_success else ""
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        services.usage.count(replace(used, failed=True))
        raise DeploymentNotReady(f"The deployment {found.view.name} gave no answer.", hint="Try again; its logs tell more.") from error
    if not answer.is_success:
        said = content.get("error", {}).get("message", "") if isinstance(content, dict) else ""
        raise InvalidInput(f"The model refused it: {str(said)[:300]}", hint="Its logs tell more.")
    usage = content.get("usage") or {}
    told = Answer(text, int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0)), time.monotonic() - began)
    services.usage.count(replace(used, prompt_tokens=told.prompt_tokens, completion_tokens=told.completion_tokens, seconds=told.seconds))
    return told

"""The one way to run a tool: validate, plan (authorise, preview), ask where a person must approve, run once, remember how to undo.

Chat, bridges and MCP call with `gate=True`: destructive and spending acts then become a waiting approval. The tool REST API is
explicit and calls with `gate=False`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from hub_core.approvals.service import ApprovalView
from hub_core.authz import OPEN, require_scope
from hub_core.errors import Conflict, InvalidArguments
from hub_core.repos.tables import Repo
from hub_core.secrecy import redact, secret_fields
from tools.contract import Effect, Plan, ToolContext
from tools.registry import AnyTool, default_registry

MAX_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Done:
    """The tool ran."""

    tool: str
    plan: Plan
    output: BaseModel


@dataclass(frozen=True, slots=True)
class Waiting:
    """The act waits for a person's approval; nothing has changed."""

    tool: str
    plan: Plan
    approval: ApprovalView


def plan(ctx: ToolContext, name: str, raw: dict[str, Any]) -> Plan:
    """What the call would do; changes nothing.

    Raises:
        ToolNotFound, InvalidArguments: the call itself is wrong.
        HubError: the caller may not do it, or it cannot be done.
    """
    tool = default_registry().get(name)
    return _plan(ctx, tool, _validate(tool, raw))


def call(ctx: ToolContext, name: str, raw: dict[str, Any], *, gate: bool, key: str | None = None) -> Done | Waiting:
    """Run a tool, or with `gate` park a gated act as an approval.

    Args:
        key: idempotency key; a second call with it returns the first result instead of acting again.
    """
    tool = default_registry().get(name)
    args = _validate(tool, raw)

    def act() -> Done | Waiting:
        planned = _plan(ctx, tool, args)
        return park(ctx, name, raw, planned) if gate and planned.effect.gated else _run(ctx, tool, args, planned)

    # Claimed before anything is looked up: after the first run the plan of the same call would be refused ("the name is taken").
    return act() if key is None or tool.effect is Effect.READ else _once(ctx, tool, args, key, act)


def park(ctx: ToolContext, name: str, raw: dict[str, Any], planned: Plan) -> Waiting:
    """Let a planned call wait for a person's approval. A secret among the raw arguments, which no plan holds, waits with it."""
    if ctx.actor.user_id is None:
        require_scope(ctx.actor, default_registry().get(name).permission)
    args = planned.args | secret_fields(raw, name)
    described = describe_plan(planned)
    return Waiting(name, planned, ctx.services.approvals.request(ctx.actor, ctx.thread_id, name, args, str(planned.effect), described))


def run_approved(ctx: ToolContext, approval: ApprovalView) -> Done:
    """Run an act whose approval was just given. `ctx` is the requester's, with their rights of now.

    Raises:
        Conflict: what would happen now is not what was shown; nothing was done.
        SecretNotKept: a password that was said with it is no longer known; nothing was done.
        HubError: the requester lost the right, or the thing is gone.
    """
    tool = default_registry().get(approval.tool)
    raw, shown = ctx.services.approvals.revealed(ctx.actor, approval.id)
    args = _validate(tool, raw)
    planned = _plan(ctx, tool, args)
    if _act(describe_plan(planned)) != _act(shown) or str(planned.effect) != approval.effect:
        raise Conflict("Things have changed since this was shown, so nothing was done.", hint="Ask again to see what would change now.")
    done = _once(ctx, tool, args, f"approval:{approval.id}", lambda: _run(ctx, tool, args, planned))
    assert isinstance(done, Done)
    return done


def describe_plan(planned: Plan) -> dict[str, Any]:
    """A plan as JSON: what people see and what an approval remembers."""
    return {
        "args": planned.args,
        "effect": str(planned.effect),
        "changes": [asdict(change) for change in planned.changes],
        "facts": planned.facts | _target(planned),
        "undo": asdict(planned.inverse) if planned.inverse else None,
    }


def _target(planned: Plan) -> dict[str, int]:
    """The id of the repo that is meant: after a move its name may belong to another one."""
    found = planned.prepared[0] if isinstance(planned.prepared, tuple) and planned.prepared else planned.prepared
    return {"repo_id": found.id} if isinstance(found, Repo) else {}


def _act(described: dict[str, Any]) -> str:
    """What a person agreed to: the very act, on the very thing, with these changes. An undo names its act in the facts only."""
    facts = described["facts"]
    return digest([described["args"], described["changes"], {key: facts.get(key) for key in ("repo", "repo_id", "tool", "args")}])


def digest(value: Any) -> str:
    """sha256 of the canonical JSON of `value`."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def _validate(tool: AnyTool, raw: dict[str, Any]) -> Any:
    try:
        return tool.input.model_validate(raw)
    except ValidationError as error:
        errors = [
            {"argument": ".".join(map(str, e["loc"]))[:100], "problem": e["msg"]}
            for e in error.errors(include_url=False, include_input=False, include_context=False)[:MAX_ERRORS]
        ]
        first = f"{errors[0]['argument']}: {errors[0]['problem']}" if errors else "wrong"
        raise InvalidArguments(
            f"The arguments of {tool.name} do not fit: {first}.", hint=f"GET /api/v1/tools shows the schema of {tool.name}.", errors=errors
        ) from error


def _plan(ctx: ToolContext, tool: AnyTool, args: Any) -> Plan:
    if not (tool.permission in OPEN and ctx.actor.is_anonymous):
        require_scope(ctx.actor, tool.permission)
    return tool.plan(ctx, args)


def _once(ctx: ToolContext, tool: AnyTool, args: BaseModel, key: str, act: Callable[[], Done | Waiting]) -> Done | Waiting:
    """Act under an idempotency key; when it ran before, its result, without acting. An act that only waits leaves the key free."""
    require_scope(ctx.actor, tool.permission)  # the first result is not for a smaller credential of the same person
    given = redact(args.model_dump(mode="json", exclude_none=True), tool.name)
    stored = ctx.services.approvals.begin_execution(ctx.actor, key, tool.name, digest(given))
    if stored is not None:
        return Done(tool.name, Plan(given, tool.effect), tool.output.model_validate(stored))
    try:
        result = act()
    except BaseException:
        ctx.services.approvals.fail_execution(key)
        raise
    if isinstance(result, Done):
        ctx.services.approvals.finish_execution(key, result.output.model_dump(mode="json"))
    else:
        ctx.services.approvals.fail_execution(key)
    return result


def _run(ctx: ToolContext, tool: AnyTool, args: Any, planned: Plan) -> Done:
    with ctx.services.heavy_reads.place() if tool.heavy else nullcontext():
        output = tool.run(ctx, args, planned)
    inverse = tool.inverse(ctx, args, planned, output)
    if ctx.thread_id and inverse is not None and planned.effect is not Effect.READ:
        ctx.services.conversations.push_undo(ctx.actor, ctx.thread_id, tool.name, planned.args, inverse.tool, inverse.args)
    return Done(tool.name, replace(planned, inverse=inverse), output)

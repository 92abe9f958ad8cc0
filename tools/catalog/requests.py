"""Tools: gated repos: close and open the gate, ask for access, say yes or no."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Annotated

from pydantic import Field

from hub_core.authz import Permission
from hub_core.gating.service import MAX_REASON
from hub_core.gating.tables import Gating, RequestStatus
from hub_core.gating.views import RequestView
from tools.catalog.fields import UserArg
from tools.catalog.outputs import RepoOut, repo_out
from tools.catalog.repos import OneRepo, locate
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolOutput


class Decision(enum.StrEnum):
    """What is said to a request; `reopen` lets it wait for an answer again."""

    ACCEPT = "accept"
    REJECT = "reject"
    REOPEN = "reopen"

    @property
    def status(self) -> RequestStatus:
        """How the request stands then."""
        return _STATUS[self]


_STATUS = {Decision.ACCEPT: RequestStatus.ACCEPTED, Decision.REJECT: RequestStatus.REJECTED, Decision.REOPEN: RequestStatus.PENDING}
_DECISION = {status: decision for decision, status in _STATUS.items()}


class RequestItem(ToolOutput):
    """A request for access."""

    username: str
    role: str = Field(description="read: the files of a gated repo; write: the role.")
    status: str = Field(description="pending, accepted, rejected or withdrawn")
    reason: str = ""
    requested_at: dt.datetime


class RequestOut(RequestItem):
    """A request for access to a repo."""

    repo: str


def request_item(request: RequestView) -> RequestItem:
    """A request as a tool's result."""
    return RequestItem(
        username=request.username, role=request.role, status=request.status, reason=request.reason, requested_at=request.requested_at
    )


def _out(request: RequestView) -> RequestOut:
    return RequestOut(repo=request.repo, **request_item(request).model_dump())


class SetGatingInput(OneRepo):
    """Which repo, and what its gate does."""

    gated: Annotated[
        Gating,
        Slot(SlotType.CHOICE),
        Field(
            description="off: who sees the repo reads its files; auto: who asks is let in at once; manual: every request waits for an answer."
        ),
    ]


class SetGating(Tool[SetGatingInput, RepoOut]):
    """Make a repo gated, so that people ask for access before they can read or download its files, or open it. Opening it needs approval."""

    name, group, input, output = "set_gating", "people", SetGatingInput, RepoOut
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_ADMIN

    def plan(self, ctx: ToolContext, args: SetGatingInput) -> Plan:
        """Opening the files to more people is destructive, closing the gate is not."""
        repo, resolved = locate(ctx, args, Permission.REPO_ADMIN)
        before = Gating(repo.gated)
        effect = Effect.DESTRUCTIVE if args.gated.rank < before.rank else Effect.WRITE
        changes = (Change("gated", str(before), str(args.gated)),) if before is not args.gated else ()
        inverse = Call("set_gating", {"repo": repo.full_name, "kind": repo.kind, "gated": str(before)}) if changes else None
        return Plan(resolved, effect, changes, {"repo": repo.full_name}, inverse, repo)

    def run(self, ctx: ToolContext, args: SetGatingInput, plan: Plan) -> RepoOut:
        """Set it."""
        if plan.changes:
            ctx.services.gating.set_gating(ctx.actor, plan.prepared, args.gated)
        return repo_out(ctx.services.repos.get(ctx.actor, f"{plan.prepared.kind}:{plan.prepared.full_name}"))


class RequestAccessInput(OneRepo):
    """To which repo, and why."""

    reason: Annotated[str, Slot(SlotType.TEXT), Field(description="What it is for; shown to who decides.", max_length=MAX_REASON)] = ""
    withdraw: Annotated[bool, Slot(SlotType.FLAG), Field(description="Take one's own request back, or give the access up.")] = False


class RequestAccess(Tool[RequestAccessInput, RequestOut]):
    """Ask for access to a repo: to the files of a gated one, or, where one can read them, for the role write. Also takes one's request back."""

    name, group, input, output = "request_access", "people", RequestAccessInput, RequestOut
    effect, permission = Effect.DESTRUCTIVE, Permission.USER_SELF

    def plan(self, ctx: ToolContext, args: RequestAccessInput) -> Plan:
        """What is asked for, and whether the answer comes at once."""
        repo, resolved = locate(ctx, args)
        base = {"repo": repo.full_name, "kind": repo.kind}
        facts = {"repo": repo.full_name, "username": ctx.actor.username}
        if args.withdraw:
            held = ctx.services.gating.check_withdraw(ctx.actor, repo)
            # Whoever was let in by hand has to wait for somebody to do it again.
            comes_back = held.status is RequestStatus.PENDING or repo.gated == Gating.AUTO
            change = Change("request", str(held.status), str(RequestStatus.WITHDRAWN))
            inverse = Call("request_access", base | {"reason": held.reason}) if comes_back else None
            effect = Effect.WRITE if comes_back else Effect.DESTRUCTIVE
            return Plan(resolved, effect, (change,), facts | {"role": str(held.role)}, inverse, repo)
        ask = ctx.services.gating.plan_ask(ctx.actor, repo)
        before = str(ask.before) if ask.before else None
        changes = (Change("request", before, str(ask.after)),) if before != ask.after else ()
        inverse = Call("request_access", base | {"withdraw": True}) if changes else None
        return Plan(resolved, Effect.WRITE, changes, facts | {"role": str(ask.role)}, inverse, repo)

    def run(self, ctx: ToolContext, args: RequestAccessInput, plan: Plan) -> RequestOut:
        """Ask, or take it back."""
        gating = ctx.services.gating
        return _out(gating.withdraw(ctx.actor, plan.prepared) if args.withdraw else gating.ask(ctx.actor, plan.prepared, args.reason))


class DecideAccessInput(OneRepo):
    """Whose request, to which repo, and the answer."""

    username: UserArg
    decision: Annotated[Decision, Slot(SlotType.CHOICE), Field(description="accept, reject, or reopen: let it wait for an answer again.")]
    message: Annotated[str, Slot(SlotType.TEXT), Field(description="What the person is told with it.", max_length=MAX_REASON)] = ""


class DecideAccess(Tool[DecideAccessInput, RequestOut]):
    """Accept or reject a person's request for access to a repo. Shutting out somebody who was let in needs approval."""

    name, group, input, output = "decide_access", "people", DecideAccessInput, RequestOut
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_ADMIN

    def plan(self, ctx: ToolContext, args: DecideAccessInput) -> Plan:
        """Letting in is a write, shutting out takes access away."""
        repo, resolved = locate(ctx, args, Permission.REPO_ADMIN)
        held = ctx.services.gating.check_decide(ctx.actor, repo, args.username, args.decision.status)
        changes = (Change("request", str(held.status), str(args.decision.status)),) if held.status is not args.decision.status else ()
        loses = held.status is RequestStatus.ACCEPTED and bool(changes)
        facts = {"repo": repo.full_name, "username": held.username, "role": str(held.role), "reason": held.reason}
        back = {"repo": repo.full_name, "kind": repo.kind, "username": held.username, "decision": str(_DECISION[held.status])}
        inverse = Call("decide_access", back) if changes else None
        prepared = (repo, held.username)
        return Plan(
            resolved | {"username": held.username}, Effect.DESTRUCTIVE if loses else Effect.WRITE, changes, facts, inverse, prepared
        )

    def run(self, ctx: ToolContext, args: DecideAccessInput, plan: Plan) -> RequestOut:
        """Tell."""
        repo, username = plan.prepared
        return _out(ctx.services.gating.decide(ctx.actor, repo, username, args.decision.status, args.message))


TOOLS = (SetGating(), RequestAccess(), DecideAccess())

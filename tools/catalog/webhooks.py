"""Tools: webhooks of repos."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import Field

from hub_core.authz import Permission
from hub_core.webhooks.addresses import check_url
from hub_core.webhooks.service import WebhookView
from tools.catalog.fields import UrlArg
from tools.catalog.outputs import Page
from tools.catalog.repos import OneRepo, locate
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolOutput

Domain = Literal["repo", "discussion"]


def _both() -> list[Domain]:
    return ["repo", "discussion"]


class WebhookOut(ToolOutput):
    """A webhook of a repo."""

    id: str
    repo: str
    url: str
    domains: list[str] = Field(description="What it tells of: repo, discussion.")
    owner: str = Field(description="Who made it; it tells what this person may read.")
    disabled: bool
    reason: str = Field(description="Why the hub disabled it.")
    failures: int = Field(description="Attempts that failed since the last one that did not.")
    last_at: dt.datetime | None = Field(default=None, description="When it was last sent to.")
    last_status: int | None = Field(default=None, description="HTTP status of the last answer.")
    last_error: str = ""
    created_at: dt.datetime


class WebhookList(Page):
    """Webhooks of a repo."""

    repo: str
    items: list[WebhookOut]


class CreateWebhookInput(OneRepo):
    """Which repo, and where to."""

    url: UrlArg
    domains: Annotated[
        list[Domain], Slot(SlotType.CHOICE), Field(description="repo (commits, settings), discussion, or both.", min_length=1, max_length=2)
    ] = Field(default_factory=_both)
    secret: Annotated[
        str, Slot(SlotType.SECRET), Field(description="Sent along in X-Webhook-Secret, and signs the body.", max_length=256)
    ] = ""


class CreateWebhook(Tool[CreateWebhookInput, WebhookOut]):
    """Tell an address outside of every commit, change of settings and discussion in a repo. Needs approval: it sends data out."""

    name, group, input, output = "create_webhook", "community", CreateWebhookInput, WebhookOut
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_ADMIN

    def plan(self, ctx: ToolContext, args: CreateWebhookInput) -> Plan:
        """Who would hear of what."""
        repo, resolved = locate(ctx, args, Permission.REPO_ADMIN)
        ctx.services.webhooks.check_create(ctx.actor, repo, args.url, args.secret)
        host = check_url(args.url, ctx.services.webhooks.allowed).host
        facts = {"repo": repo.full_name, "host": host, "signed": bool(args.secret)}
        resolved.pop("secret", None)
        return Plan(resolved, Effect.DESTRUCTIVE, (Change("webhook", None, args.url),), facts, prepared=repo)

    def run(self, ctx: ToolContext, args: CreateWebhookInput, plan: Plan) -> WebhookOut:
        """Make it."""
        return _out(ctx.services.webhooks.create_for_repo(ctx.actor, plan.prepared, args.url, args.domains, args.secret))

    def inverse(self, ctx: ToolContext, args: CreateWebhookInput, plan: Plan, output: WebhookOut) -> Call | None:
        """Delete it again."""
        return Call("delete_webhook", {"repo": output.repo, "kind": plan.prepared.kind, "webhook": output.id})


class ListWebhooks(Tool[OneRepo, WebhookList]):
    """List the webhooks of a repo: where it sends its events, and whether that works."""

    name, group, input, output, permission = "list_webhooks", "community", OneRepo, WebhookList, Permission.REPO_ADMIN

    def plan(self, ctx: ToolContext, args: OneRepo) -> Plan:
        """Resolve the name."""
        repo, resolved = locate(ctx, args, Permission.REPO_ADMIN)
        return Plan(resolved, Effect.READ, prepared=repo)

    def run(self, ctx: ToolContext, args: OneRepo, plan: Plan) -> WebhookList:
        """Read them."""
        return WebhookList(
            repo=plan.prepared.full_name, items=[_out(hook) for hook in ctx.services.webhooks.of_repo(ctx.actor, plan.prepared)]
        )


class DeleteWebhookInput(OneRepo):
    """Which webhook of which repo."""

    webhook: Annotated[str, Slot(SlotType.WEBHOOK), Field(description="Its id or its address.", min_length=1, max_length=2000)]


class DeletedWebhook(ToolOutput):
    """A webhook that is gone."""

    repo: str
    webhook: str
    url: str


class DeleteWebhook(Tool[DeleteWebhookInput, DeletedWebhook]):
    """Remove a webhook of a repo: its address hears nothing any more."""

    name, group, input, output = "delete_webhook", "community", DeleteWebhookInput, DeletedWebhook
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_ADMIN

    def plan(self, ctx: ToolContext, args: DeleteWebhookInput) -> Plan:
        """What would stop."""
        repo, resolved = locate(ctx, args, Permission.REPO_ADMIN)
        hook = ctx.services.webhooks.find_of_repo(ctx.actor, repo, args.webhook)
        facts: dict[str, Any] = {"repo": repo.full_name, "owner": hook.owner}
        again = {"repo": repo.full_name, "kind": repo.kind, "url": hook.url, "domains": hook.domains}
        # A secret is not told again, so a webhook that has one cannot be made anew from here.
        inverse = None if hook.signed else Call("create_webhook", again)
        return Plan(resolved | {"webhook": hook.id}, Effect.DESTRUCTIVE, (Change("webhook", hook.url, None),), facts, inverse, (repo, hook))

    def run(self, ctx: ToolContext, args: DeleteWebhookInput, plan: Plan) -> DeletedWebhook:
        """Remove it."""
        repo, hook = plan.prepared
        ctx.services.webhooks.delete_of_repo(ctx.actor, repo, hook.id)
        return DeletedWebhook(repo=repo.full_name, webhook=hook.id, url=hook.url)


def _out(hook: WebhookView) -> WebhookOut:
    return WebhookOut(
        id=hook.id, repo=hook.repo, url=hook.url, domains=hook.domains, owner=hook.owner, disabled=hook.disabled, reason=hook.reason,
        failures=hook.failures, last_at=hook.last_at, last_status=hook.last_status, last_error=hook.last_error, created_at=hook.created_at,
    )  # fmt: skip


TOOLS = (CreateWebhook(), ListWebhooks(), DeleteWebhook())

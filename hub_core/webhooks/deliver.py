"""From an event to deliveries, and from a delivery to a POST. A delivery is a job: tried again for a day, and told at least once."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts.tables import User
from hub_core.audit import AuditEvent
from hub_core.authz import SYSTEM
from hub_core.db import utcnow
from hub_core.errors import HubError, Unavailable
from hub_core.jobs.acting import reader_for
from hub_core.jobs.context import JobContext
from hub_core.jobs.kinds import JobKind
from hub_core.repos.access import visible
from hub_core.repos.tables import Repo
from hub_core.settings import Settings
from hub_core.webhooks.addresses import check_url
from hub_core.webhooks.payload import SHAPES, payload
from hub_core.webhooks.sender import post
from hub_core.webhooks.tables import Webhook
from hub_core.webhooks.watching import watching

if TYPE_CHECKING:
    from hub_core.services import Services

DISABLE_AFTER = 50
"""Failed attempts in a row after which a webhook is disabled."""
USER_AGENT = "hubtalk-webhook/1"


def follow(session: Session, services: Services, event: AuditEvent) -> None:
    """Queue a delivery to each webhook that watches what the event is about."""
    shape = SHAPES.get(event.action)
    repo = session.get(Repo, event.repo_id) if shape is not None and event.repo_id is not None else None
    if shape is None or repo is None:
        return
    for webhook in watching(session, event, repo):
        if shape.domain in webhook.domains:
            services.jobs.queue.enqueue(session, DELIVER.name, {"webhook": webhook.id, "event": event.id}, repo_id=repo.id)


@dataclass(frozen=True, slots=True)
class _Delivery:
    url: str
    headers: dict[str, str]
    body: bytes


def deliver(ctx: JobContext) -> Mapping[str, Any]:
    """Send one event to one webhook.

    Raises:
        Unavailable: no answer, or not a good one: it is tried again. UnsafeAddress: never.
    """
    services, webhook_id = ctx.services, int(ctx.args["webhook"])
    with services.db.read() as session:
        made = _prepare(session, services, webhook_id, int(ctx.args["event"]))
    if isinstance(made, str):
        return {"skipped": made}
    try:
        target = check_url(made.url, services.webhooks.allowed)
        status = post(target, made.headers, made.body, services.webhooks.allowed)
        if not 200 <= status < 300:
            raise Unavailable(f"{target.shown} answered {status}.", status=status)
    except HubError as error:
        _note(services, webhook_id, error.details.get("status"), error.message)
        raise
    _note(services, webhook_id, status, "")
    return {"status": status}


DELIVER = JobKind("webhook.deliver", deliver, attempts=8, backoff=(10, 60, 300, 1800, 7200, 21_600, 43_200), internal=True)


def _prepare(session: Session, services: Services, webhook_id: int, event_id: int) -> _Delivery | str:
    """What to send, or why nothing is to be sent."""
    webhook, event = session.get(Webhook, webhook_id), session.get(AuditEvent, event_id)
    if webhook is None or webhook.disabled:
        return "the webhook is gone or disabled"
    repo = session.get(Repo, event.repo_id) if event is not None and event.repo_id is not None else None
    owner = session.get_one(User, webhook.owner_id)
    if event is None or repo is None:
        return "the repo is gone"
    # `visible` counts what lies in the trash, of which a deletion has to tell.
    may_read = sa.select(Repo.id).where(Repo.id == repo.id, visible(reader_for(owner)))
    if owner.status != "active" or session.scalar(may_read) is None:
        return "its owner may not read the repo"
    body = json.dumps(payload(session, event, repo, webhook.uid, base_url(services.settings)), ensure_ascii=False).encode()
    return _Delivery(webhook.url, _headers(webhook, event, body, services.webhooks.secret_of(webhook)), body)


def _headers(webhook: Webhook, event: AuditEvent, body: bytes, secret: str) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json", "User-Agent": USER_AGENT, "Connection": "close",
        # The same for every attempt, so that a receiver can tell a repetition.
        "X-Webhook-Delivery": f"{webhook.uid}-{event.id}", "X-Webhook-Event": event.action,
    }  # fmt: skip
    if secret:
        headers["X-Webhook-Secret"] = secret
        headers["X-Hub-Signature-256"] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return headers


def _note(services: Services, webhook_id: int, status: int | None, error: str) -> None:
    """Keep how the last attempt went; disable what does not answer for very long."""
    with services.db.write() as session:
        row = session.get(Webhook, webhook_id, with_for_update=True)
        if row is None:
            return
        row.last_at, row.last_status, row.last_error = utcnow(), status, error[:200]
        row.failures = row.failures + 1 if error else 0
        if row.failures >= DISABLE_AFTER and not row.disabled:
            row.disabled, row.reason = True, f"{row.failures} deliveries in a row failed"
            audit.record(
                session, SYSTEM, "webhook.disable", row.uid, repo_id=row.repo_id, webhook=row.uid, owner=row.owner_id, failures=row.failures
            )


def base_url(settings: Settings) -> str:
    """The hub's address as far as it is known without a request."""
    return settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"

"""What callers get to see of requests for access: plain values."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from hub_core.authz import Role
from hub_core.gating.tables import AccessRequest, RequestStatus
from hub_core.repos.tables import Repo


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request for access. `role` is read for the files behind a gate, write for the role; `fields` is what a client's form sent."""

    id: int
    repo: str
    username: str
    role: Role
    status: RequestStatus
    reason: str
    answer: str
    requested_at: dt.datetime
    decided_at: dt.datetime | None
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RequestPage:
    """One page of requests; `next` is the cursor of the next one."""

    items: list[RequestView]
    next: int | None


def view_of(request: AccessRequest, repo: Repo, username: str) -> RequestView:
    """A row as callers see it."""
    return RequestView(
        request.id, repo.full_name, username, Role(request.role), RequestStatus(request.status), request.reason, request.answer,
        request.requested_at, request.decided_at, dict(request.fields),
    )  # fmt: skip

"""What a look at the clusters says of a deployment: what people are told of it, and where its requests go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hub_core.clusters.port import Instance, InstanceState, WorkloadStatus
from hub_core.clusters.reasons import because, together
from hub_core.db import utcnow
from hub_core.deployments.preparing import Prepared
from hub_core.deployments.reasons import TAKEN_UP, reason_values
from hub_core.deployments.tables import Deployment, Status
from hub_core.deployments.traffic import Share, copies_of_new

# A copy of a new revision that ended before takes requests once it has answered for so long: it may end at the first one again.
STEADY = dt.timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a round found out about a deployment."""

    status: Status
    reason: str = ""
    ready: int = 0
    endpoints: tuple[str, ...] = ()
    serving: int | None = None
    model_field: str = ""
    routes: tuple[Share, ...] = ()
    settled: bool = True  # whether nothing is expected to happen by itself soon

    def values(self, row: Deployment) -> dict[str, object]:
        """As the row keeps it."""
        return {
            "status": str(self.status), "ready": self.ready, "endpoints": list(self.endpoints), "serving": self.serving,
            "model_field": self.model_field or row.model_field, "routes": [share.stored() for share in self.routes],
            **reason_values(self.reason),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leg:
    """One of two revisions that run side by side: its number, what runs of it, and its `model` in a request."""

    revision: int
    found: WorkloadStatus | None
    model_field: str


def seen_of(found: WorkloadStatus | None, revision: int, wanted: int, model_field: str) -> Seen:
    """What the workload of one revision says, of which so many copies are wanted."""
    instances = found.instances if found else ()
    ready = found.ready if found else ()
    worst = next((one for one in instances if one.state is InstanceState.CRASHING), None)
    queued = next((one for one in instances if one.state is InstanceState.QUEUED), None)
    other = next((one for one in instances if one.reason), None)
    reason = next((one.reason for one in (worst, queued, other) if one is not None and one.reason), "")
    if ready:
        told = together(because("copies", ready=len(ready), replicas=wanted), reason) if len(ready) < wanted else ""
        return Seen(Status.RUNNING, told, len(ready), tuple(one.address for one in ready), revision, model_field)
    if worst is not None:
        return Seen(Status.FAILED, reason, settled=False)
    return Seen(Status.QUEUED if queued is not None else Status.STARTING, reason or ("" if instances else TAKEN_UP), settled=False)


def with_older(seen: Seen, others: Mapping[str, WorkloadStatus], row: Deployment) -> Seen:
    """The current revision does not answer: an older one that does goes on serving."""
    older = next((found for found in others.values() if found.ready), None)
    if older is None:
        return seen
    number = int(older.name.rpartition("-r")[2])
    told = _instead(seen, row.revision, number)
    return Seen(Status.RUNNING, told, len(older.ready), tuple(one.address for one in older.ready), number, row.model_field)


def seen_of_both(row: Deployment, older: Leg, newer: Leg, prepared: Prepared) -> Seen:
    """Two revisions side by side. The newer one takes its share once a copy of it answers steadily, and nothing before."""
    old = seen_of(older.found, older.revision, row.replicas, older.model_field)
    wanted = copies_of_new(row.replicas, row.traffic)
    new = seen_of(newer.found, newer.revision, wanted, newer.model_field)
    if not prepared.ready:
        new = Seen(Status.FAILED if prepared.failed else Status.QUEUED, prepared.reason, settled=False)
    steady = tuple(one.address for one in newer.found.ready if _is_steady(one)) if newer.found and prepared.ready else ()
    if old.ready and steady:
        routes = (
            Share(older.revision, 100 - row.traffic, old.endpoints, older.model_field),
            Share(newer.revision, row.traffic, steady, newer.model_field),
        )
        return replace(old, routes=routes, reason=old.reason or new.reason)
    if old.ready:
        waits = new if not new.ready else Seen(Status.FAILED, new.reason)
        return replace(old, reason=_instead(waits, newer.revision, older.revision), settled=False)
    if steady:
        told = together(because("newer_alone", older=older.revision, revision=newer.revision), old.reason)
        return replace(new, endpoints=steady, ready=len(steady), reason=told, settled=False)
    return old


def _instead(seen: Seen, revision: int, older: int) -> str:
    code = {Status.FAILED: "older_failed", Status.QUEUED: "older_queued"}.get(seen.status, "older_starting")
    return together(because(code, revision=revision, older=older), seen.reason)


def _is_steady(one: Instance) -> bool:
    return one.restarts == 0 or (one.started_at is not None and utcnow() - one.started_at > STEADY)

"""What kinds of jobs there are, and what each of them does: the one list."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub_core.jobs.context import JobContext

Handler = Callable[["JobContext"], Mapping[str, Any] | None]
"""Does the work; what it returns is the job's result, as JSON. It may run again after a crash, so it must be idempotent."""


class Lane(enum.StrEnum):
    """Which threads run a job: heavy work never keeps light work waiting."""

    LIGHT = "light"
    HEAVY = "heavy"
    TRAINING = "training"  # hours of it must keep no scan waiting
    SETUP = "setup"  # what a deployment waits for: it stands behind no fine-tune and before no webhook
    BUILD = "build"  # images that clusters build: a thread follows each


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job.

    Attributes:
        attempts: how often it is tried at most, crashes of workers included.
        backoff: seconds before the second, third ... attempt; the last one counts for all that follow.
        internal: the hub's own bookkeeping; lists show it only when asked for by kind, and nobody is notified of its end.
    """

    name: str
    run: Handler
    lane: Lane = Lane.LIGHT
    attempts: int = 3
    backoff: tuple[float, ...] = (10, 60, 300)
    internal: bool = False

    def delay(self, attempts: int) -> float:
        """Seconds to wait after so many attempts."""
        return self.backoff[min(attempts, len(self.backoff)) - 1]


def all_kinds() -> dict[str, JobKind]:
    """Every kind of job of this hub, by name."""
    from hub_core.deployments import preparing
    from hub_core.scanning.work import SCAN, VERIFY
    from hub_core.spaces.building import BUILD_JOB
    from hub_core.training.jobs import EVALUATE_JOB, FINETUNE_JOB
    from hub_core.webhooks.deliver import DELIVER

    kinds: tuple[JobKind, ...] = (
        DELIVER,
        SCAN,
        VERIFY,
        preparing.INSTALL_JOB,
        preparing.FETCH_JOB,
        preparing.SPACE_JOB,
        BUILD_JOB,
        FINETUNE_JOB,
        EVALUATE_JOB,
    )
    return {kind.name: kind for kind in kinds}

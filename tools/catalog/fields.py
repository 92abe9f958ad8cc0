"""Argument types that many tools share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from hub_core.budgets.states import BudgetPeriod
from tools.contract import Slot, SlotType
from tools.periods import budget_period, canonical

RepoArg = Annotated[
    str,
    Slot(SlotType.REPO),
    Field(description="Repo as `namespace/name`, or a bare name.", min_length=1, max_length=200, examples=["acme/support-7b"]),
]
ModelArg = Annotated[
    str,
    Slot(SlotType.REPO, ("model",)),
    Field(description="Model repo as `namespace/name`, or a bare name.", min_length=1, max_length=200, examples=["acme/support-7b"]),
]
SpaceArg = Annotated[
    str,
    Slot(SlotType.REPO, ("space",)),
    Field(description="Space as `namespace/name`, or a bare name.", min_length=1, max_length=200, examples=["acme/demo-app"]),
]
DatasetArg = Annotated[
    str,
    Slot(SlotType.REPO, ("dataset",)),
    Field(description="Dataset repo as `namespace/name`, or a bare name.", min_length=1, max_length=200, examples=["acme/tickets-q3"]),
]
PathArg = Annotated[str, Slot(SlotType.PATH), Field(description="Path inside the repo.", max_length=4096, examples=["data/train.csv"])]
NewPathArg = Annotated[str, Slot(SlotType.NEW_PATH), Field(description="New path inside the repo.", max_length=4096)]
RevisionArg = Annotated[
    str, Slot(SlotType.REVISION), Field(description="Branch, Git tag or commit id (at least 7 digits).", max_length=400, examples=["main"])
]
BranchArg = Annotated[str, Slot(SlotType.BRANCH), Field(description="Name of a branch.", max_length=200, examples=["dev"])]
GitTagArg = Annotated[str, Slot(SlotType.GIT_TAG), Field(description="Name of a Git tag.", max_length=200, examples=["v1.0"])]
UserArg = Annotated[str, Slot(SlotType.USER), Field(description="Name of a user.", min_length=1, max_length=64, examples=["bob"])]
MessageArg = Annotated[str, Slot(SlotType.TEXT), Field(description="Commit message.", max_length=10_000)]
TagText = Annotated[str, Field(max_length=96)]
LimitArg = Annotated[int, Slot(SlotType.NUMBER), Field(description="How many at most.", ge=1, le=100)]
DiscussionArg = Annotated[
    int, Slot(SlotType.DISCUSSION), Field(description="Number of the discussion or pull request.", ge=1, le=2**31 - 1, examples=[3])
]
UrlArg = Annotated[
    str,
    Slot(SlotType.URL),
    Field(description="Address, `http://` or `https://`.", max_length=2000, examples=["https://ci.example.com/hook"]),
]
DeploymentArg = Annotated[
    str,
    Slot(SlotType.DEPLOYMENT),
    Field(description="Deployment as `namespace/name`, or its bare name.", min_length=1, max_length=200, examples=["acme/support-7b"]),
]
HardwareArg = Annotated[
    str,
    Slot(SlotType.HARDWARE),
    Field(description="Hardware of each copy, e.g. `a10`, `2x a100`, `cpu`.", min_length=1, max_length=60, examples=["a10"]),
]
PeriodArg = Annotated[
    str,
    Slot(SlotType.PERIOD),
    AfterValidator(canonical),
    Field(
        description="`today`, `yesterday`, `week`, `last-week`, `month`, `last-month`, `year`, `24h`, `7d`, a day, month or year "
        "(`2026-11-03`, `2026-11`, `2026`), or a range `2026-11-01..2026-11-15` (UTC).",
        max_length=40,
        examples=["month"],
    ),
]
BudgetPeriodArg = Annotated[
    BudgetPeriod, Slot(SlotType.PERIOD), BeforeValidator(budget_period), Field(description="day, week (from Monday) or month (UTC)")
]
AmountArg = Annotated[
    float | Annotated[str, Field(max_length=40)],
    Slot(SlotType.AMOUNT),
    Field(description="Money: a number, or with the currency, which must be the hub's: `200 EUR`, `$200`.", examples=[200]),
]
TargetArg = Annotated[
    str,
    Slot(SlotType.DEPLOYMENT),
    Field(description="Deployment as `namespace/name`, or its bare name.", min_length=1, max_length=200, examples=["acme/support-7b"]),
]
UsedArg = Annotated[
    str,
    Slot(SlotType.DEPLOYMENT),
    Field(
        description="Only this deployment, also one that is gone; or a job (`job 12`).",
        min_length=1,
        max_length=200,
        examples=["acme/support-7b"],
    ),
]
OwnerArg = Annotated[str, Slot(SlotType.OWNER), Field(description="User or organisation.", min_length=1, max_length=64, examples=["acme"])]

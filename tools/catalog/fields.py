"""Argument types that many tools share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tools.contract import Slot, SlotType

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

"""Imports every table, so that `Base.metadata` is complete."""

from __future__ import annotations

from hub_core import audit
from hub_core.accounts import tables as accounts
from hub_core.approvals import tables as approvals
from hub_core.bridges import tables as bridges
from hub_core.budgets import tables as budgets
from hub_core.collections import tables as collections
from hub_core.conversations import tables as conversations
from hub_core.deployments import tables as deployments
from hub_core.discussions import tables as discussions
from hub_core.gating import tables as gating
from hub_core.git import tables as git
from hub_core.jobs import tables as jobs
from hub_core.lfs import tables as lfs
from hub_core.metering import tables as metering
from hub_core.notices import tables as notices
from hub_core.repos import tables as repos
from hub_core.scanning import tables as scanning
from hub_core.spaces import tables as spaces
from hub_core.webhooks import tables as webhooks
from hub_core.xet import tables as xet

__all__ = [
    "accounts",
    "approvals",
    "audit",
    "bridges",
    "budgets",
    "collections",
    "conversations",
    "deployments",
    "discussions",
    "gating",
    "git",
    "jobs",
    "lfs",
    "metering",
    "notices",
    "repos",
    "scanning",
    "spaces",
    "webhooks",
    "xet",
]

"""Git repositories: refs in the database, packs in the blob store, a disposable cache on each node."""

from hub_core.git.refnames import check_short, valid_ref
from hub_core.git.store import GitStore
from hub_core.git.types import (
    ZERO,
    Author,
    CommitInfo,
    CommitResult,
    FileChange,
    FileDiff,
    GitLimits,
    MaintenanceReport,
    RefHook,
    RefResult,
    RefsApply,
    RefsChange,
    RefUpdate,
    RepoState,
    TreeEntry,
)

__all__ = [
    "ZERO",
    "Author",
    "CommitInfo",
    "CommitResult",
    "FileChange",
    "FileDiff",
    "GitLimits",
    "GitStore",
    "MaintenanceReport",
    "RefHook",
    "RefResult",
    "RefUpdate",
    "RefsApply",
    "RefsChange",
    "RepoState",
    "TreeEntry",
    "check_short",
    "valid_ref",
]

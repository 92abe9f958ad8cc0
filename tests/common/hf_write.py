"""Steps that tests of uploads share."""

from __future__ import annotations

import itertools
from pathlib import Path

from huggingface_hub import HfApi

from hub_core.authz import Scope
from tests.common.factories import actor_for
from tests.common.git_client import git
from tests.common.hf_hub import HfHub

_numbers = itertools.count(1)


def owner(hub: HfHub) -> HfApi:
    """Ann's client with a token that may also move, hide and delete repos."""
    return hub.api(hub.services.tokens.create(actor_for(hub.ann), f"owner-{next(_numbers)}", Scope.ADMIN).token)


def new_repo(hub: HfHub, repo_type: str | None = None) -> str:
    """The id of a new repo of Ann's that everybody sees, made by the client."""
    return hub.api().create_repo(f"ann/made-{next(_numbers)}", repo_type=repo_type, private=False).repo_id


def sound_clone(hub: HfHub, path: str, folder: Path, branch: str = "main") -> Path:
    """A clone of a repo with its large files, in which `git fsck --strict` finds nothing."""
    folder.mkdir(parents=True)
    url = hub.url.replace("://", f"://user:{hub.ann_token}@")
    git(folder, "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false", "clone", "-q", "-b", branch, f"{url}/{path}", "clone")
    clone = folder / "clone"
    found = git(clone, "fsck", "--strict", "--full")
    assert found.stdout == ""
    git(clone, "lfs", "install", "--local")
    git(clone, "lfs", "pull")
    return clone

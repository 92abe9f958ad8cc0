"""Pushing to pull requests over SSH: the same rights as over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_core.authz import Visibility
from tests.clients.test_ssh import SshHub, ssh_hub  # noqa: F401
from tests.common.factories import actor_for
from tests.common.git_client import commit_file, git

pytestmark = pytest.mark.clients


def test_a_reader_pushes_to_the_own_pull_request_over_ssh(ssh_hub: SshHub, work: Path) -> None:  # noqa: F811
    hub = ssh_hub.hub
    repo, ben = hub.repo("thing"), actor_for(hub.ben)
    ssh_hub.git(work, "ben", "clone", "-q", ssh_hub.address("ann/thing.git"), "mine")
    mine = work / "mine"
    git(mine, "lfs", "install", "--local")
    commit = commit_file(mine, "a.txt", "a\n")
    before = hub.services.git.refs(repo.id)
    assert ssh_hub.git(mine, "ben", "push", "origin", "HEAD:refs/pr/1", check=False).returncode != 0
    hub.services.pulls.open(ben, repo, "Add a")
    ssh_hub.git(mine, "ben", "push", "-q", "origin", "HEAD:refs/pr/1")
    assert ssh_hub.git(mine, "ben", "push", "origin", "HEAD:main", check=False).returncode != 0
    assert hub.services.git.refs(repo.id) == {**before, "refs/pr/1": commit}
    hub.services.repos.set_visibility(actor_for(hub.ann), repo, Visibility.PRIVATE)
    commit_file(mine, "b.txt", "b\n")
    assert "no repo" in ssh_hub.git(mine, "ben", "push", "origin", "HEAD:refs/pr/1", check=False).stderr

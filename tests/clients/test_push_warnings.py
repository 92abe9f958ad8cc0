"""`git push` is told of secrets in what it sends; the push is accepted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.clients.conftest import LiveHub
from tests.common.factories import actor_for
from tests.common.git_client import commit_file, git
from tests.unit.scanning.test_secrets import SAMPLES

pytestmark = pytest.mark.clients
TOKEN = SAMPLES[1][1]


@pytest.fixture
def clone(live_git_hub: LiveHub, work: Path) -> Path:
    live_git_hub.repo("one")
    git(work, "clone", "-q", live_git_hub.address("/ann/one.git", live_git_hub.ann_token), "clone")
    return work / "clone"


@pytest.mark.parametrize("more", [0, 300_000], ids=["in process", "by C Git"])
def test_a_secret_is_told_and_the_push_accepted(live_git_hub: LiveHub, clone: Path, more: int) -> None:
    (clone / "large.dat").write_bytes(os.urandom(more) if more else b"x")
    commit = commit_file(clone, "config.py", f"KEY = '{TOKEN}'\n")
    pushed = git(clone, "push", "origin", "main")
    assert "remote: warning: this push holds what looks like secrets: Hugging Face token (1)." in pushed.stderr
    assert TOKEN not in pushed.stderr
    repo = live_git_hub.services.repos.find(actor_for(live_git_hub.ann), "ann/one")
    assert live_git_hub.services.git.branches(repo.id)["main"] == commit


def test_what_was_there_before_and_what_is_harmless_is_not_told(clone: Path) -> None:
    commit_file(clone, "config.py", f"KEY = '{TOKEN}'\n")
    git(clone, "push", "origin", "main")
    commit_file(clone, "other.py", "KEY = os.environ['KEY']\n")
    assert "warning" not in git(clone, "push", "origin", "main").stderr


def test_a_refused_push_tells_why_and_nothing_else(live_git_hub: LiveHub, clone: Path, work: Path) -> None:
    git(work, "clone", "-q", live_git_hub.address("/ann/one.git", live_git_hub.ann_token), "other")
    commit_file(work / "other", "a.txt", "first")
    git(work / "other", "push", "origin", "main")
    commit_file(clone, "config.py", f"KEY = '{TOKEN}'\n")
    refused = git(clone, "push", "--force-with-lease=main:" + "1" * 40, "origin", "main", check=False)
    assert refused.returncode != 0
    assert "secrets" not in refused.stderr

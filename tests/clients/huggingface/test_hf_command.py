"""The `hf` command line as people type it, with its own settings and its own way to send large files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hub_core.authz import Scope
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub

pytestmark = pytest.mark.clients
LOCAL_ONLY = pytest.mark.parametrize("hub", ["local"], indirect=True, scope="module")


class Terminal:
    """Runs `hf` as somebody whose home folder is empty."""

    def __init__(self, hub: HfHub, home: Path) -> None:
        self._home = home
        quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1", "NO_COLOR": "1"}
        self._env = {"PATH": os.defpath, "HOME": str(home), "HF_HOME": str(home / "hf"), "HF_ENDPOINT": hub.url, **quiet}

    def hf(self, *arguments: str, fails: bool = False) -> str:
        """What it prints."""
        command = [str(Path(sys.executable).parent / "hf"), *arguments]
        done = subprocess.run(command, cwd=self._home, env=self._env, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + (done.stderr if fails else "")

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that goes on; what it prints comes line by line."""
        command = [str(Path(sys.executable).parent / "hf"), *arguments]
        return subprocess.Popen(
            command, cwd=self._home, env=self._env | {"PYTHONUNBUFFERED": "1"}, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip


@pytest.fixture
def terminal(hub: HfHub, tmp_path: Path) -> Terminal:
    """Ann's terminal, signed in with a token that may do all that she may."""
    token = hub.services.tokens.create(actor_for(hub.ann), f"terminal-{tmp_path.name}", Scope.ADMIN).token
    terminal = Terminal(hub, tmp_path)
    terminal.hf("auth", "login", "--token", token)
    return terminal


def test_somebody_signs_in_uploads_downloads_and_cleans_up(hub: HfHub, terminal: Terminal, tmp_path: Path) -> None:
    assert "ann" in terminal.hf("auth", "whoami")
    assert "ann/typed" in terminal.hf("repos", "create", "typed", "--private")
    terminal.hf("repos", "create", "typed", "--private", fails=True)
    terminal.hf("repos", "create", "typed", "--private", "--exist-ok")
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    large = os.urandom(3 << 20)
    (source / "model.safetensors").write_bytes(large)
    (source / "sub/config.json").write_text("{}")
    (source / "notes.log").write_text("left out")
    terminal.hf("upload", "ann/typed", str(source), ".", "--exclude", "*.log", "--commit-message", "From the terminal")
    repo = hub.services.repos.find(actor_for(hub.ann), "ann/typed")
    assert hub.services.history.log(actor_for(hub.ann), repo)[0].title == "From the terminal"
    entries = {entry.path: entry for entry in hub.services.git.tree(repo.id, hub.services.git.resolve(repo.id), "", True)}
    assert set(entries) == {".gitattributes", "model.safetensors", "sub", "sub/config.json"}
    assert entries["model.safetensors"].lfs is not None
    terminal.hf("download", "ann/typed", "--local-dir", "target")
    assert (tmp_path / "target/model.safetensors").read_bytes() == large
    terminal.hf("repos", "delete-files", "ann/typed", "sub/*")
    assert "config.json" not in hub.services.files.paths(actor_for(hub.ann), repo)
    terminal.hf("repos", "delete", "ann/typed", "--yes")
    assert "not found" in terminal.hf("download", "ann/typed", fails=True).lower()


def test_signing_in_by_a_browser(hub: HfHub, tmp_path: Path) -> None:
    terminal = Terminal(hub, tmp_path)
    with terminal.begin("auth", "login") as login:
        assert login.stdout is not None
        code = next(found[1] for line in login.stdout if (found := re.search(r"enter the code:? ([A-Z]{4}-[A-Z]{4})", line)))
        hub.services.device_logins.approve(actor_for(hub.ann), code, Scope.WRITE)
        said = login.stdout.read()
        assert login.wait(60) == 0, said
    assert "ann" in terminal.hf("auth", "whoami")
    assert f"login {code}" in terminal.hf("auth", "list")
    terminal.hf("repos", "create", "ann/by-browser", "--private")


@LOCAL_ONLY
def test_a_login_that_was_refused_is_told(hub: HfHub, tmp_path: Path) -> None:
    with Terminal(hub, tmp_path).begin("auth", "login") as login:
        assert login.stdout is not None
        code = next(found[1] for line in login.stdout if (found := re.search(r"enter the code:? ([A-Z]{4}-[A-Z]{4})", line)))
        hub.services.device_logins.refuse(actor_for(hub.ann), code)
        said = login.stdout.read()
        assert login.wait(60) != 0
    assert "denied" in said


@LOCAL_ONLY
def test_branches_tags_settings_and_moving(hub: HfHub, terminal: Terminal) -> None:
    terminal.hf("repos", "create", "ann/moved", "--type", "dataset")
    terminal.hf("repos", "branch", "create", "ann/moved", "dev", "--type", "dataset")
    terminal.hf("repos", "tag", "create", "ann/moved", "v1", "-m", "First", "--revision", "dev", "--type", "dataset")
    assert "v1" in terminal.hf("repos", "tag", "list", "ann/moved", "--type", "dataset")
    terminal.hf("repos", "settings", "ann/moved", "--private", "--type", "dataset")
    terminal.hf("repos", "move", "ann/moved", "lab/moved", "--type", "dataset")
    view = hub.services.repos.get(actor_for(hub.ann), "dataset:lab/moved")
    assert view.visibility == "private"
    repo = hub.services.repos.find(actor_for(hub.ann), "dataset:lab/moved")
    assert set(hub.services.git.refs(repo.id)) == {"refs/heads/main", "refs/heads/dev", "refs/tags/v1"}
    assert json.loads(terminal.hf("datasets", "info", "lab/moved", "--json"))["id"] == "lab/moved"


@LOCAL_ONLY
def test_a_gated_repo_says_that_it_requires_approval(hub: HfHub, terminal: Terminal, tmp_path: Path) -> None:
    repo = hub.repo({"config.json": b"{}"})
    terminal.hf("repos", "settings", repo.full_name, "--gated", "manual")
    (home := tmp_path / "ben").mkdir()
    outside = Terminal(hub, home)
    assert f"Access denied. Model '{repo.full_name}' requires approval." in outside.hf("download", repo.full_name, fails=True)
    outside.hf("auth", "login", "--token", hub.ben_token)
    assert "requires approval" in outside.hf("download", repo.full_name, "config.json", fails=True)
    hub.services.gating.let_in(actor_for(hub.ann), repo, hub.ben.username)
    outside.hf("download", repo.full_name)

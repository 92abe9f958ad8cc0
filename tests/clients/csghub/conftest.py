"""The hub of the Hugging Face tests, and `csghub-sdk` in processes of its own: it changes the client that it stands on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.huggingface.conftest import hub
from tests.common.hf_hub import HfHub

__all__ = ["LOCAL_ONLY", "hub", "run"]

LOCAL_ONLY = pytest.mark.parametrize("hub", ["local"], indirect=True, scope="module")
"""For what does not depend on where bytes are: the other half of the tests runs on PostgreSQL and S3 too."""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(hub: HfHub, tmp_path: Path) -> Run:
    """Run `csghub-cli` (or Python with a script) in an empty home as Ann."""

    def go(
        *arguments: str, python: str = "", native: bool = False, token: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        identity = {f"GIT_{who}_{what}": "ann@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "CSGHUB_HOME": str(home), "HF_HOME": str(home / "hf"),
            "CSGHUB_DOMAIN": hub.url, "CSGHUB_TOKEN": token or hub.ann_token, "CSGHUB_DISABLE_XNET": str(native).lower(), "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "NO_COLOR": "1", **identity,
        }  # fmt: skip
        command = [sys.executable, "-c", python] if python else ["csghub-cli", *arguments, "-e", hub.url]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        if check and done.returncode:
            raise AssertionError(f"{command}\n{done.stdout}\n{done.stderr}")
        return done

    return go

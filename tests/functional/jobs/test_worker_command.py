"""`hubtalk worker` as an operator runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from hub_core.repos.kinds import RepoKind
from hub_core.services import open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_user
from tests.common.working import add, row, wait_until


def test_it_runs_the_jobs_of_the_hub_and_stops_when_asked(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, demo=False)
    with open_services(settings) as hub:
        ann = actor_for(make_user(hub.db, "ann"))
        hub.repos.create(ann, "ann/one", RepoKind.MODEL)
        repo = hub.repos.find(ann, "ann/one")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        command = [sys.executable, "-c", "from chat_ui.cli import main; main()", "worker", "--light", "1", "--heavy", "1"]
        process = subprocess.Popen(command, env=environment | {"HUB_DATA_DIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True)
        try:
            job = add(hub, "scan", {"repo": repo.id}, actor=ann, repo_id=repo.id)
            wait_until(lambda: row(hub, job).status == "succeeded")
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 0
        assert "running jobs (1 light, 1 heavy, 0 training at once)" in said

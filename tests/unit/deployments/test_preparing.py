"""What must be there before a deployment starts, when a disk is full, an installer is killed, or a copy was cut off."""

from __future__ import annotations

import dataclasses
import errno
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hub_core.authz import Actor
from hub_core.deployments.preparing import FETCH_JOB, Preparing
from hub_core.deployments.reconciler import Rounds
from hub_core.repos import copying
from hub_core.running_errors import RuntimeNotInstalled
from hub_core.runtimes import install
from hub_core.services import Services
from tests.common.deploying import MemoryCluster, add_model, status_of
from tests.common.working import with_kinds, work
from tests.unit.deployments.test_service import deploy


def test_a_disk_that_fills_up_in_mid_copy_is_told_and_a_restart_goes_on(
    hub: Services, cluster: MemoryCluster, ann: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    rounds = Rounds(hub.db, hub.platform, Preparing(hub.db, hub.jobs.queue, hub.platform))
    rounds.run()
    left = hub.platform.data_dir / "models"

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(copying.os, "fsync", full)
    work(with_kinds(hub, dataclasses.replace(FETCH_JOB, attempts=1)))
    monkeypatch.undo()
    assert not rounds.run()
    view = status_of(hub, ann, "chat").view
    assert (view.status, view.reason_code) == ("failed", "disk_full")
    assert view.reason.startswith("The disk is full. It could not be made ready: The disk of the hub is full")
    assert list(left.iterdir()) == []  # nothing half copied stays
    assert cluster.workloads == {}
    hub.deployments.restart(ann, found)
    rounds.run()
    work(hub)
    rounds.run()
    assert status_of(hub, ann, "chat").view.status == "running"


def test_what_a_killed_copy_left_is_removed_by_the_next(hub: Services, ann: Actor) -> None:
    add_model(hub, ann)
    deploy(hub, ann)
    rounds = Rounds(hub.db, hub.platform, Preparing(hub.db, hub.jobs.queue, hub.platform))
    rounds.run()
    models = hub.platform.data_dir / "models"
    work(hub)
    (target,) = models.iterdir()
    left = models / f".{target.name}.7-1"
    left.mkdir()
    (left / "half.gguf").write_bytes(b"x")
    target.rename(models / "gone")
    rounds.run()
    work(hub)
    assert target.is_dir()
    assert not left.exists()


def test_an_installer_that_is_killed_leaves_nothing_that_looks_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = install.Packages("packed", "Packed", ("nothing==1",))
    real, began = subprocess.Popen, []

    def starting(command: list[str], **more: Any) -> Any:
        began.append(command)
        if "pip" in command:
            command = ["sh", "-c", "kill -9 $$" if len(began) < 3 else "exit 0"]
        return real(command, **more)

    monkeypatch.setattr(install.subprocess, "Popen", starting)
    with pytest.raises(RuntimeNotInstalled, match="killed"):
        install.install_packages(tmp_path, packages, lambda _share, _text: None)
    assert not packages.installed(tmp_path)
    install.install_packages(tmp_path, packages, lambda _share, _text: None)
    assert packages.installed(tmp_path)
    assert packages.python(tmp_path).exists()

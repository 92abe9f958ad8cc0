"""Packages of runtimes on this machine: each runtime has a virtual environment of its own under the data folder, made on first use.

Only prebuilt packages are taken, in the pinned versions of the data file: no code of a package runs while it is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from hub_core.errors import RuntimeNotInstalled
from hub_core.runtimes.catalogue import Runtime
from hub_core.settings import foreign_environment

POLL_S = 0.5
_READY = "ready.json"

Tell = Callable[[float, str], None]
"""Told how far it is (0 to 1), and in what; raises to end it."""


def environment_folder(data_dir: Path, runtime: Runtime) -> Path:
    """Where the packages of a runtime are; other versions have another folder."""
    assert runtime.local is not None
    pins = hashlib.sha256(json.dumps([*runtime.local.requirements, sys.version_info[:2]]).encode()).hexdigest()[:10]
    return data_dir.resolve() / "runtimes" / f"{runtime.name}-{pins}"


def python_of(data_dir: Path, runtime: Runtime) -> Path:
    """The Python that has the runtime's packages; the hub's own for a runtime that needs none."""
    assert runtime.local is not None
    return environment_folder(data_dir, runtime) / "bin" / "python" if runtime.local.requirements else Path(sys.executable)


def is_installed(data_dir: Path, runtime: Runtime) -> bool:
    """Whether the packages are all there."""
    return not _needs(runtime) or (environment_folder(data_dir, runtime) / _READY).exists()


def install(data_dir: Path, runtime: Runtime, tell: Tell) -> None:
    """Make the environment of a runtime; nothing happens where it is there. What a crash left is made anew.

    Raises:
        RuntimeNotInstalled: the packages cannot be had.
    """
    if is_installed(data_dir, runtime):
        return
    assert runtime.local is not None
    folder = environment_folder(data_dir, runtime)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    tell(0.0, f"Making an environment for {runtime.title}")
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], 0.05, runtime, tell)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--python", str(folder / "bin" / "python"), "install"]
    _run([*pip, "--no-cache-dir", "--progress-bar", "off", "--only-binary", ":all:", *runtime.local.requirements], 0.1, runtime, tell)
    (folder / _READY).write_text(json.dumps({"requirements": list(runtime.local.requirements)}), encoding="utf-8")


def _needs(runtime: Runtime) -> bool:
    return runtime.local is not None and bool(runtime.local.requirements)


def _run(command: list[str], share: float, runtime: Runtime, tell: Tell) -> None:
    """Run an installer, telling its last line; its share of the whole grows with the lines it writes."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=foreign_environment())
        try:
            while process.poll() is None:
                lines = _lines(said.fileno())
                tell(min(0.95, share + 0.02 * len(lines)), f"{runtime.title}: {lines[-1]}" if lines else f"Installing {runtime.title}")
                try:
                    process.wait(POLL_S)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            lines = [line for line in _lines(said.fileno()) if "error" in line.lower()] or _lines(said.fileno())
            raise RuntimeNotInstalled(
                f"{runtime.title} cannot be installed on this machine: {lines[0] if lines else 'the installer said nothing'}",
                hint="The hub needs a package index that it can reach, once; see docs/deployments.md.",
            )


def _lines(file: int) -> list[str]:
    raw = os.pread(file, 256 * 1024, 0)
    return [line.strip()[:160] for line in raw.decode("utf-8", "replace").splitlines() if line.strip()]

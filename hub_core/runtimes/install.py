"""Packages of runtimes on this machine: each runtime has a virtual environment of its own under the data folder, made on first use.

Only prebuilt packages are taken, in the pinned versions of the data file: no code of a package runs while it is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hub_core.running_errors import RuntimeNotInstalled
from hub_core.runtimes.catalogue import Runtime
from hub_core.settings import foreign_environment

POLL_S = 0.5
_READY = "ready.json"

Tell = Callable[[float, str], None]
"""Told how far it is (0 to 1), and in what; raises to end it."""


@dataclass(frozen=True, slots=True)
class Packages:
    """What an environment is made of: its name, its title for people, and the packages: names and versions, never options or addresses.

    `place` is the folder of the hub's data that it is in; `most_bytes` and `most_seconds` are what installing it may take.
    With `alone` nothing else is installed: what they depend on is named too, or comes from another environment.
    """

    name: str
    title: str
    requirements: tuple[str, ...]
    place: str = "runtimes"
    most_bytes: float = math.inf
    most_seconds: float = math.inf
    alone: bool = False

    def folder(self, data_dir: Path) -> Path:
        """Where they are installed; other versions have another folder."""
        pins = hashlib.sha256(json.dumps([*self.requirements, sys.version_info[:2]]).encode()).hexdigest()[:10]
        return data_dir.resolve() / self.place / f"{self.name}-{pins}"

    def python(self, data_dir: Path) -> Path:
        """The Python that has them."""
        return self.folder(data_dir) / "bin" / "python"

    def modules(self, data_dir: Path) -> Path:
        """Where another Python finds them."""
        return self.folder(data_dir) / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"

    def installed(self, data_dir: Path) -> bool:
        """Whether they are all there."""
        return not self.requirements or (self.folder(data_dir) / _READY).exists()


def packages_of(runtime: Runtime) -> Packages:
    """The packages of a runtime."""
    assert runtime.local is not None
    return Packages(runtime.name, runtime.title, runtime.local.requirements)


def environment_folder(data_dir: Path, runtime: Runtime) -> Path:
    """Where the packages of a runtime are."""
    return packages_of(runtime).folder(data_dir)


def python_of(data_dir: Path, runtime: Runtime) -> Path:
    """The Python that has the runtime's packages; the hub's own for a runtime that needs none."""
    assert runtime.local is not None
    return packages_of(runtime).python(data_dir) if runtime.local.requirements else Path(sys.executable)


def is_installed(data_dir: Path, runtime: Runtime) -> bool:
    """Whether the packages are all there."""
    return runtime.local is None or not runtime.local.requirements or packages_of(runtime).installed(data_dir)


def install(data_dir: Path, runtime: Runtime, tell: Tell) -> None:
    """Make the environment of a runtime; nothing happens where it is there. What a crash left is made anew.

    Raises:
        RuntimeNotInstalled: the packages cannot be had.
    """
    if not is_installed(data_dir, runtime):
        install_packages(data_dir, packages_of(runtime), tell)


def install_packages(data_dir: Path, packages: Packages, tell: Tell) -> None:
    """Make an environment; nothing happens where it is there, and one that another process is making is waited for.

    Raises:
        RuntimeNotInstalled: the packages cannot be had.
    """
    folder = packages.folder(data_dir)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder, packages, tell):
        if packages.installed(data_dir):
            return
        shutil.rmtree(folder, ignore_errors=True)
        tell(0.0, f"Making an environment for {packages.title}")
        _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], folder, 0.05, packages, tell)
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--no-input",
            "--python",
            str(packages.python(data_dir)),
            "install",
        ]
        _run(
            [
                *pip,
                "--no-cache-dir",
                "--progress-bar",
                "off",
                "--only-binary",
                ":all:",
                *(["--no-deps"] if packages.alone else []),
                "--",
                *packages.requirements,
            ],
            folder,
            0.1,
            packages,
            tell,
        )
        (folder / _READY).write_text(json.dumps({"requirements": list(packages.requirements)}), encoding="utf-8")


@contextmanager
def _alone(folder: Path, packages: Packages, tell: Tell) -> Iterator[None]:
    with folder.with_name(f".{folder.name}.lock").open("w") as held:
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                tell(0.0, f"Waiting for the environment for {packages.title}")
                time.sleep(POLL_S)
        yield


def _run(command: list[str], folder: Path, share: float, packages: Packages, tell: Tell) -> None:
    """Run an installer, telling its last line; its share of the whole grows with the lines it writes."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        # Other users than the hub's read what is installed, too: those that apps of Spaces run as.
        process = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=foreign_environment(), umask=0o022
        )
        try:
            while process.poll() is None:
                lines = [line for line in _lines(said.fileno()) if not line.startswith("WARNING")]
                tell(min(0.95, share + 0.02 * len(lines)), f"{packages.title}: {lines[-1]}" if lines else f"Installing {packages.title}")
                _check(folder, packages, time.monotonic() - began)
                try:
                    process.wait(POLL_S)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode < 0:
            raise RuntimeNotInstalled(
                f"{packages.title} is not installed: the installer was killed (signal {-process.returncode}).",
                hint="Try again; the machine may be short of memory.",
            )
        if process.returncode:
            lines = [line for line in _lines(said.fileno()) if "error" in line.lower()] or _lines(said.fileno())
            raise RuntimeNotInstalled(
                f"{packages.title} cannot be installed on this machine: {lines[0] if lines else 'the installer said nothing'}",
                hint="The hub needs a package index that it can reach, once; see docs/deployments.md.",
            )


def _check(folder: Path, packages: Packages, seconds: float) -> None:
    """Raise when an installation takes more than it may."""
    if math.isinf(packages.most_bytes):
        return
    if seconds > packages.most_seconds or folder_size(folder) > packages.most_bytes:
        raise RuntimeNotInstalled(
            f"{packages.title} cannot be installed: they take more than {packages.most_bytes / 1024**3:.1f} GB of disk"
            f" or {packages.most_seconds / 60:.0f} minutes.",
            hint="Ask for fewer or smaller packages.",
        )


def folder_size(folder: Path) -> int:
    """Bytes of the files in a folder; links are not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).lstat().st_size
            except OSError:
                continue
    return total


def _lines(file: int) -> list[str]:
    raw = os.pread(file, 256 * 1024, 0)
    return [line.strip()[:160] for line in raw.decode("utf-8", "replace").splitlines() if line.strip()]

"""The file system of a box: what a program needs of the system, read-only, its own folder, and nothing else."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hub_core.clusters.local import kernel

HOME, TMP = "/space", "/tmp"  # noqa: S108 - inside the box
SHM_BYTES = 64 * 1024**2
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_ETC = ("alternatives", "ca-certificates", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "pki", "ssl")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_MADE = {
    "passwd": "root:x:0:0::/root:/usr/sbin/nologin\nuser:x:1000:1000::/space:/bin/sh\n",
    "group": "root:x:0:\nuser:x:1000:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "resolv.conf": "",
}


def python_folders() -> list[str]:
    """Where the Python that runs this has its library."""
    return sorted({os.path.realpath(path) for path in (sys.base_prefix, sys.base_exec_prefix)})


def build(root: Path, work: str, show: list[str], hide: list[str]) -> None:
    """Build it and make it the root of this process.

    Args:
        root: an empty place in a folder of the hub.
        work: the folder that the program may change: `home` and `tmp` in it become its own.
        show: folders that it may read, at the places that they have.
        hide: folders that it must not see although they lie in others that it sees.

    Raises:
        OSError: the kernel does not let a part of it be made.
    """
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    root.mkdir(exist_ok=True)
    kernel.mount("box", str(root), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=4m,nr_inodes=8192,mode=755")
    for path in _SYSTEM:
        if Path(path).is_symlink():
            (root / path[1:]).symlink_to(Path(path).readlink())
        else:
            _show(root, path)
    inside = tuple(os.path.realpath(path) for path in _SYSTEM)
    for path in show:
        if path not in inside and not path.startswith(tuple(f"{one}/" for one in inside)):
            _show(root, path)
    for path in hide:
        if (root / path[1:]).is_dir():
            kernel.mount("hidden", f"{root}{path}", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=64k,mode=755")
    for path in show:
        if any(path.startswith(f"{hidden}/") for hidden in hide):
            _show(root, path)
    _etc(root)
    _devices(root)
    for name, target in (("home", HOME), ("tmp", TMP)):
        place = root / target[1:]
        place.mkdir(parents=True, exist_ok=True)
        kernel.bind(f"{work}/{name}", str(place), read_only=False)
    (root / "proc").mkdir()
    kernel.mount("proc", str(root / "proc"), "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    kernel.enter_root(str(root))
    kernel.restrict("/", kernel.ATTR_RDONLY, deep=False)


def _show(root: Path, path: str) -> None:
    """Something of the machine, read-only, at its own place."""
    target = root / path[1:]
    if Path(path).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif Path(path).exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    else:
        return
    kernel.bind(path, str(target), read_only=True)


def _etc(root: Path) -> None:
    etc = root / "etc"
    etc.mkdir(exist_ok=True)
    for name in _ETC:
        path = Path("/etc", name)
        if path.is_symlink():
            (etc / name).symlink_to(path.readlink())
        else:
            _show(root, str(path))
    for name, text in _MADE.items():
        (etc / name).write_text(text, encoding="ascii")


def _devices(root: Path) -> None:
    dev = root / "dev"
    dev.mkdir()
    for name in _DEVICES:
        (dev / name).touch()
        kernel.bind(f"/dev/{name}", str(dev / name), read_only=False, devices=True)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (dev / name).symlink_to(target)
    (dev / "shm").mkdir()
    kernel.mount("shm", str(dev / "shm"), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, f"size={SHM_BYTES},mode=1777")

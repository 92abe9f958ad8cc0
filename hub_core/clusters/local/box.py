"""Runs one program that nobody vouches for: shut into namespaces of its own, with nothing of this machine but what it was given.

Runs as `python -I -S box.py FOLDER` under a keeper, with nothing but the standard library. Three processes:

- the gate (this one) listens where the hub asks for, in the network of the machine, and passes connections on into the box's own
  network, which has nothing else in it;
- the guard is process 1 of the box: it builds its file system, starts the program, counts its memory and its files, and when it ends,
  the kernel ends everything that the program ever started;
- the program: no capabilities, another user where the hub is root, no way to get rights, few system calls that reach deep.

Whatever cannot be set up ends the box before the program starts. `box.py --check` tries all of it and says what is missing.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # as a program of its own it has to find its two halves
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from hub_core.clusters.local import boxroot, kernel
from hub_core.clusters.local.boxguard import Guard

USER = 1000  # inside the box
NOT_SET_UP = 126  # exit status of a box that could not be built
MAX_CONNECTIONS, CHUNK = 512, 64 * 1024
_NAMESPACES = (
    kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS | kernel.CLONE_NEWCGROUP
)


def run(box: dict[str, Any], folder: Path) -> int:
    """Run the program of a box to its end; its exit status, or that of a shell for a signal.

    Args:
        box: `command`, `environment`, `folder` (where it starts, inside), `gate` and `port` (outside and inside), `limits` by rlimit,
            `memory` and `disk` in bytes, `show` (folders to read), `hide`, `work` (its own folder), `user` (outside, where the hub is root).
    """
    gate = socket.create_server(("127.0.0.1", box["gate"]), backlog=128) if box["gate"] else None
    Path("/proc/self/oom_score_adj").write_text("900", encoding="ascii")
    keeper = os.getppid()
    _enter_namespaces(box["user"])
    kernel.die_with_parent()
    if os.getppid() != keeper:
        return NOT_SET_UP
    kernel.loopback_up()
    alive, held = os.pipe()
    guard = os.fork()
    if guard == 0:
        os.close(held)
        if gate is not None:
            gate.close()
        _end(lambda: _guard(box, folder, alive))
    os.close(alive)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(guard, signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return asyncio.run(_pass_on(gate, box["port"], guard))


def _enter_namespaces(user: int | None) -> None:
    """New namespaces; who the users in them are is written down by a child that stayed outside."""
    ready, go = os.pipe()
    own, uid, gid = os.getpid(), os.geteuid(), os.getegid()
    helper = os.fork()
    if helper == 0:
        os.close(go)
        _end(lambda: _map_users(own, uid, gid, user) if os.read(ready, 1) else 1)
    os.close(ready)
    try:
        kernel.unshare(_NAMESPACES)
        os.write(go, b".")
    finally:
        os.close(go)
        status = os.waitpid(helper, 0)[1]
    if status:
        raise PermissionError("users of the box: the kernel does not let them be told")


def _map_users(pid: int, uid: int, gid: int, user: int | None) -> int:
    """A hub that is root lends the box another user; any other has only itself."""
    place = Path(f"/proc/{pid}")
    if user is None:
        (place / "setgroups").write_text("deny", encoding="ascii")
        users, groups = f"{USER} {uid} 1\n", f"{USER} {gid} 1\n"
    else:
        users = groups = f"0 0 1\n{USER} {user} 1\n"
    (place / "gid_map").write_text(groups, encoding="ascii")
    (place / "uid_map").write_text(users, encoding="ascii")
    return 0


def _guard(box: dict[str, Any], folder: Path, alive: int) -> int:
    """Process 1 of the box."""
    kernel.die_with_parent()
    os.set_blocking(alive, False)
    with suppress(BlockingIOError):
        os.read(alive, 1)  # the gate is gone already: nobody else holds the other end
        return NOT_SET_UP
    kernel.unshare(kernel.CLONE_NEWNS)
    boxroot.build(folder / "root", box["work"], box["show"], box["hide"])
    signal.pthread_sigmask(signal.SIG_BLOCK, Guard.SIGNALS)
    program = os.fork()
    if program == 0:
        _end(lambda: _become(box))
    return Guard(program, box["memory"], box["disk"]).watch()


def _become(box: dict[str, Any]) -> int:
    """The program itself: limits first, then rights, then it."""
    os.setsid()
    for name, value in box["limits"].items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    os.umask(0o022)
    kernel.drop_rights(USER if box["user"] is not None else None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.chdir(box["folder"])
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    kernel.filter_calls()
    os.execvpe(box["command"][0], box["command"], box["environment"])  # noqa: S606 - this is what the box is for


def _end(work: Callable[[], int]) -> None:
    """A forked child's whole life; it never returns into its parent's code."""
    code = NOT_SET_UP
    try:
        code = work()
    except OSError as error:
        os.write(2, f"The sandbox cannot be set up: {error}\n".encode())
    finally:
        os._exit(code)


async def _pass_on(gate: socket.socket | None, port: int, guard: int) -> int:
    """Connections from outside into the box, until the guard ends."""
    room = asyncio.Semaphore(MAX_CONNECTIONS)

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with room:
                inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
                finally:
                    inner_writer.close()
        except OSError:
            pass  # it does not listen yet, or no more: the caller sees a closed connection
        finally:
            writer.close()

    server = await asyncio.start_server(connection, sock=gate) if gate is not None else None
    # No thread may wait: a process whose children get numbers of their own can have none.
    ended, watched = asyncio.Event(), os.pidfd_open(guard)
    asyncio.get_running_loop().add_reader(watched, ended.set)
    await ended.wait()
    if server is not None:
        server.close()
    return os.waitstatus_to_exitcode(os.waitpid(guard, 0)[1])


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One way, no faster than the other side takes it; who has nothing more to say is told on."""
    with suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    with suppress(OSError, RuntimeError):
        writer.write_eof()


def check() -> str:
    """Try everything with a program that does nothing; what is missing, empty when it is all there."""
    with tempfile.TemporaryDirectory(prefix="hubtalk-box-") as place:
        folder = Path(place)
        (folder / "work").mkdir()
        box: dict[str, Any] = {
            "command": [os.path.realpath(sys.executable), "-I", "-S", "-c", "open('/proc/self/status')"],
            "environment": {}, "folder": "/", "gate": 0, "port": 0, "limits": {"NPROC": 16, "NOFILE": 64}, "memory": 1 << 30, "disk": 1 << 30,
            "show": boxroot.python_folders(), "hide": [], "work": str(folder / "work"), "source": "", "user": lent_user(str(folder)),
        }  # fmt: skip
        _own_files(box)
        code = run(box, folder)
    return "" if code == 0 else f"a program in it ended with {code}"


def lent_user(folder: str) -> int | None:
    """The user that a box of a hub that is root gets, outside; it may be one that nobody else has."""
    return 60_706 + sum(folder.encode()) % 478 if os.geteuid() == 0 else None  # systemd's table leaves these to nobody


def main(arguments: list[str]) -> int:
    """Run the box of a folder, or check."""
    if arguments == ["--check"]:
        try:
            missing = check()
        except OSError as error:
            missing = str(error)
        print(missing)  # noqa: T201 - said to whoever asked
        return NOT_SET_UP if missing else 0
    folder = Path(arguments[0])
    told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    secrets = json.loads(sys.stdin.read() or "{}")
    box = told["box"] | {"command": told["command"], "environment": told["environment"] | secrets}
    try:
        _own_files(box)
        code = run(box, folder)
    except (OSError, shutil.Error) as error:
        os.write(2, f"The sandbox cannot be set up: {error}\n".encode())
        return NOT_SET_UP
    if code > 128:
        _die_by(code - 128)
    return code


def _own_files(box: dict[str, Any]) -> None:
    """Give the program its own copy of its files, to change as it likes."""
    work = Path(box["work"])
    home = work / "home"
    (work / "tmp").mkdir(exist_ok=True)
    home.mkdir(exist_ok=True)
    if box["source"]:
        shutil.copytree(box["source"], home / "app", symlinks=True, dirs_exist_ok=True)
    if box["user"] is not None:
        for place, _, names in os.walk(work):
            for one in (Path(place), *(Path(place, name) for name in names)):
                os.chown(one, box["user"], box["user"], follow_symlinks=False)


def _die_by(number: int) -> None:
    """End as the program did, for whoever waits for us."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

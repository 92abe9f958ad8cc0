"""An app of a Space that means harm: it does what a request names, and tells what came of it. Runs with the standard library alone."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Act = Callable[..., Any]


def read(path: str) -> str:
    """What a file says."""
    return Path(path).read_text(encoding="utf-8", errors="replace")[:4000]


def list_folder(path: str) -> list[str]:
    return sorted(os.listdir(path))


def write(path: str, size: str = "1") -> int:
    """Write a file of so many bytes."""
    with open(path, "wb") as file:
        left = int(size)
        while left > 0:
            left -= file.write(b"x" * min(left, 1 << 20))
    return Path(path).stat().st_size


def connect(host: str, port: str, kind: str = "tcp") -> str:
    """Reach somebody over the network."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as one:
        one.settimeout(2)
        one.connect((host, int(port)))
        one.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return one.recv(200).decode("utf-8", "replace")


def family(number: str) -> str:
    socket.socket(int(number), socket.SOCK_STREAM).close()
    return "made"


def kill(pid: str) -> str:
    os.kill(int(pid), signal.SIGKILL)
    return "sent"


def call(number: str, *given: str) -> int:
    """A system call by its number."""
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(int(number), *(ctypes.c_long(int(one)) for one in given))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def forks(sleep: str = "60") -> int:
    """Processes until there can be no more."""
    made = 0
    try:
        for _ in range(20_000):
            if os.fork() == 0:
                time.sleep(float(sleep))
                os._exit(0)
            made += 1
    except OSError:
        return made
    return made


def fill(path: str) -> str:
    """Files until there is no more room."""

    def work() -> None:
        for number in range(100_000):
            write(f"{path}/{number}", str(8 << 20))

    threading.Thread(target=work, daemon=True).start()
    return "begun"


def fill_unseen(path: str) -> str:
    """The same with files that have no name."""
    kept = []

    def work() -> None:
        for number in range(100_000):
            file = open(f"{path}/{number}", "wb")  # noqa: SIM115 - kept open on purpose
            os.unlink(file.name)
            kept.append(file)
            file.write(b"x" * (8 << 20))
            file.flush()

    threading.Thread(target=work, daemon=True).start()
    return "begun"


def nest(path: str) -> str:
    """Folders deeper than a name can be."""
    os.chdir(path)
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")
    return "made"


def memory(children: str = "8", size: str = str(100 << 20)) -> str:
    """Several processes, each with less than the limit."""
    for _ in range(int(children)):
        if os.fork() == 0:
            kept = bytearray(os.urandom(1) * int(size))
            time.sleep(60)
            os._exit(len(kept) % 2)
    return "begun"


def environ() -> dict[str, str]:
    return dict(os.environ)


def whoami() -> dict[str, Any]:
    return {
        "uid": os.getuid(),
        "groups": os.getgroups(),
        "pid": os.getpid(),
        "processes": [name for name in os.listdir("/proc") if name.isdigit()],
    }


def leave(code: str) -> None:
    os._exit(int(code))


ACTS: dict[str, Act] = {
    name: act
    for name, act in globals().items()
    if callable(act) and getattr(act, "__module__", "") == __name__ and not isinstance(act, type)
}


class Handler(BaseHTTPRequestHandler):
    """`GET /ACT?ARGUMENTS` does it."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        try:
            act = ACTS.get(parts.path.strip("/"), lambda **_: "well")
            status, answer = 200, {"result": act(*dict(parse_qsl(parts.query)).values())}
        except (OSError, ValueError) as error:
            status, answer = 200, {"error": type(error).__name__, "errno": getattr(error, "errno", None), "text": str(error)}
        raw = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the one that it replaces
        sys.stderr.write(format % args + "\n")


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "7860"))), Handler).serve_forever()

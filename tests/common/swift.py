"""A real OpenStack Swift with its S3 API, as child processes on free loopback ports."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ACCESS_KEY, SECRET_KEY = "test:bench", "benchsecret"
_SERVERS = ("account", "container", "object")
_PIPELINE = (
    "catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo symlink versioned_writes proxy-server"
)
_FILTERS = {
    "catch_errors": "catch_errors",
    "gatekeeper": "gatekeeper",
    "healthcheck": "healthcheck",
    "listing_formats": "listing_formats",
    "bulk": "bulk",
    "slo": "slo",
    "dlo": "dlo",
    "symlink": "symlink",
    "copy": "copy",
}


@dataclass(frozen=True)
class SwiftServer:
    """Where the S3 API listens, and its credentials."""

    endpoint: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY


def swift_missing() -> str:
    """What is not installed here that Swift needs; empty when it can run."""
    if shutil.which("memcached") is None:
        return "memcached"
    return "" if (_bin() / "swift-proxy-server").exists() else "the package swift"


def _bin() -> Path:
    return Path(sys.executable).parent


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [item.getsockname()[1] for item in sockets]


@contextlib.contextmanager
def run_swift(folder: Path) -> Iterator[SwiftServer]:
    """Start one node with its data in `folder`; stop it at the end."""
    proxy, cache, *ports = _free_ports(5)
    for name in ("etc", "dev/d1", "cache", "log"):
        (folder / name).mkdir(parents=True)
    _configure(folder, proxy, cache, dict(zip(_SERVERS, ports, strict=True)))
    processes: list[subprocess.Popen[bytes]] = []
    try:
        processes.append(
            _start(folder, "memcached", [shutil.which("memcached") or "", "-u", "root", "-l", "127.0.0.1", "-p", str(cache), "-m", "64"])
        )
        for name in (*_SERVERS, "proxy"):
            processes.append(_start(folder, name, [str(_bin() / f"swift-{name}-server"), str(folder / "etc" / f"{name}.conf")]))
        _wait(proxy, ports, folder, processes)
        yield SwiftServer(f"http://127.0.0.1:{proxy}")
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(folder: Path, name: str, command: list[str]) -> subprocess.Popen[bytes]:
    with (folder / "log" / f"{name}.out").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _wait(proxy: int, ports: list[int], folder: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    """Return when the proxy answers, and the servers behind it take connections."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            for port in ports:
                socket.create_connection(("127.0.0.1", port), timeout=2).close()
            with urllib.request.urlopen(f"http://127.0.0.1:{proxy}/healthcheck", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if any(process.poll() is not None for process in processes):
                break
            time.sleep(0.1)
    logs = "\n".join(path.read_text(errors="replace")[-500:] for path in (folder / "log").iterdir())
    raise RuntimeError(f"Swift did not start:\n{logs}")


def _configure(folder: Path, proxy: int, cache: int, ports: dict[str, int]) -> None:
    etc = folder / "etc"
    (etc / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = test\nswift_hash_path_prefix = test\n"
        "[storage-policy:0]\nname = p0\ndefault = yes\n[swift-constraints]\nmax_file_size = 5368709122\n"
    )
    for name, port in ports.items():
        _ring(etc, name, port)
        (etc / f"{name}.conf").write_text(
            f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\nuser = root\nswift_dir = {etc}\ndevices = {folder / 'dev'}\n"
            f"mount_check = false\ndisable_fallocate = true\nlog_address =\nlog_file = {folder / 'log' / name}.log\n"
            f"[pipeline:main]\npipeline = {name}-server\n[app:{name}-server]\nuse = egg:swift#{name}\nfsync_every = 0\n"
        )
    filters = "".join(f"[filter:{name}]\nuse = egg:swift#{egg}\n" for name, egg in _FILTERS.items())
    (etc / "proxy.conf").write_text(
        f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {proxy}\nworkers = 0\nuser = root\nswift_dir = {etc}\nlog_address =\n"
        f"[pipeline:main]\npipeline = {_PIPELINE}\n"
        "[app:proxy-server]\nuse = egg:swift#proxy\nallow_account_management = true\naccount_autocreate = true\n"
        f"[filter:tempauth]\nuse = egg:swift#tempauth\nuser_{ACCESS_KEY.replace(':', '_')} = {SECRET_KEY} .admin\n"
        "[filter:s3api]\nuse = egg:swift#s3api\ns3_acl = false\nlocation = us-east-1\ncheck_bucket_owner = false\ndns_compliant_bucket_names = true\n"
        f"[filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = 127.0.0.1:{cache}\n"
        f"[filter:versioned_writes]\nuse = egg:swift#versioned_writes\nallow_object_versioning = true\n{filters}"
    )


def _ring(etc: Path, name: str, port: int) -> None:
    builder = str(_bin() / "swift-ring-builder")
    steps = (["create", "4", "1", "1"], ["add", f"r1z1-127.0.0.1:{port}/d1", "1"], ["rebalance"])
    for step in steps:
        subprocess.run([builder, f"{name}.builder", *step], cwd=etc, stdout=subprocess.DEVNULL, check=step != ["rebalance"])

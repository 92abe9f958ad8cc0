"""The server's side of `git clone` and `git fetch`: C Git over a snapshot, dulwich where there is no `git` program."""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from dulwich.errors import GitProtocolError, HangupException
from dulwich.protocol import Protocol
from dulwich.repo import Repo
from dulwich.server import BackendRepo, DictBackend, UploadPackHandler

from hub_core.errors import InvalidInput, Unavailable
from hub_core.git.cache import NodeCache
from hub_core.git.process import PIPE_BYTES, git_binary, git_command, git_environment
from hub_core.git.receive import pkt
from hub_core.git.types import RepoState

_ENDED = (GitProtocolError, HangupException, AssertionError, ValueError, KeyError)


class Uploader:
    """Serves reads. Every answer comes from one snapshot, so refs and objects always fit together."""

    def __init__(self, cache: NodeCache) -> None:
        self._cache = cache
        self._capabilities_v2 = b""
        self._lock = threading.Lock()

    def advertise(self, state: RepoState, protocol: str = "") -> bytes:
        """Refs (protocol v0, v1) or capabilities (v2), as pkt-lines."""
        if git_binary() is None:
            return _in_process(self._cache.snapshot(state), None, advertise=True)
        if _version(protocol) == 2:
            with self._lock:
                # They come from our own configuration and are the same for every repo.
                if not self._capabilities_v2:
                    self._capabilities_v2 = _advertise_with_git(self._cache.snapshot(state), "version=2")
                return self._capabilities_v2
        return _advertise_with_git(self._cache.snapshot(state), protocol)

    def upload(self, state: RepoState, body: BinaryIO, protocol: str = "") -> Iterator[bytes]:
        """Answer one request; `body` is a real file at its beginning. Close the iterator to stop early.

        Raises:
            InvalidInput: the request is not in Git's protocol.
        """
        if git_binary() is None:
            return iter([_in_process(self._cache.snapshot(state), body, advertise=False)])
        if _version(protocol) == 2:
            listing = list_refs(state, body)
            if listing is not None:
                return iter([listing])
        return _GitProcess(self._cache.snapshot(state), body, protocol)

    def command(self, state: RepoState, protocol: str = "") -> tuple[list[str], dict[str, str]]:
        """Arguments and environment of a `git upload-pack` that talks to one client over its pipes, as SSH has it.

        Raises:
            Unavailable: there is no `git` program.
        """
        snapshot = self._cache.snapshot(state)
        return git_command(snapshot, "upload-pack", "--timeout=3600", str(snapshot)), git_environment(_clean(protocol))


def _version(protocol: str) -> int:
    versions = [part.partition("=")[2] for part in protocol.split(":") if part.startswith("version=")]
    return int(versions[-1]) if versions and versions[-1] in {"0", "1", "2"} else 0


def _clean(protocol: str) -> dict[str, str]:
    version = _version(protocol)
    return {"GIT_PROTOCOL": f"version={version}"} if version else {}


def _advertise_with_git(snapshot: Path, protocol: str) -> bytes:
    done = subprocess.run(
        git_command(snapshot, "upload-pack", "--stateless-rpc", "--advertise-refs", str(snapshot)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=git_environment(_clean(protocol)),
        check=False,
    )
    if done.returncode != 0:
        raise Unavailable("The repo cannot be read right now.", hint="Try again; then run `hubtalk doctor`.")
    return done.stdout


class _GitProcess:
    """The output of `git upload-pack`, and the end of the process when nobody reads on."""

    def __init__(self, snapshot: Path, body: IO[bytes], protocol: str) -> None:
        # The child shares the file's own position, which a buffered seek leaves where it is.
        os.lseek(body.fileno(), 0, os.SEEK_SET)
        self._process = subprocess.Popen(
            git_command(snapshot, "upload-pack", "--stateless-rpc", "--timeout=3600", str(snapshot)),
            stdin=body,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=git_environment(_clean(protocol)),
            bufsize=0,
        )
        if self._process.stdout is None:
            raise Unavailable("The git program cannot be started.", hint="Try again.")
        self._output = self._process.stdout
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            try:
                fcntl.fcntl(self._output.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            except PermissionError:
                return

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = self._output.read(PIPE_BYTES)
        if not chunk:
            self.close()
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Stop the process, if it still runs, and collect it."""
        self._output.close()
        if self._process.poll() is None:
            try:
                self._process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()


def list_refs(state: RepoState, body: BinaryIO) -> bytes | None:
    """Answer protocol v2's `ls-refs` without a process; None when the request is another command.

    Raises:
        InvalidInput: the request is cut off.
    """
    body.seek(0)
    if body.read(4 + len("command=ls-refs"))[4:] != b"command=ls-refs":
        body.seek(0)
        return None
    body.seek(0)
    arguments = _arguments(body)
    prefixes = tuple(line[len("ref-prefix ") :] for line in arguments if line.startswith("ref-prefix "))
    symrefs, peel, unborn = "symrefs" in arguments, "peel" in arguments, "unborn" in arguments
    head = f"refs/heads/{state.default_branch}"
    lines = []
    if not prefixes or "HEAD".startswith(prefixes):
        target = state.refs.get(head)
        if target or unborn:
            lines.append(pkt(f"{target or 'unborn'} HEAD{f' symref-target:{head}' if symrefs else ''}\n"))
    for name, target in state.refs.items():
        if not prefixes or name.startswith(prefixes):
            lines.append(pkt(f"{target} {name}{f' peeled:{state.peeled[name]}' if peel and name in state.peeled else ''}\n"))
    return b"".join(lines) + b"0000"


def _arguments(body: BinaryIO) -> list[str]:
    lines: list[str] = []
    while True:
        length = body.read(4)
        if length == b"0000":
            return lines
        if length == b"0001":
            continue
        try:
            size = int(length, 16) - 4
        except ValueError as error:
            raise InvalidInput("The request is not in Git's protocol.", hint="Try again.") from error
        line = body.read(size) if size > 0 else b""
        if not line or len(lines) > 70_000:
            raise InvalidInput("The request is cut off or too long.", hint="Try again.")
        lines.append(line.decode("utf-8", "replace").rstrip("\n"))


def _in_process(snapshot: Path, body: IO[bytes] | None, *, advertise: bool) -> bytes:
    out = io.BytesIO()
    source = body or io.BytesIO()
    source.seek(0)
    with Repo(str(snapshot), bare=True) as repo:
        repos: dict[str, BackendRepo] = {"/": repo}
        handler = UploadPackHandler(
            DictBackend(repos), ["/"], Protocol(source.read, out.write), stateless_rpc=True, advertise_refs=advertise
        )
        try:
            handler.handle()
        except _ENDED as error:
            raise InvalidInput("The request is not in Git's protocol.", hint="Try again.") from error
    return out.getvalue()

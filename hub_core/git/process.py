"""Running the `git` program as a child process, cut off from the machine's own Git configuration."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hub_core.errors import Unavailable

_CONFIG = ("-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "protocol.allow=never")
PIPE_BYTES = 1024 * 1024


@functools.cache
def git_binary() -> str | None:
    """The path of the `git` program, or None."""
    return shutil.which("git", path=os.defpath) or shutil.which("git")


def git_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A whole environment for the child: nothing of ours leaks in, no system or user configuration is read."""
    return {
        "PATH": os.defpath,
        "LC_ALL": "C",
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        **(extra or {}),
    }


def git_command(git_dir: Path, *arguments: str) -> list[str]:
    """The argument list of a Git command on `git_dir`.

    Raises:
        Unavailable: there is no `git` program.
    """
    binary = git_binary()
    if binary is None:
        raise Unavailable("There is no git program on this machine.", hint="Install git.")
    return [binary, *_CONFIG, "--git-dir", str(git_dir), *arguments]


@contextmanager
def reading_git(git_dir: Path, *arguments: str, stdin: IO[bytes]) -> Iterator[IO[bytes]]:
    """Run a command on a real file, and read what it writes while it works; it is stopped when the block ends early.

    Raises:
        Unavailable: it failed.
    """
    os.lseek(stdin.fileno(), 0, os.SEEK_SET)
    with subprocess.Popen(
        git_command(git_dir, *arguments),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=git_environment(),
        bufsize=PIPE_BYTES,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise Unavailable("The git program failed.", hint="Try again; then ask an administrator.")


def run_git(
    git_dir: Path,
    *arguments: str,
    stdin: IO[bytes] | bytes | None = None,
    memory_bytes: int = 0,
    cpu_seconds: int = 0,
) -> subprocess.CompletedProcess[bytes]:
    """Run to the end and return what it wrote; the caller looks at the exit status.

    `memory_bytes` is the most address space and `cpu_seconds` the most processor time the child may take; 0 for no limit.
    """
    command: Sequence[str] = git_command(git_dir, *arguments)
    if memory_bytes or cpu_seconds:
        # `ulimit` in a shell, because a function between fork and exec is not safe in a process with threads.
        limits = (f"ulimit -v {memory_bytes // 1024};" if memory_bytes else "") + (f"ulimit -t {cpu_seconds};" if cpu_seconds else "")
        command = ["/bin/sh", "-c", f'{limits} exec "$@"', "git", *command]
    if isinstance(stdin, bytes):
        return subprocess.run(command, input=stdin, capture_output=True, env=git_environment(), check=False)
    source = subprocess.DEVNULL if stdin is None else stdin
    return subprocess.run(command, stdin=source, capture_output=True, env=git_environment(), check=False)

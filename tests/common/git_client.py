"""The real `git` program, cut off from the machine's own configuration."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
}


def git(folder: Path, *arguments: str, check: bool = True, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run git in `folder`; raises with its output when `check` and it fails."""
    environment = {
        "PATH": os.defpath + os.pathsep + os.environ.get("PATH", ""),
        "HOME": str(folder),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        **IDENTITY,
        **(env or {}),
    }
    base = ["git", "-c", "init.defaultBranch=main", "-c", "gc.auto=0", *arguments]
    done = subprocess.run(base, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", timeout=120)
    if check and done.returncode != 0:
        raise AssertionError(f"git {' '.join(arguments)}\n{done.stdout}\n{done.stderr}")
    return done


def commit_file(folder: Path, name: str, content: str | bytes, message: str = "change") -> str:
    """Write a file, commit it, return the commit."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD").stdout.strip()

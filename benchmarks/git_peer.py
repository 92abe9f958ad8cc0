"""The peer of the Git measurement: git's own `git http-backend` behind nginx and fcgiwrap."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import nginx

LOCATION = """
      fastcgi_pass unix:{folder}/fcgi.sock;
      fastcgi_param SCRIPT_FILENAME {backend};
      fastcgi_param GIT_PROJECT_ROOT {folder}/repos;
      fastcgi_param GIT_HTTP_EXPORT_ALL "1";
      fastcgi_param PATH_INFO $uri;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
      fastcgi_param HTTP_GIT_PROTOCOL $http_git_protocol;
      fastcgi_param REMOTE_USER bench;
      fastcgi_buffering off;
      fastcgi_request_buffering off;
"""


@dataclass(frozen=True)
class GitPeer:
    """A running peer."""

    url: str
    folder: Path

    def create(self, name: str) -> str:
        """An empty repository; its address."""
        path = self.folder / "repos" / f"{name}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", path], check=True)
        subprocess.run(["git", "-C", path, "config", "http.receivepack", "true"], check=True)
        return f"{self.url}/{name}.git"


def available() -> bool:
    """Whether the peer's programs are installed."""
    return nginx.available("fcgiwrap", "git")


@contextmanager
def running_peer(folder: Path) -> Iterator[GitPeer]:
    """Start nginx and fcgiwrap in `folder`; stop them at the end."""
    (folder / "repos").mkdir(parents=True)
    exec_path = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    with ExitStack() as stack:
        workers = subprocess.Popen(
            ["fcgiwrap", "-f", "-c", "4", "-s", f"unix:{folder / 'fcgi.sock'}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        # Its children outlive it, so the whole group is stopped.
        stack.callback(workers.wait)
        stack.callback(os.killpg, workers.pid, signal.SIGTERM)
        location = LOCATION.format(folder=folder, backend=f"{exec_path}/git-http-backend")
        yield GitPeer(stack.enter_context(nginx.running_nginx(folder, location)), folder)

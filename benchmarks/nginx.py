"""nginx as a peer: one configuration, of which each subject gives what is served."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.hub import free_port, process

_CONFIG = """
{user}
daemon off;
worker_processes 2;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  client_max_body_size 0;
  client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/fastcgi;
  proxy_temp_path {folder}/proxy;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location = /alive {{ return 200 "ok"; }}
    location / {{
      {location}
    }}
  }}
}}
"""


def available(*programs: str) -> bool:
    """Whether nginx and these programs are installed."""
    return all(shutil.which(program) for program in ("nginx", *programs))


@contextmanager
def running_nginx(folder: Path, location: str) -> Iterator[str]:
    """Start nginx on `folder`, stop it at the end; gives its address. `location` is what it does with a request."""
    port = free_port()
    user = "user root;" if os.getuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(user=user, folder=folder, port=port, location=location))
    with process(["nginx", "-p", str(folder), "-c", str(config)], f"http://127.0.0.1:{port}/alive"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running_file_server(folder: Path) -> Iterator[str]:
    """A server that takes files by PUT (WebDAV) and gives them by GET, below `files` of the folder."""
    files = folder / "files"
    files.mkdir(parents=True)
    with running_nginx(folder, f"root {files}; dav_methods PUT;") as url:
        yield url

"""The peer of the measurement of large files: nginx, which takes them by PUT (WebDAV) and gives them by GET from the same disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.hub import free_port, process

NGINX = """
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
    location / {{ root {folder}/files; dav_methods PUT; }}
  }}
}}
"""


def available() -> bool:
    """Whether the peer and the client are installed."""
    return all(shutil.which(program) for program in ("nginx", "curl"))


@contextmanager
def running_nginx(folder: Path) -> Iterator[str]:
    """Start nginx on `folder`, stop it at the end; gives its address."""
    (folder / "files").mkdir(parents=True)
    port = free_port()
    user = "user root;" if os.getuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(user=user, folder=folder, port=port))
    with process(["nginx", "-p", str(folder), "-c", str(config)], f"http://127.0.0.1:{port}/alive"):
        yield f"http://127.0.0.1:{port}"

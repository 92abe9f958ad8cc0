"""The peer of the measurement of many large files: giftless, an LFS server in Python, behind gunicorn on the same disk.

It is not among the hub's own packages, as its pins are old: an environment of its own is made for it in the user's cache, from the
package registry that pip is set up with. Without a registry the measurement is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.hub import answers, free_port, process

# It names no dependencies. With a newer PyJWT it refuses the tokens that it made itself.
PACKAGES = (
    "giftless==0.6.2", "pyjwt==2.9.0", "gunicorn", "flask", "flask-marshmallow", "flask-classful", "figcan", "pyyaml", "python-dotenv",
    "python-dateutil", "typing-extensions", "webargs", "cachetools", "cryptography", "importlib-metadata",
)  # fmt: skip
HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hubtalk-benchmarks" / "giftless-0.6.2"


def installed() -> bool:
    """Whether the peer is there; it is installed when it is not."""
    if (HOME / "ready").exists():
        return True
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", HOME], check=True, capture_output=True)
        subprocess.run([HOME / "bin" / "pip", "install", "--quiet", *PACKAGES], check=True, capture_output=True)
    except (subprocess.CalledProcessError, OSError):
        return False
    (HOME / "ready").touch()
    return True


@contextmanager
def running_giftless(folder: Path, repo: str) -> Iterator[str]:
    """Start it on `folder` for one repo, with two workers of eight threads, open to all; gives its address."""
    # Its threads fail where two of them make this folder at once.
    (folder / "objects" / repo).mkdir(parents=True)
    port = free_port()
    options = {"storage_class": "giftless.storage.local_storage:LocalStorage", "storage_options": {"path": str(folder / "objects")}}
    config = {
        "AUTH_PROVIDERS": ["giftless.auth.allow_anon:read_write"],
        "PRE_AUTHORIZED_ACTION_PROVIDER": {"options": {"private_key": "not-a-secret-" * 4, "default_lifetime": 900}},
        "TRANSFER_ADAPTERS": {"basic": {"factory": "giftless.transfer.basic_streaming:factory", "options": options}},
    }
    path = folder / "giftless.json"  # read as YAML
    path.write_text(json.dumps(config))
    program = "giftless.wsgi_entrypoint:app"
    command = [str(HOME / "bin" / "gunicorn"), "-k", "gthread", "-w", "2", "--threads", "8", "-b", f"127.0.0.1:{port}", program]
    environment = {"PATH": os.environ.get("PATH", ""), "GIFTLESS_CONFIG_FILE": str(path)}
    with process(command, f"http://127.0.0.1:{port}/", env=environment, cwd=folder):
        url = f"http://127.0.0.1:{port}"
        # A worker whose first requests come at once refuses some of them (403); one by one they reach both workers before.
        for _ in range(30):
            answers(f"{url}/some/repo/objects/storage/{'0' * 64}")
        yield url

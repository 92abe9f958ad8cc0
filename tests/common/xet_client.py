"""The real hf-xet, as `huggingface_hub` drives it, in a process of its own: it reads its settings once and remembers what it sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_UPLOAD = """
import json, sys
from huggingface_hub._commit_api import CommitOperationAdd, _upload_xet_files
from huggingface_hub.utils import build_hf_headers, disable_progress_bars

disable_progress_bars()
said = json.load(sys.stdin)
adds = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=path) for path in said["paths"]]
adds += [CommitOperationAdd(path_in_repo=path, path_or_fileobj=open(path, "rb").read()) for path in said["as_bytes"]]
_upload_xet_files(
    additions=adds, repo_type=said["kind"], repo_id=said["repo"], headers=build_hf_headers(token=said["token"]),
    endpoint=said["url"], revision="main",
)
print(json.dumps([add.upload_info.sha256.hex() for add in adds]))
"""


@dataclass(frozen=True)
class Uploaded:
    """What came of an upload: the files' SHA-256, or what the client complained about."""

    oids: list[str]
    error: str


@dataclass(frozen=True)
class XetClient:
    """A machine with `huggingface_hub`: its memory of what it sent is in `home`."""

    url: str
    home: Path

    def upload(self, repo: str, token: str, paths: list[Path], *, as_bytes: list[Path] | None = None, kind: str = "model") -> Uploaded:
        """Send files, without the commit that usually follows."""
        said = {"url": self.url, "repo": repo, "token": token, "kind": kind}
        said |= {"paths": list(map(str, paths)), "as_bytes": list(map(str, as_bytes or []))}
        done = self.python(_UPLOAD, json.dumps(said))
        oids = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else []
        return Uploaded(oids, done.stderr if done.returncode else "")

    def python(self, script: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a script on this machine."""
        self.home.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        environment = {**kept, "HF_HOME": str(self.home), "HF_ENDPOINT": self.url, "HF_HUB_DISABLE_TELEMETRY": "1", "RUST_LOG": "warn"}
        return subprocess.run(
            [sys.executable, "-c", script], input=text, text=True, capture_output=True, env=environment, timeout=120, check=False
        )

"""Git and git-lfs over SSH: the real programs, people's keys, the same permissions as over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from hub_core.authz import Scope, Visibility
from hub_core.gating.tables import Gating, RequestStatus
from hub_core.http.dialects import add_hub_routes
from hub_core.repos.kinds import RepoKind
from hub_core.services import open_services
from hub_core.settings import Settings
from hub_core.ssh.server import SshServer
from tests.clients.conftest import BOTH, LiveHub
from tests.common.databases import free_port
from tests.common.factories import actor_for, make_user
from tests.common.git_client import commit_file, git
from tests.common.live import serve

pytestmark = pytest.mark.clients


@dataclass(frozen=True)
class SshHub:
    """A live hub with its SSH port; `ann` and `ben` have keys in `keys`."""

    hub: LiveHub
    port: int
    keys: Path

    def address(self, path: str) -> str:
        """The SSH address of a repo."""
        return f"ssh://git@127.0.0.1:{self.port}/{path}"

    def environment(self, person: str) -> dict[str, str]:
        """Makes git use a person's key and nothing of this machine's."""
        options = "-F /dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes -o BatchMode=yes"
        return {"GIT_SSH_COMMAND": f"ssh {options} -i {self.keys / person}"}

    def git(self, folder: Path, person: str, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """Run git as a person."""
        return git(folder, *arguments, check=check, env={**self.environment(person), **env})

    def run(self, person: str, command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command over plain ssh."""
        words = self.environment(person)["GIT_SSH_COMMAND"].split()
        return subprocess.run(
            [*words, "-p", str(self.port), "git@127.0.0.1", command], input=stdin, capture_output=True, timeout=60, env=dict(os.environ)
        )


class _Loop:
    """An event loop in a thread, for the server."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)


def new_key(folder: Path, name: str) -> str:
    """A new key pair; returns the public half."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    return (folder / f"{name}.pub").read_text()


@pytest.fixture
def ssh_hub(git_app_settings: Settings, tmp_path: Path) -> Iterator[SshHub]:
    keys = tmp_path / "keys"
    keys.mkdir()
    port = free_port()
    settings = replace(git_app_settings, port=port, ssh_port=-1)
    loop = _Loop()
    with open_services(settings) as services:
        people = {name: make_user(services.db, name) for name in ("ann", "ben")}
        for name, user in people.items():
            services.ssh_keys.add(actor_for(user), "laptop", new_key(keys, name))
        new_key(keys, "stranger")
        app = FastAPI()
        add_hub_routes(app, services)
        server = SshServer(services)
        ssh_port = loop.run(server.start())
        tokens = [services.tokens.create(actor_for(user), "git", Scope.WRITE).token for user in people.values()]
        try:
            with serve(app, port) as url:
                yield SshHub(LiveHub(url, services, people["ann"], people["ben"], *tokens), ssh_port, keys)
        finally:
            loop.run(server.close())
            loop.close()


@BOTH
@pytest.mark.parametrize("protocol", ["0", "2"])
def test_clone_push_and_fetch(ssh_hub: SshHub, work: Path, protocol: str) -> None:
    ssh_hub.hub.repo("m")
    config = ("-c", f"protocol.version={protocol}")
    ssh_hub.git(work, "ann", *config, "clone", "-q", ssh_hub.address("ann/m.git"), "one")
    ssh_hub.git(work, "ann", *config, "clone", "-q", "--depth=1", ssh_hub.address("ann/m"), "two")
    for number in range(3):
        sha = commit_file(work / "one", f"f{number}.txt", os.urandom(200_000))
    ssh_hub.git(work / "one", "ann", *config, "push", "-q", "origin", "HEAD")
    ssh_hub.git(work / "two", "ann", *config, "pull", "-q")
    assert git(work / "two", "rev-parse", "HEAD").stdout.strip() == sha
    assert git(work / "two", "fsck", "--strict").returncode == 0


def test_refs_are_made_and_deleted_without_a_pack(ssh_hub: SshHub, work: Path) -> None:
    ssh_hub.hub.repo("d", RepoKind.DATASET)
    address = ssh_hub.address("datasets/ann/d.git")
    ssh_hub.git(work, "ann", "clone", "-q", address, "one")
    commit_file(work / "one", "a", "a")
    ssh_hub.git(work / "one", "ann", "push", "-q", "origin", "HEAD", "HEAD:refs/heads/dev", "HEAD:refs/tags/v1")
    ssh_hub.git(work / "one", "ann", "push", "-q", "--atomic", "-o", "note", "origin", ":refs/heads/dev", ":refs/tags/v1")
    assert [line.split("\t")[1] for line in ssh_hub.git(work, "ann", "ls-remote", address).stdout.splitlines()] == [
        "HEAD",
        "refs/heads/main",
    ]


def test_a_push_that_loses_the_race_is_refused(ssh_hub: SshHub, work: Path) -> None:
    ssh_hub.hub.repo("m")
    for name in ("one", "two"):
        ssh_hub.git(work, "ann", "clone", "-q", ssh_hub.address("ann/m.git"), name)
        commit_file(work / name, name, name)
    ssh_hub.git(work / "one", "ann", "push", "-q", "origin", "HEAD")
    refused = ssh_hub.git(work / "two", "ann", "push", "origin", "HEAD", check=False)
    assert refused.returncode != 0
    assert "rejected" in refused.stderr


def test_permissions_are_those_of_the_key(ssh_hub: SshHub, work: Path) -> None:
    ssh_hub.hub.repo("open")
    ssh_hub.hub.repo("secret", visibility=Visibility.PRIVATE)
    ssh_hub.git(work, "ben", "clone", "-q", ssh_hub.address("ann/open.git"), "open")
    commit_file(work / "open", "x", "x")
    pushed = ssh_hub.git(work / "open", "ben", "push", "origin", "HEAD", check=False)
    assert "needs the role 'write'" in pushed.stderr
    hidden = ssh_hub.git(work, "ben", "clone", ssh_hub.address("ann/secret.git"), "s", check=False).stderr
    absent = ssh_hub.git(work, "ben", "clone", ssh_hub.address("ann/absent.git"), "s", check=False).stderr
    assert "There is no repo" in hidden
    assert hidden.replace("secret", "absent") == absent
    stranger = ssh_hub.git(work, "stranger", "clone", ssh_hub.address("ann/open.git"), "t", check=False)
    assert "Permission denied (publickey)" in stranger.stderr


def test_a_key_stops_working_when_it_or_its_owner_is_gone(ssh_hub: SshHub, work: Path) -> None:
    ssh_hub.hub.repo("m")
    services = ssh_hub.hub.services
    services.ssh_keys.delete(actor_for(ssh_hub.hub.ben), "laptop")
    assert ssh_hub.git(work, "ben", "ls-remote", ssh_hub.address("ann/m.git"), check=False).returncode != 0


@pytest.mark.parametrize(
    "command", ["", "sh", "git-upload-pack '../../etc'", "git-upload-pack ann/m; id", "git-upload-pack 'a/b' '--x'", "'"]
)
def test_nothing_but_git_runs(ssh_hub: SshHub, command: str) -> None:
    done = ssh_hub.run("ann", command)
    assert done.returncode != 0
    assert b"uid=" not in done.stdout
    assert b"hubtalk:" in done.stderr


@pytest.mark.parametrize("sent", [b"", b"0000", b"zzzz", b"00", b"0010garbage", b"0009x\0y\n0000"])
def test_broken_pushes_change_nothing(ssh_hub: SshHub, sent: bytes) -> None:
    repo = ssh_hub.hub.repo("m")
    before = ssh_hub.hub.services.git.refs(repo.id)
    ssh_hub.run("ann", "git-receive-pack 'ann/m.git'", sent)
    assert ssh_hub.hub.services.git.refs(repo.id) == before


@BOTH
def test_large_files_go_over_http_with_a_pass(ssh_hub: SshHub, work: Path) -> None:
    ssh_hub.hub.repo("big", visibility=Visibility.PRIVATE)
    address, content = ssh_hub.address("ann/big.git"), os.urandom(300_000)
    ssh_hub.git(work, "ann", "clone", "-q", address, "one")
    one = work / "one"
    git(one, "lfs", "install", "--local")
    git(one, "lfs", "track", "*.bin")
    commit_file(one, "model.bin", content)
    ssh_hub.git(one, "ann", "push", "-q", "origin", "HEAD")
    ssh_hub.git(
        work, "ann", "-c", "filter.lfs.smudge=git-lfs smudge -- %f", "-c", "filter.lfs.required=true", "clone", "-q", address, "two"
    )
    assert (work / "two" / "model.bin").read_bytes() == content


def test_a_pass_is_for_one_repo_and_one_operation(ssh_hub: SshHub) -> None:
    ssh_hub.hub.repo("one", visibility=Visibility.PRIVATE)
    ssh_hub.hub.repo("two", visibility=Visibility.PRIVATE)
    given = json.loads(ssh_hub.run("ann", "git-lfs-authenticate ann/one.git download").stdout)
    headers = {**given["header"], "Content-Type": "application/vnd.git-lfs+json"}
    objects = [{"oid": "0" * 64, "size": 1}]

    def batch(repo: str, operation: str) -> int:
        body = {"operation": operation, "objects": objects}
        return httpx.post(f"{ssh_hub.hub.url}/ann/{repo}.git/info/lfs/objects/batch", json=body, headers=headers).status_code

    assert given["href"] == f"{ssh_hub.hub.url}/ann/one.git/info/lfs"
    assert [batch("one", "download"), batch("one", "upload"), batch("two", "download")] == [200, 403, 404]
    headers["Authorization"] = headers["Authorization"][:-2] + "xx"
    assert batch("one", "download") == 401
    assert ssh_hub.run("ben", "git-lfs-authenticate ann/one.git download").returncode != 0


def test_a_gated_repo_is_open_over_ssh_to_who_was_let_in(ssh_hub: SshHub, work: Path) -> None:
    repo, gating, ann = ssh_hub.hub.repo("gated"), ssh_hub.hub.services.gating, actor_for(ssh_hub.hub.ann)
    gating.set_gating(ann, repo, Gating.MANUAL)
    for command in ("git-upload-pack ann/gated.git", "git-lfs-authenticate ann/gated.git download"):
        refused = ssh_hub.run("ben", command)
        assert (refused.returncode, refused.stdout) == (1, b"")
        assert b"ann/gated is gated" in refused.stderr
    gating.let_in(ann, repo, "ben")
    ssh_hub.git(work, "ben", "clone", "-q", ssh_hub.address("ann/gated.git"), "one")
    given = json.loads(ssh_hub.run("ben", "git-lfs-authenticate ann/gated.git download").stdout)
    batch = f"{given['href']}/objects/batch"
    body = {"operation": "download", "objects": [{"oid": "0" * 64, "size": 1}]}
    assert httpx.post(batch, json=body, headers=given["header"]).status_code == 200
    gating.decide(ann, repo, "ben", RequestStatus.REJECTED)
    assert httpx.post(batch, json=body, headers=given["header"]).status_code == 403


def test_git_lfs_asks_for_another_pass_when_one_has_expired(ssh_hub: SshHub, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the clocks of hub and client differ."""
    ssh_hub.hub.repo("big", visibility=Visibility.PRIVATE)
    ssh_hub.git(work, "ann", "clone", "-q", ssh_hub.address("ann/big.git"), "one")
    git(work / "one", "lfs", "install", "--local")
    git(work / "one", "lfs", "track", "*.bin")
    commit_file(work / "one", "model.bin", os.urandom(300_000))
    monkeypatch.setattr("hub_core.http.lfs_passes.PASS_SECONDS", -1)
    refused = ssh_hub.git(work / "one", "ann", "push", "-q", "origin", "HEAD", check=False)
    assert refused.returncode != 0
    assert "expired" in refused.stderr
    monkeypatch.undo()
    ssh_hub.git(work / "one", "ann", "push", "-q", "origin", "HEAD")

"""Scans of repos: after a push, of what changed, told to administrators, without the secrets themselves; on both databases."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from hub_core.authz import Actor, Role, Scope, Visibility
from hub_core.errors import PermissionDenied, RepoNotFound
from hub_core.git import FileChange
from hub_core.lfs.pointer import format_pointer
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.scanning import scan as scan_module
from hub_core.scanning import service as scanning
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_user
from tests.common.working import work
from tests.unit.scanning.test_pickles import Runs
from tests.unit.scanning.test_secrets import SAMPLES
from tools import invoke
from tools.contract import ToolContext

TOKEN = SAMPLES[1][1]
EVIL = pickle.dumps(Runs(os.system, "true"))


@pytest.fixture
def hub(settings: Settings, db_url: str) -> Iterator[Services]:
    with open_services(dataclasses.replace(settings, database_url=db_url)) as services:
        yield services


@pytest.fixture
def ann(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "ann"))


@pytest.fixture
def repo(hub: Services, ann: Actor) -> Repo:
    hub.repos.create(ann, "ann/one", RepoKind.MODEL, Visibility.PUBLIC)
    work(hub)
    return hub.repos.find(ann, "ann/one")


def commit(hub: Services, actor: Actor, repo: Repo, files: dict[str, bytes | None]) -> str:
    changes = [FileChange(path, content, delete=content is None) for path, content in files.items()]
    return hub.files.commit(actor, repo, changes, "Change files").commit


def call(hub: Services, actor: Actor, tool: str, **arguments: Any) -> dict[str, Any]:
    done = invoke.call(ToolContext(actor, hub), tool, arguments, gate=False)
    assert isinstance(done, invoke.Done)
    return done.output.model_dump(mode="json")


def found(hub: Services, repo: Repo) -> list[tuple[str, str, str]]:
    return [(finding.path, finding.level, finding.rule) for finding in scanning.last_scan(hub, repo).findings]


def test_a_push_is_scanned_and_administrators_are_told(hub: Services, ann: Actor, repo: Repo) -> None:
    head = commit(
        hub,
        actor_for(_writer(hub, ann, repo)),
        repo,
        {"config.py": f"x = 1\nkey = '{TOKEN}'\n".encode(), "model.pkl": EVIL, "a.md": b"hello"},
    )
    work(hub)
    view = scanning.last_scan(hub, repo)
    assert (view.commit, view.level) == (head, "unsafe")
    assert found(hub, repo) == [("config.py", "unsafe", "Hugging Face token"), ("model.pkl", "unsafe", "import")]
    assert view.findings[0].line == 2
    notice = next(notice for notice in hub.notices.page(ann).items if notice.action == "scan.found")
    assert (notice.reason, notice.details["findings"], notice.repo) == ("admin", 2, "ann/one")
    with hub.db.read() as session:
        for table in ("scan_findings", "audit_events", "notices", "jobs"):
            assert TOKEN not in repr(session.execute(sa.text(f"SELECT * FROM {table}")).all())


def _writer(hub: Services, ann: Actor, repo: Repo) -> Any:
    ben = make_user(hub.db, "ben")
    hub.access.grant(ann, repo, "ben", Role.WRITE)
    return ben


def test_only_what_changed_is_read_again(hub: Services, ann: Actor, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(hub, ann, repo, {"model.pkl": EVIL, "a.txt": b"a", "b.txt": b"b"})
    work(hub)
    read: list[str] = []
    real = scan_module.findings_in
    monkeypatch.setattr(scan_module, "findings_in", lambda reader, note: read.append(reader.name) or real(reader, note))
    commit(hub, ann, repo, {"b.txt": b"changed", "c.txt": b"c"})
    work(hub)
    assert sorted(read) == ["b.txt", "c.txt"]
    assert found(hub, repo) == [("model.pkl", "unsafe", "import")]
    commit(hub, ann, repo, {"model.pkl": None})
    work(hub)
    assert scanning.last_scan(hub, repo).level == "safe"


def test_other_branches_are_not_scanned_and_the_same_commit_not_twice(hub: Services, ann: Actor, repo: Repo) -> None:
    head = hub.git.resolve(repo.id)
    hub.git.create_branch(repo.id, "dev", head, hook=None)
    hub.files.commit(ann, repo, [FileChange("model.pkl", EVIL)], "Evil", branch="dev")
    work(hub)
    assert found(hub, repo) == []
    assert not [job for job in hub.jobs.list_jobs(ann, kind="scan").items if job.status != "succeeded"]


def test_large_files_are_scanned(hub: Services, ann: Actor, repo: Repo) -> None:
    pointer = hub.lfs.store(repo.id, [EVIL])
    text = hub.lfs.store(repo.id, [b"line\n" * 1000 + TOKEN.encode()])
    commit(hub, ann, repo, {"model.pt": format_pointer(pointer), "data.csv": format_pointer(text)})
    work(hub)
    assert found(hub, repo) == [("data.csv", "unsafe", "Hugging Face token"), ("model.pt", "unsafe", "import")]


def test_a_live_token_of_this_hub_is_told_to_its_owner(hub: Services, ann: Actor, repo: Repo) -> None:
    cleo = make_user(hub.db, "cleo")
    live = hub.tokens.create(actor_for(cleo), "laptop", Scope.WRITE).token
    commit(hub, ann, repo, {"live.env": f"HF_TOKEN={live}\n".encode(), "old.env": f"HF_TOKEN={SAMPLES[0][1]}\n".encode()})
    work(hub)
    assert found(hub, repo) == [("live.env", "unsafe", "hubtalk token"), ("old.env", "suspicious", "hubtalk token")]
    told = [notice for notice in hub.notices.page(actor_for(cleo)).items if notice.action == "scan.token"]
    assert [(notice.title, notice.repo) for notice in told] == [("laptop", "")]
    assert hub.tokens.authenticate_token(live, "api").username == "cleo", "it is reported, not revoked"


def test_a_scan_by_tool_of_a_small_repo_answers_at_once(hub: Services, ann: Actor, repo: Repo) -> None:
    commit(hub, ann, repo, {"model.pkl": EVIL})
    shown = call(hub, ann, "scan_repo", repo="one")
    assert (shown["status"], shown["level"], shown["job"]) == ("done", "unsafe", None)
    assert shown["findings"][0]["detail"] == "posix.system"
    assert "true" not in json.dumps(shown["findings"])


def test_a_scan_of_a_large_repo_is_a_job(hub: Services, ann: Actor, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "AT_ONCE_BYTES", 10)
    commit(hub, ann, repo, {"model.pkl": EVIL})
    work(hub)
    queued = call(hub, ann, "scan_repo", repo="one")
    assert queued["status"] == "queued"
    assert call(hub, ann, "scan_repo", repo="one")["job"] == queued["job"]
    checked = call(hub, ann, "verify_repo", repo="one")
    assert checked["whole"] is None
    work(hub)
    assert call(hub, ann, "get_job", job=queued["job"])["result"]["level"] == "unsafe"
    assert call(hub, ann, "get_job", job=checked["job"])["result"]["problems"] == []


def test_scans_are_for_those_who_write(hub: Services, ann: Actor, repo: Repo) -> None:
    eve = actor_for(make_user(hub.db, "eve"))
    for tool in ("scan_repo", "verify_repo"):
        with pytest.raises(PermissionDenied):
            call(hub, eve, tool, repo="ann/one")
    hub.repos.set_visibility(ann, repo, Visibility.PRIVATE)
    for tool in ("scan_repo", "verify_repo"):
        with pytest.raises(RepoNotFound):
            call(hub, eve, tool, repo="ann/one")


def test_damaged_bytes_are_found(hub: Services, ann: Actor, repo: Repo) -> None:
    pointer = hub.lfs.store(repo.id, [b"weights" * 1000])
    commit(hub, ann, repo, {"w.bin": format_pointer(pointer)})
    whole = call(hub, ann, "verify_repo", repo="one")
    assert (whole["whole"], whole["objects"], whole["problems"]) == (True, 1, [])
    path = next(path for path in (hub.settings.data_dir / "blobs").rglob(pointer.oid) if path.is_file())
    path.chmod(0o644)
    path.write_bytes(b"weights" * 999 + b"broken!")
    broken = call(hub, ann, "verify_repo", repo="one")
    assert broken["whole"] is False
    assert pointer.oid[:12] in broken["problems"][0]


def test_a_fork_is_scanned(hub: Services, ann: Actor, repo: Repo) -> None:
    commit(hub, ann, repo, {"model.pkl": EVIL})
    hub.repos.fork(ann, "ann/one", "ann/two")
    work(hub)
    assert found(hub, hub.repos.find(ann, "ann/two")) == [("model.pkl", "unsafe", "import")]

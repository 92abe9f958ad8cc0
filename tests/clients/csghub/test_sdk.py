"""`csghub-sdk` as its users run it: through the Hugging Face dialect (its default), and its native way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub_core.authz import Visibility
from hub_core.gating.tables import Gating
from hub_core.repos.kinds import RepoKind
from tests.clients.csghub.conftest import LOCAL_ONLY, Run
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub

pytestmark = pytest.mark.clients

BOTH = pytest.mark.parametrize("native", [False, True], ids=["xnet", "native"])


def folder_of(tmp_path: Path, files: dict[str, bytes]) -> Path:
    folder = tmp_path / "folder"
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def content(hub: HfHub, said: str, path: str, revision: str = "") -> bytes:
    actor = actor_for(hub.ann)
    reader = hub.services.files.reader(actor, hub.services.repos.find(actor, said), path, revision)
    return reader.read(0, reader.size)


@BOTH
@pytest.mark.parametrize("kind", [RepoKind.MODEL, RepoKind.DATASET])
def test_a_repo_is_downloaded(hub: HfHub, run: Run, tmp_path: Path, kind: RepoKind, native: bool) -> None:
    large = os.urandom(400_000)
    repo = hub.repo({"config.json": b"{}", "sub/weights.safetensors": large}, kind=kind, visibility=Visibility.PRIVATE)
    run("download", repo.full_name, "-t", str(kind), "--local-dir", str(tmp_path / "out"), native=native)
    found = next((tmp_path / "out").rglob("weights.safetensors"))
    assert found.read_bytes() == large
    assert (found.parent.parent / "config.json").read_bytes() == b"{}"


@LOCAL_ONLY
@BOTH
def test_what_one_may_not_see_is_not_downloaded(hub: HfHub, run: Run, tmp_path: Path, native: bool) -> None:
    repo = hub.repo({"a": b"a"}, visibility=Visibility.PRIVATE)
    done = run("download", repo.full_name, "--local-dir", str(tmp_path / "out"), token=hub.ben_token, native=native, check=False)
    assert not list((tmp_path / "out").rglob("a"))
    assert "404" in done.stdout + done.stderr or done.returncode


@pytest.mark.slow  # the client tries a refused file again for half a minute
@LOCAL_ONLY
@BOTH
def test_a_gated_repo_is_downloaded_by_who_was_let_in(hub: HfHub, run: Run, tmp_path: Path, native: bool) -> None:
    repo, ann, ben = hub.repo({"config.json": b"{}"}), actor_for(hub.ann), hub.ben.username
    hub.services.gating.set_gating(ann, repo, Gating.MANUAL)
    arguments = ("download", repo.full_name, "--local-dir", str(tmp_path / "out"))
    done = run(*arguments, token=hub.ben_token, native=native, check=False)
    assert not list((tmp_path / "out").rglob("config.json"))
    assert "403" in done.stdout + done.stderr or "gated" in (done.stdout + done.stderr).lower()
    hub.services.gating.let_in(ann, repo, ben)
    run(*arguments, token=hub.ben_token, native=native)
    (found,) = (tmp_path / "out").rglob("config.json")
    assert found.read_bytes() == b"{}"


@BOTH
def test_a_folder_is_uploaded_into_a_new_repo(hub: HfHub, run: Run, tmp_path: Path, native: bool) -> None:
    large = os.urandom(1_500_000)
    folder = folder_of(tmp_path, {"README.md": b"# Hello\n", "model.safetensors": large})
    name = f"ann/uploaded-{'native' if native else 'xnet'}-{next(hub.numbers)}"
    run("upload", name, str(folder), "-u", "ann", native=native)
    assert content(hub, name, "README.md") == b"# Hello\n"
    assert content(hub, name, "model.safetensors") == large


@LOCAL_ONLY
@pytest.mark.parametrize("size", [20, 300_000])
def test_one_file_is_uploaded_the_native_way(hub: HfHub, run: Run, tmp_path: Path, size: int) -> None:
    repo, data = hub.repo(), os.urandom(size)
    (tmp_path / "weights.bin").write_bytes(data)
    script = (
        "from pycsghub.file_upload import http_upload_file\n"
        f"http_upload_file({repo.full_name!r}, 'model', 'weights.bin', 'deep', endpoint={hub.url!r}, token={hub.ann_token!r})"
    )
    run(python=script, native=True)
    assert content(hub, repo.full_name, "deep/weights.bin") == data
    run(python=script, native=True)  # the same again is no error


@LOCAL_ONLY
def test_a_branch_is_made_the_native_way(hub: HfHub, run: Run, tmp_path: Path) -> None:
    repo = hub.repo()
    folder = folder_of(tmp_path, {"notes.txt": b"on a branch"})
    run("upload", repo.full_name, str(folder), "-u", "ann", "-r", "trial", native=True)
    assert content(hub, repo.full_name, "notes.txt", "trial") == b"on a branch"
    assert set(hub.services.git.branches(repo.id)) == {"main", "trial"}


@LOCAL_ONLY
def test_a_new_repo_is_private(hub: HfHub, run: Run, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.txt": b"a"})
    run("upload", "ann/quiet", str(folder), "-u", "ann", native=True)
    assert hub.services.repos.get(actor_for(hub.ann), "ann/quiet").visibility == Visibility.PRIVATE


def test_a_large_folder_is_uploaded_by_workers(hub: HfHub, run: Run, tmp_path: Path) -> None:
    large = os.urandom(9_000_000)
    folder = folder_of(tmp_path, {"a.txt": b"a", "sub/model.safetensors": large})
    run("upload-large-folder", "ann/large", str(folder), "-t", "model", native=True)
    assert content(hub, "ann/large", "a.txt") == b"a"
    assert content(hub, "ann/large", "sub/model.safetensors") == large

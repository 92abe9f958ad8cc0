"""Downloads as `hf_hub_download`, `snapshot_download` and `HfFileSystem` do them, and `resolve` over plain HTTP."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import _CACHED_NO_EXIST

from hub_core.authz import Scope, Visibility
from hub_core.git import Author
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub, cache_files
from tests.common.model_files import safetensors

pytestmark = pytest.mark.clients

LARGE = os.urandom(3 * 1024 * 1024 + 11)
SOME: dict[str, bytes] = {"config.json": b'{"a": 1}', "weights.bin": LARGE, "deep/er/\u540d a+b%.txt": "\u6587".encode(), "empty.txt": b""}


def url_of(hub: HfHub, repo: Repo, path: str, revision: str = "main", word: str = "resolve") -> str:
    prefix = {"model": "", "dataset": "datasets/", "space": "spaces/"}[repo.kind]
    return f"{hub.url}/{prefix}{repo.full_name}/{word}/{revision}/{path}"


def downloads(hub: HfHub, repo: Repo) -> int | None:
    return hub.api().model_info(repo.full_name, expand=["downloads"]).downloads


@pytest.mark.parametrize("prefix", ["", "/hf"])
@pytest.mark.parametrize("kind", [RepoKind.MODEL, RepoKind.DATASET, RepoKind.SPACE])
def test_files_come_byte_for_byte_and_are_named_by_their_ids(hub: HfHub, tmp_path: Path, kind: RepoKind, prefix: str) -> None:
    repo = hub.repo(SOME, kind=kind, visibility=Visibility.PRIVATE)
    for path, content in SOME.items():
        place = hub.api(prefix=prefix).hf_hub_download(repo.full_name, path, repo_type=kind, cache_dir=tmp_path)
        assert Path(place).read_bytes() == content
    ids = {hashlib.sha256(LARGE).hexdigest()}
    ids |= {hashlib.sha1(b"blob %d\0%b" % (len(raw), raw)).hexdigest() for path, raw in SOME.items() if path != "weights.bin"}
    assert cache_files(tmp_path) == ids


def test_a_second_download_only_asks_whether_there_is_something_newer(hub: HfHub, tmp_path: Path) -> None:
    repo = hub.repo(SOME)
    first = Path(hub.api().hf_hub_download(repo.full_name, "weights.bin", cache_dir=tmp_path))
    written = first.resolve().stat().st_mtime_ns
    hub.commit(repo, {"other.txt": b"1"})
    second = Path(hub.api().hf_hub_download(repo.full_name, "weights.bin", cache_dir=tmp_path))
    assert first != second
    assert second.resolve() == first.resolve()
    assert second.resolve().stat().st_mtime_ns == written
    offline = hf_hub_download(repo.full_name, "weights.bin", cache_dir=tmp_path, endpoint="http://127.0.0.1:9", local_files_only=True)
    assert Path(offline).read_bytes() == LARGE


@pytest.mark.parametrize("prefix", ["", "/hf"])
def test_a_revision_is_a_branch_a_tag_or_a_commit(hub: HfHub, tmp_path: Path, prefix: str) -> None:
    repo = hub.repo({"a.txt": b"old"})
    git, old = hub.services.git, hub.services.git.resolve(repo.id)
    git.create_branch(repo.id, "feat/x", old)
    git.create_tag(repo.id, "v1.0", old, "A release", Author("Ann", "ann@example.org"))
    hub.commit(repo, {"a.txt": b"new"})
    api = hub.api(prefix=prefix)
    for revision in ("feat/x", "v1.0", old, "refs/heads/feat/x"):
        path = Path(api.hf_hub_download(repo.full_name, "a.txt", revision=revision, cache_dir=tmp_path))
        assert (path.read_bytes(), path.parent.name) == (b"old", old)
    assert Path(api.hf_hub_download(repo.full_name, "a.txt", cache_dir=tmp_path)).read_bytes() == b"new"


@pytest.mark.parametrize("prefix", ["", "/hf"])
def test_a_snapshot_holds_the_files_that_were_asked_for(hub: HfHub, tmp_path: Path, prefix: str) -> None:
    repo = hub.repo(SOME, kind=RepoKind.DATASET)
    api = hub.api("", prefix)
    folder = Path(api.snapshot_download(repo.full_name, repo_type="dataset", cache_dir=tmp_path / "cache"))
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {*SOME, ".gitattributes"}
    part = Path(api.snapshot_download(repo.full_name, repo_type="dataset", allow_patterns="*.json", local_dir=tmp_path / "part"))
    assert [path.name for path in part.glob("*.json")] == ["config.json"]
    again = snapshot_download(repo.full_name, repo_type="dataset", cache_dir=tmp_path / "cache", local_files_only=True)
    assert Path(again) == folder


def test_metadata_tells_size_id_and_commit(hub: HfHub) -> None:
    repo = hub.repo(SOME)
    commit = hub.services.git.resolve(repo.id)
    small = get_hf_file_metadata(hf_hub_url(repo.full_name, "config.json", endpoint=hub.url), token=False)
    assert (small.commit_hash, small.size) == (commit, 8)
    assert small.etag == hub.services.git.entry(repo.id, commit, "config.json").sha
    large = get_hf_file_metadata(hf_hub_url(repo.full_name, "weights.bin", endpoint=hub.url), token=False)
    assert (large.commit_hash, large.size, large.etag) == (commit, len(LARGE), hashlib.sha256(LARGE).hexdigest())
    assert large.xet_file_data is None


def test_ranges_of_small_and_large_files(hub: HfHub) -> None:
    big = os.urandom(2 * 1024 * 1024)
    repo = hub.repo(SOME | {"big.txt": big})
    with httpx.Client(follow_redirects=True) as client:
        for path, content in (("config.json", SOME["config.json"]), ("weights.bin", LARGE), ("big.txt", big)):
            size = len(content)
            for asked, start, end in (("0-4", 0, 5), ("3-", 3, size), ("-4", size - 4, size), (f"0-{size + 100}", 0, size)):
                answer = client.get(url_of(hub, repo, path), headers={"range": f"bytes={asked}"})
                assert (answer.status_code, answer.content) == (206, content[start:end])
                assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
            beyond = client.get(url_of(hub, repo, path), headers={"range": f"bytes={size}-"})
            assert beyond.status_code == 416
    middle = httpx.get(url_of(hub, repo, "big.txt"), headers={"range": "bytes=1500000-1500099"})
    assert middle.content == big[1_500_000:1_500_100]


def test_a_head_request_has_the_length_and_no_body(hub: HfHub) -> None:
    repo = hub.repo(SOME)
    answer = httpx.head(url_of(hub, repo, "config.json"), headers={"accept-encoding": "identity"})
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "8", b"")
    large = httpx.head(url_of(hub, repo, "weights.bin"))
    assert large.headers["x-linked-size"] == str(len(LARGE))
    if large.status_code == 302:
        # A store that serves files itself: the client stops at the redirect, and fetches from there without its token.
        assert urlsplit(large.headers["location"]).netloc != urlsplit(hub.url).netloc
        assert httpx.get(large.headers["location"]).content == LARGE


def test_what_people_upload_never_runs_in_a_browser(hub: HfHub) -> None:
    repo = hub.repo({"page.html": b"<script>alert(1)</script>", 'a"b.html': b"<script>"})
    for path in ("page.html", "a%22b.html"):
        for word in ("resolve", "raw"):
            answer = httpx.get(url_of(hub, repo, path, word=word))
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in answer.headers["content-security-policy"]
            assert answer.headers["content-disposition"].startswith("attachment;")


def test_raw_gives_the_pointer_of_a_large_file(hub: HfHub) -> None:
    repo = hub.repo(SOME)
    pointer = httpx.get(url_of(hub, repo, "weights.bin", word="raw"))
    assert pointer.text.startswith("version https://git-lfs.github.com/spec/v1\noid sha256:")
    assert pointer.headers["content-length"] == str(len(pointer.content))
    assert httpx.get(url_of(hub, repo, "config.json", word="raw")).content == SOME["config.json"]


def test_an_absent_file_is_remembered_at_its_commit(hub: HfHub, tmp_path: Path) -> None:
    repo = hub.repo(SOME)
    for path in ("absent.json", "deep", "config.json/x"):
        with pytest.raises(EntryNotFoundError):
            hub.api().hf_hub_download(repo.full_name, path, cache_dir=tmp_path)
    commit = hub.services.git.resolve(repo.id)
    found = try_to_load_from_cache(repo.full_name, "absent.json", cache_dir=tmp_path, revision=commit)
    assert found is _CACHED_NO_EXIST
    assert not hub.api().file_exists(repo.full_name, "absent.json")
    assert hub.api().file_exists(repo.full_name, "config.json")


def test_what_is_not_there_says_what_is_missing(hub: HfHub, tmp_path: Path) -> None:
    repo, hidden = hub.repo(SOME), hub.repo(SOME, visibility=Visibility.PRIVATE)
    with pytest.raises(RevisionNotFoundError):
        hub.api().hf_hub_download(repo.full_name, "config.json", revision="absent", cache_dir=tmp_path)
    with pytest.raises(RevisionNotFoundError):
        hub.api().hf_hub_download(repo.full_name, "config.json", revision="0" * 40, cache_dir=tmp_path)
    for api in (hub.api(""), hub.api(hub.ben_token)):
        for name in (hidden.full_name, "ann/absent", "gpt2"):
            with pytest.raises(RepositoryNotFoundError):
                api.hf_hub_download(name, "config.json", cache_dir=tmp_path)
            with pytest.raises(RepositoryNotFoundError):
                api.snapshot_download(name, cache_dir=tmp_path)
    with pytest.raises(LocalEntryNotFoundError):
        hf_hub_download(repo.full_name, "config.json", cache_dir=tmp_path / "none", local_files_only=True)
    assert hub.api().repo_exists(hidden.full_name)
    assert not hub.api("").repo_exists(hidden.full_name)
    assert not hub.api().revision_exists(repo.full_name, "absent")


def test_a_token_that_is_wrong_or_taken_back_is_refused(hub: HfHub, tmp_path: Path) -> None:
    repo = hub.repo(SOME, visibility=Visibility.PRIVATE)
    token = hub.services.tokens.create(actor_for(hub.ann), "short-lived", Scope.READ).token
    assert hub.api(token).hf_hub_download(repo.full_name, "config.json", cache_dir=tmp_path)
    hub.services.tokens.revoke(actor_for(hub.ann), "short-lived")
    answer = httpx.get(url_of(hub, repo, "config.json"), headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_a_renamed_repo_is_downloaded_under_its_old_name(hub: HfHub, tmp_path: Path) -> None:
    repo = hub.repo(SOME)
    hub.services.repos.move(actor_for(hub.ann), repo, f"{repo.name}-new")
    assert Path(hub.api("").hf_hub_download(repo.full_name, "config.json", cache_dir=tmp_path)).read_bytes() == SOME["config.json"]


def test_a_file_system_lists_finds_and_reads_parts(hub: HfHub) -> None:
    repo = hub.repo(SOME | {"data/a.csv": b"1\n", "data/b.csv": b"2\n"}, kind=RepoKind.DATASET, visibility=Visibility.PRIVATE)
    files, root = hub.files(), f"datasets/{repo.full_name}"
    assert set(files.ls(root, detail=False)) == {
        f"{root}/{name}" for name in (".gitattributes", "config.json", "data", "deep", "empty.txt", "weights.bin")
    }
    assert files.glob(f"{root}/**/*.csv") == [f"{root}/data/a.csv", f"{root}/data/b.csv"]
    assert files.info(f"{root}/weights.bin")["size"] == len(LARGE)
    with files.open(f"{root}/weights.bin") as file:
        file.seek(1_000_000)
        assert file.read(100) == LARGE[1_000_000:1_000_100]
    assert files.cat_file(f"{root}/data/b.csv") == b"2\n"
    with pytest.raises(FileNotFoundError):
        hub.files("").ls(root)


def test_a_snapshot_counts_as_one_download(hub: HfHub, tmp_path: Path) -> None:
    repo = hub.repo(SOME)
    httpx.head(url_of(hub, repo, "config.json"))
    httpx.get(url_of(hub, repo, "weights.bin"), headers={"range": "bytes=0-10"})
    assert downloads(hub, repo) == 0
    for run in ("one", "two"):
        hub.api().snapshot_download(repo.full_name, cache_dir=tmp_path / run)
    assert downloads(hub, repo) == 1
    hub.api(hub.ben_token).hf_hub_download(repo.full_name, "config.json", cache_dir=tmp_path / "ben")
    assert downloads(hub, repo) == 2


def test_the_header_of_a_model_is_read_from_a_range(hub: HfHub) -> None:
    reader = safetensors()
    repo = hub.repo({"model.safetensors": reader.read(0, reader.size)})
    metadata = hub.api().get_safetensors_metadata(repo.full_name)
    assert metadata.parameter_count == {"F16": 44}


def test_an_entry_error_is_a_remote_one(hub: HfHub) -> None:
    repo = hub.repo(SOME)
    with pytest.raises(RemoteEntryNotFoundError):
        get_hf_file_metadata(hf_hub_url(repo.full_name, "absent", endpoint=hub.url), token=False)

"""What a client looks up before and after a transfer: revisions, facts of files, checksums, headers of shards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from hub_core.authz import Visibility
from tests.common.hf_hub import HfHub
from tests.common.model_files import safetensors

pytestmark = pytest.mark.clients


def test_a_revision_is_resolved_once_and_known_offline_afterwards(hub: HfHub, tmp_path: Path) -> None:
    repo = hub.repo({"a.txt": b"one"})
    api = hub.api()
    found = api.resolve_revision(repo.full_name, revision="main", cache_dir=tmp_path)
    assert found.resolved == api.model_info(repo.full_name).sha
    assert api.resolve_revision(repo.full_name, revision="main", cache_dir=tmp_path, local_files_only=True).resolved == found.resolved
    with pytest.raises(RevisionNotFoundError):
        api.resolve_revision(repo.full_name, revision="absent", cache_dir=tmp_path)


def test_facts_of_a_file_without_its_bytes(hub: HfHub) -> None:
    large = b"w" * 2_000_000
    repo = hub.repo({"config.json": b"{}"})
    api = hub.api()
    api.upload_file(path_or_fileobj=large, path_in_repo="model.safetensors", repo_id=repo.full_name)
    facts = api.get_hf_file_metadata(url=hf_hub_url(repo.full_name, "model.safetensors", endpoint=hub.url))
    assert (facts.size, facts.commit_hash) == (len(large), api.model_info(repo.full_name).sha)
    assert facts.etag == api.get_paths_info(repo.full_name, "model.safetensors")[0].lfs.sha256
    private = hub.repo({"a": b"a"}, visibility=Visibility.PRIVATE)
    with pytest.raises(RepositoryNotFoundError):
        get_hf_file_metadata(url=hf_hub_url(private.full_name, "a", endpoint=hub.url), token=hub.ben_token)


def test_checksums_of_a_download_are_verified_and_a_changed_file_is_named(hub: HfHub, tmp_path: Path) -> None:
    repo = hub.repo({"config.json": b"{}", "sub/notes.txt": b"notes"})
    api = hub.api()
    api.upload_file(path_or_fileobj=b"x" * 3_000_000, path_in_repo="weights.bin", repo_id=repo.full_name)
    folder = Path(api.snapshot_download(repo.full_name, local_dir=tmp_path / "copy"))
    assert api.verify_repo_checksums(repo.full_name, local_dir=folder).mismatches == []
    (folder / "weights.bin").write_bytes(b"y" * 3_000_000)
    assert [wrong["path"] for wrong in api.verify_repo_checksums(repo.full_name, local_dir=folder).mismatches] == ["weights.bin"]


def test_headers_of_all_shards_come_in_one_answer(hub: HfHub) -> None:
    shards = {f"model-0000{n}-of-00002.safetensors": safetensors(**{f"layer{n}": (n, 4)}) for n in (1, 2)}
    index = {"metadata": {"total_size": 24}, "weight_map": {f"layer{n}": name for n, name in enumerate(shards, 1)}}
    files = {name: reader.read(0, reader.size) for name, reader in shards.items()}
    repo = hub.repo({**files, "model.safetensors.index.json": json.dumps(index).encode(), "config.json": b"{}"})
    found = hub.api().get_safetensors_metadata(repo.full_name)
    assert found.sharded
    assert found.weight_map == index["weight_map"]
    assert found.parameter_count == {"F16": 12}
    again = hub.api().get_sharded_safetensors_metadata(repo.full_name)
    assert again.files_metadata.keys() == shards.keys()
    with pytest.raises(HfHubHTTPError) as error:
        hub.api().get_sharded_safetensors_metadata(repo.full_name, filename="config.json")
    assert error.value.response.status_code == 400
    hidden = hub.repo({**files, "model.safetensors.index.json": json.dumps(index).encode()}, visibility=Visibility.PRIVATE)
    with pytest.raises(RepositoryNotFoundError):
        hub.api(hub.ben_token).get_sharded_safetensors_metadata(hidden.full_name)


def test_files_are_deleted_one_by_one_and_by_pattern(hub: HfHub) -> None:
    repo = hub.repo({"a.txt": b"a", "b.txt": b"b", "logs/1.log": b"1", "logs/2.log": b"2"})
    api = hub.api()
    api.delete_file("a.txt", repo.full_name, commit_message="Drop a")
    api.delete_files(repo.full_name, ["logs/*.log"])
    assert [path for path in api.list_repo_files(repo.full_name) if path != ".gitattributes"] == ["b.txt"]


def test_files_are_copied_from_one_repo_to_another(hub: HfHub) -> None:
    source, target = hub.repo({"config.json": b'{"a": 1}', "sub/notes.txt": b"notes"}), hub.repo({"kept.txt": b"kept"})
    api = hub.api()
    api.copy_files(f"hf://{source.full_name}/config.json", f"hf://{target.full_name}/copied/config.json")
    api.copy_files(f"hf://{source.full_name}/sub", f"hf://{target.full_name}/")
    files = api.list_repo_files(target.full_name)
    assert {"kept.txt", "copied/config.json", "sub/notes.txt"} <= set(files)

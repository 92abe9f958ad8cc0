"""Files that repeat themselves go up and come down by chunks as they are: padding, zeros, the same block again and again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.common.hf_hub import HfHub

pytestmark = pytest.mark.clients

BLOCK, OTHER = (random.Random(seed).randbytes(700_000) for seed in (1, 2))
FILES = {
    "zeros.bin": bytes(3_000_000),
    "one-letter.bin": b"x" * 3_000_000,
    "same-block.bin": BLOCK * 5,
    "in-turn.bin": (BLOCK + OTHER) * 3,
    "padded.bin": bytes(500_000) + BLOCK + bytes(2_000_000) + OTHER + bytes(1_111_111),
    "turned-round.bin": OTHER + BLOCK + OTHER[:350_000] + bytes(200_000) + BLOCK[123_456:],
}


def test_what_repeats_itself_comes_back_byte_for_byte(hub: HfHub, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name, content in FILES.items():
        (source / name).write_bytes(content)
    repo = hub.repo()
    hub.api().upload_folder(repo_id=repo.full_name, folder_path=source)
    got = Path(hub.api().snapshot_download(repo.full_name, local_dir=tmp_path / "got"))
    assert {name: (got / name).read_bytes() == content for name, content in FILES.items()} == dict.fromkeys(FILES, True)


def test_a_second_version_made_of_parts_of_the_first_comes_back(hub: HfHub, tmp_path: Path) -> None:
    repo = hub.repo()
    api = hub.api()
    for version in (BLOCK + OTHER + BLOCK, OTHER + b"new" * 50_000 + BLOCK + OTHER[:400_000], BLOCK[300_000:] * 3):
        commit = api.upload_file(path_or_fileobj=version, path_in_repo="model.safetensors", repo_id=repo.full_name).oid
        got = api.hf_hub_download(repo.full_name, "model.safetensors", revision=commit, local_dir=tmp_path / commit)
        assert Path(got).read_bytes() == version

"""Headers of a sharded model's safetensors files in one answer, so that a client need not ask for each."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from fastapi import APIRouter

from hub_core.errors import UnsupportedFormat
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.models.safetensors import header_of
from hub_core.services import Services

MAX_INDEX = 64 << 20
MAX_SHARDS = 2000


def add_safetensors_routes(router: APIRouter, services: Services) -> None:
    """`GET /api/models/{id}/safetensors-metadata/{index file}`."""
    add_route(router, services, "GET", "/api/{kind:repokind}/{namespace}/{name}/safetensors-metadata/{path:path}", _metadata)


def _metadata(call: Call) -> dict[str, Any]:
    """The index without its map of tensors (the headers have it), and the header of every shard that it names.

    Raises:
        UnsupportedFormat: the file is no index, or a shard is no safetensors file.
        EntryNotFound: the index or a shard is not there.
    """
    repo, path, files = call.repo(), PurePosixPath(call.param("path")), call.services.files
    commit = call.services.git.resolve(repo.id, "")
    reader = files.reader(call.actor, repo, str(path), commit)
    index = _index(reader.read(0, reader.size) if reader.size <= MAX_INDEX else b"")
    shards = sorted({shard for shard in index["weight_map"].values() if isinstance(shard, str)})
    if len(shards) > MAX_SHARDS:
        raise UnsupportedFormat(f"The index names more than {MAX_SHARDS:,} files.")
    with call.services.heavy_reads.place():
        readers = files.readers(call.actor, repo, [str(path.parent / shard) for shard in shards], commit)
        headers = {shard: header_of(reader)[0] for shard, reader in zip(shards, readers.values(), strict=True)}
    return {"index": {"metadata": index.get("metadata") or {}}, "headers": headers}


def _index(raw: bytes) -> dict[str, Any]:
    try:
        index = json.loads(raw)
    except (ValueError, RecursionError):
        index = None
    if not isinstance(index, dict) or not isinstance(index.get("weight_map"), dict):
        raise UnsupportedFormat("This is no index of safetensors files.", hint="Its name usually ends in '.safetensors.index.json'.")
    return index

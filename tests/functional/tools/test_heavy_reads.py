"""Heavy reads share a few places; everything else goes on."""

from __future__ import annotations

import dataclasses

import pytest

from hub_core.gate import Gate
from tests.functional.tools.conftest import client_of
from tests.functional.tools.world import World
from tools.registry import default_registry

HEAVY = {
    "scan_repo": {"repo": "acme/support-7b"},
    "verify_repo": {"repo": "acme/support-7b"},
    "inspect_model": {"repo": "acme/support-7b"},
    "preview_dataset": {"repo": "acme/tickets"},
    "describe_dataset": {"repo": "acme/tickets"},
    "show_commit": {"repo": "acme/tickets", "revision": "main"},
    "compare_revisions": {"repo": "acme/tickets", "base": "main", "head": "main"},
    "get_discussion": {"repo": "acme/support-7b", "number": 3},
}


def test_these_are_the_heavy_ones() -> None:
    heavy = {tool.name for tool in default_registry() if tool.heavy}
    assert heavy == {*HEAVY, "start_finetune", "evaluate_model"}  # these look through data before they ask


@pytest.mark.parametrize("tool", HEAVY)
def test_a_heavy_read_too_many_is_refused_and_others_run(shared: World, tool: str) -> None:
    busy = dataclasses.replace(shared, services=dataclasses.replace(shared.services, heavy_reads=Gate(1, 0, 0)))
    client, headers = client_of(busy), {"authorization": f"Bearer {shared.tokens['alice']}"}
    with busy.services.heavy_reads.place():
        refused = client.post(f"/api/v1/tools/{tool}", json=HEAVY[tool], headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_busy")
        assert refused.json()["error"]["hint"]
        assert client.post("/api/v1/tools/get_repo", json={"repo": "acme/tickets"}, headers=headers).status_code == 200
    assert client.post(f"/api/v1/tools/{tool}", json=HEAVY[tool], headers=headers).status_code == 200

"""Cards, files, folders and rows as resources."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from mcp import McpError
from pydantic import AnyUrl

from hub_core.git import FileChange
from hub_core.repos.kinds import RepoKind
from tests.common.loops import finish
from tests.functional.mcp.conftest import McpHub
from tools.mcp import resources

CSV = b"day,rain\n1,0.5\n2,0.1\n"
PICTURE = b"\x89PNG\r\n\x1a\n\0\0"


@pytest.fixture
def filled(hub: McpHub) -> McpHub:
    actor, services = hub.hub.alice, hub.services
    for name, kind, files in (
        ("acme/vision", RepoKind.MODEL, {"README.md": b"# Vision\n", "docs/a b.txt": "옛날".encode(), "logo.png": PICTURE}),
        ("acme/tickets", RepoKind.DATASET, {"data.csv": CSV}),
    ):
        repo = services.repos.find(actor, name, kind)
        services.files.commit(actor, repo, [FileChange(path, data) for path, data in files.items()], "add")
    services.history.create_branch(actor, services.repos.find(actor, "acme/vision", RepoKind.MODEL), "try/it", "main")
    return hub


def play(hub: McpHub, act: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        async with hub.client(hub.token(name=f"r{uuid.uuid4().hex[:12]}")) as session:
            return await act(session)

    return finish(run())


def read(hub: McpHub, uri: str) -> Any:
    return play(hub, lambda session: session.read_resource(AnyUrl(uri))).contents[0]


def refused(hub: McpHub, uri: str) -> str:
    async def act(session: Any) -> str:
        with pytest.raises(McpError) as caught:
            await session.read_resource(AnyUrl(uri))
        return str(caught.value.error.data["code"])

    return str(play(hub, act))


def test_cards_are_listed_a_page_at_a_time(filled: McpHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "PAGE", 2)

    async def pages(session: Any) -> list[Any]:
        first = await session.list_resources()
        assert first.nextCursor
        return [*first.resources, *(await session.list_resources(first.nextCursor)).resources]

    found = play(filled, pages)
    assert {str(one.uri) for one in found} == {"hub://model/acme/vision", "hub://model/acme/support-7b", "hub://dataset/acme/tickets"}


def test_templates_tell_how_addresses_are_made(filled: McpHub) -> None:
    made = play(filled, lambda session: session.list_resource_templates()).resourceTemplates
    assert "hub://{kind}/{namespace}/{name}/{revision}/{+path}" in {one.uriTemplate for one in made}


def test_a_card_a_file_and_a_picture(filled: McpHub) -> None:
    card = read(filled, "hub://model/acme/vision")
    assert (card.text, card.mimeType) == ("# Vision\n", "text/markdown")
    assert read(filled, "hub://model/acme/vision/main/docs/a%20b.txt").text == "옛날"
    assert read(filled, "hub://model/acme/vision/try%2Fit/README.md").text == "# Vision\n"
    picture = read(filled, "hub://model/acme/vision/main/logo.png")
    assert (base64.b64decode(picture.blob), picture.mimeType) == (PICTURE, "image/png")


def test_a_folder_and_the_rows_of_a_dataset(filled: McpHub) -> None:
    listed = json.loads(read(filled, "hub://model/acme/vision/main/docs/").text)
    assert [item["path"] for item in listed["items"]] == ["docs/a b.txt"]
    rows = json.loads(read(filled, "hub://rows/acme/tickets").text)
    assert "rain" in json.dumps(rows)


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("hub://model/acme/nothing", "repo_not_found"),
        ("hub://dataset/acme/vision", "repo_not_found"),
        ("hub://model/acme/vision/main/nothing.txt", "entry_not_found"),
        ("hub://model/acme/vision/nowhere/README.md", "revision_not_found"),
        ("hub://model/acme", "invalid_input"),
        ("hub://planet/acme/vision", "invalid_input"),
        ("hub://rows/acme/tickets/main/x", "invalid_input"),
        ("file:///etc/passwd", "invalid_input"),
        ("http://127.0.0.1/", "invalid_input"),
        ("hub://model/acme/vision/main/..%2F..%2Fsecret", "invalid_path"),
    ],
)
def test_what_is_not_there_says_so(filled: McpHub, uri: str, code: str) -> None:
    assert refused(filled, uri) == code


def test_a_file_that_is_too_large_is_refused(filled: McpHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "MAX_BYTES", 4)
    assert refused(filled, "hub://model/acme/vision") == "too_large"

"""What the channels of an Official Account and of a WeCom application share: their platform calls the hub, and everything is private."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from chat_ui.bridges.port import FileRef, Place
from chat_ui.bridges.tencent.api import Api
from chat_ui.bridges.tencent.tokens import Tokens
from hub_core.conversations.leases import Leases

MAX_MEDIA = 64 * 1024 * 1024


class Account:
    """The half of such a channel that does not depend on what is said.

    Args:
        workspace: what ids of people belong to.
        url: the address of the API.
        name: under which processes take turns with its token.
        fetch: asks for the token; see `Tokens`.
    """

    platform: ClassVar[str]

    def __init__(
        self, workspace: str, url: str, name: str, leases: Leases, fetch: Callable[[Api, bool], tuple[str, float]], *, can_force: bool
    ) -> None:
        self.workspace = workspace
        self._leases = leases
        self._api = Api(url)
        self._tokens = Tokens(f"{self.platform}:{name}", leases, lambda force: fetch(self._api, force), can_force=can_force)

    def start(self) -> None:
        """The platform calls the hub."""

    def close(self) -> None:
        """End the connections to the API."""
        self._api.close()
        self._leases.close()

    def direct(self, workspace: str, person: str) -> Place:
        """All conversations are private."""
        return Place(self.platform, workspace, person)

    def fetch_file(self, file: FileRef) -> Iterator[bytes]:
        """What a person sent; the platforms keep it for three days."""
        return self._api.download(self._tokens, "/cgi-bin/media/get", {"media_id": file.ref}, MAX_MEDIA)

    def _call(self, path: str, **options: Any) -> dict[str, Any]:
        return self._api.signed(self._tokens, "POST", path, **options)

    def _upload(self, kind: str, filename: str, content: bytes, content_type: str) -> str:
        """Give the platform a file; returns its number for a message."""
        found = self._call("/cgi-bin/media/upload", params={"type": kind}, files={"media": (filename, content, content_type)})
        return str(found.get("media_id", ""))

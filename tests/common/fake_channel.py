"""A chat platform inside the test: it remembers what was shown where, and can be down, slow, or ask for a pause."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from chat_ui.bridges.port import ApprovalCard, Capabilities, ChannelError, FileRef, Incoming, Outgoing, Place, Undeliverable

RICH = Capabilities(
    max_text=3000, tables="markdown", buttons=True, update=True, streaming=True, stream_every_s=0.0, ephemeral=True, direct=True,
    proactive=True, files_out=True, pictures=True,
)  # fmt: skip
POOR = Capabilities(max_text=600, counts_bytes=True, markdown=False)


@dataclass
class Shown:
    """A message as people see it now."""

    place: Place
    text: str
    only_for: str = ""
    choices: tuple[str, ...] = ()
    card: ApprovalCard | None = None
    versions: int = 1


@dataclass
class FakeChannel:
    """See the module. `down` holds errors to raise, one for each call; `broken` raises until it is taken away."""

    platform: str = "fake"
    capabilities: Capabilities = RICH
    shown: dict[str, Shown] = field(default_factory=dict)
    files: list[tuple[Place, str, bytes]] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    down: list[ChannelError] = field(default_factory=list)
    broken: ChannelError | None = None
    calls: int = 0
    started: bool = False

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def start(self) -> None:
        self.started = True

    def close(self) -> None:
        self.started = False

    def send(self, place: Place, message: Outgoing) -> str:
        return self._put(Shown(place, message.text, message.only_for, message.choices))

    def update(self, place: Place, message_id: str, message: Outgoing) -> str:
        return self._change(message_id, text=message.text, choices=message.choices)

    def ask_approval(self, place: Place, card: ApprovalCard) -> str:
        return self._put(Shown(place, card.title, card=card))

    def update_approval(self, place: Place, message_id: str, card: ApprovalCard) -> str:
        return self._change(message_id, card=card)

    def direct(self, workspace: str, person: str) -> Place:
        self._reached()
        return Place(self.platform, workspace, f"direct-{person}")

    def send_file(self, place: Place, filename: str, content: bytes, comment: str) -> None:
        self._reached()
        self.files.append((place, filename, content))

    def fetch_file(self, file: FileRef) -> Iterator[bytes]:
        self._reached()
        if file.ref not in self.uploads:
            raise Undeliverable("no such file")
        yield self.uploads[file.ref]

    # --- what a test sees and does ---

    def at(self, conversation: str, person: str = "") -> list[str]:
        """The texts that a person sees in a conversation; without a person what everybody there sees."""
        seen = (item for item in self.shown.values() if item.place.conversation == conversation and item.only_for in ("", person))
        return [item.text for item in seen if item.card is None]

    def cards(self, conversation: str = "") -> list[ApprovalCard]:
        return [item.card for item in self.shown.values() if item.card is not None and conversation in ("", item.place.conversation)]

    def _put(self, shown: Shown) -> str:
        self._reached()
        with self._lock:
            number = str(next(self._numbers))
            self.shown[number] = shown
        return number if self.capabilities.update else ""

    def _change(self, message_id: str, **values: object) -> str:
        self._reached()
        with self._lock:
            known = self.shown[message_id]
            self.shown[message_id] = replace(known, versions=known.versions + 1, **values)  # type: ignore[arg-type]
        return message_id

    def _reached(self) -> None:
        with self._lock:
            self.calls += 1
            if self.broken is not None:
                raise self.broken
            if self.down:
                raise self.down.pop(0)


_events = itertools.count(1)


def said(
    text: str, person: str = "U1", *, conversation: str = "", thread: str = "", group: bool = False, event: str = "", **more: object
) -> Incoming:
    """A message of a person; in their private conversation unless another is named."""
    place = Place("fake", "W1", conversation or f"direct-{person}", thread, group)
    return Incoming(event or f"e{next(_events)}", place, person, text, name=person.lower(), **more)  # type: ignore[arg-type]

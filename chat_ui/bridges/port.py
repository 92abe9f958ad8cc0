"""The port between the core of the bridges and a chat platform. Everything here is plain data; a channel only translates.

Channels are synchronous and are called from several threads at once. A channel on an event loop crosses over by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol, runtime_checkable

Tables = Literal["markdown", "monospace", "lists"]


class ChannelError(Exception):
    """The platform did not take something, for now: it is tried again.

    Attributes:
        retry_after: seconds that the platform asks to wait; None when it does not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Undeliverable(ChannelError):
    """The platform will never take it: the conversation is gone, the bot was removed, the credentials are wrong."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can show. The core fits what it sends to it.

    Attributes:
        max_text: most that one message holds, in characters, or in UTF-8 bytes with `counts_bytes`.
        max_messages: into how many messages a long answer is split before the rest becomes a file (if files can be sent), or is cut.
        tables: `markdown` (the channel draws Markdown tables itself), `monospace` (code blocks keep their columns), `lists`.
        markdown: whether the channel takes Markdown, translating what its platform writes otherwise; else it gets plain text.
        buttons: whether people can press buttons under a message; without them approvals are answered by a code.
        update: whether a message can be changed after it was sent.
        streaming: whether an answer may be shown while it is written, by changing its message.
        stream_every_s: the shortest time between two changes of a message.
        ephemeral: whether one person of a group can be shown something that the others do not see.
        direct: whether the bot can begin a private conversation with a person.
        proactive: whether the bot may write at any time, not only in answer.
        files_out: whether files can be sent.
        pictures: whether PNG pictures can be sent, as files that are seen at once; plots are lines of text else.
    """

    max_text: int
    counts_bytes: bool = False
    max_messages: int = 4
    tables: Tables = "lists"
    markdown: bool = True
    buttons: bool = False
    update: bool = False
    streaming: bool = False
    stream_every_s: float = 1.0
    ephemeral: bool = False
    direct: bool = False
    proactive: bool = False
    files_out: bool = False
    pictures: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where on a platform something is said.

    Attributes:
        workspace: the team, corporation or account that ids belong to.
        conversation: the channel, group or private conversation.
        thread: the thread in it; empty where there are none.
        group: whether others than one person and the bot read along.
        reply: what the channel needs to answer just this event (a stream, a callback address); not part of where it is.
    """

    platform: str
    workspace: str
    conversation: str
    thread: str = ""
    group: bool = False
    reply: str = ""

    @property
    def key(self) -> str:
        """The place as a digest: the same for everything said there."""
        facts = "\n".join((self.platform, self.workspace, self.conversation, self.thread))
        return hashlib.sha256(facts.encode("utf-8", "surrogatepass")).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """To be stored; `reply` is worth nothing by then and is left out."""
        return asdict(replace(self, reply=""))


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file that a person sent: `ref` is what the channel needs to fetch it. `size` is what the platform says, 0 for unknown."""

    ref: str
    name: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Incoming:
    """Something a person did on a platform.

    Attributes:
        event_id: the same for every repetition of the event, and for nothing else in the workspace.
        person, name: the platform's id of the person; their name as it is shown.
        text: what they said, without the mention of the bot; for a pressed choice its label.
        approval_id, decision: for a pressed button of an approval's card.
        language: of the person on the platform, as a tag such as `ja-JP`; empty for unknown.
        ephemeral: they answer something only they saw, so the answer is for them alone too.
    """

    event_id: str
    place: Place
    person: str
    text: str = ""
    name: str = ""
    files: tuple[FileRef, ...] = ()
    approval_id: str = ""
    decision: Literal["", "approve", "reject"] = ""
    language: str = ""
    ephemeral: bool = False

    def as_json(self) -> dict[str, Any]:
        """To be stored."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Incoming:
        """What `as_json` made."""
        files = tuple(FileRef(**item) for item in data.get("files") or ())
        return Incoming(**{**data, "place": Place(**data["place"]), "files": files})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message of the hub.

    Attributes:
        text: Markdown of the usual kind (bold, code, lists, links, quotes; tables where the channel draws them), or plain text.
        choices: answers to offer as buttons; pressing one says its label.
        only_for: the person who alone shall see it, in a group; empty for everybody there.
        final: whether it stays as it is; else an `update` with more follows.
    """

    text: str
    language: str = "en"
    choices: tuple[str, ...] = ()
    only_for: str = ""
    final: bool = True


@dataclass(frozen=True, slots=True)
class ApprovalCard:
    """An act that waits for a person, as a card.

    Attributes:
        title: the act, in one line, plain text.
        lines: each change and what follows from it, plain text.
        status: pending | approved (it runs) | executed | failed | rejected | expired | withdrawn. Only a pending one has buttons.
        state: the status in words.
        confirm: what to ask once more before approving.
        how: how to answer it without buttons, with the code.
        url: where it can be decided on the hub.
    """

    approval_id: str
    language: str
    effect: str
    title: str
    lines: tuple[str, ...]
    status: str
    state: str
    code: str
    how: str
    confirm: str
    approve: str
    reject: str
    cancel: str
    url: str
    person: str = ""
    workspace: str = ""

    @property
    def pending(self) -> bool:
        """Whether it can be answered."""
        return self.status == "pending"


class Channel(Protocol):
    """A chat platform. Every method may raise `ChannelError` (try again) or `Undeliverable` (never)."""

    @property
    def platform(self) -> str:
        """Its short name, as in settings and in the audit trail: `slack`, `wecom` ..."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can show."""

    def start(self) -> None:
        """Begin to listen, where the platform is not one that calls the hub. Called once, when the hub can answer."""

    def close(self) -> None:
        """Stop listening and free what was opened."""

    def send(self, place: Place, message: Outgoing) -> str:
        """Say something; returns what `update` needs (empty where it cannot be changed)."""

    def update(self, place: Place, message_id: str, message: Outgoing) -> str:
        """Replace a message; returns what the next `update` needs. Only with `capabilities.update`."""

    def ask_approval(self, place: Place, card: ApprovalCard) -> str:
        """Show a card; returns what `update_approval` needs (empty where it cannot be changed)."""

    def update_approval(self, place: Place, message_id: str, card: ApprovalCard) -> str:
        """Show how it stands now in the card that is there; returns what the next update needs."""

    def direct(self, workspace: str, person: str) -> Place:
        """The private conversation with a person. Only with `capabilities.direct`."""

    def send_file(self, place: Place, filename: str, content: bytes, comment: str) -> None:
        """Send a file. Only with `capabilities.files_out`, or a picture (`.png`) with `capabilities.pictures`."""

    def fetch_file(self, file: FileRef) -> Iterator[bytes]:
        """The bytes of a file that a person sent, as they come."""


@runtime_checkable
class KnowsNames(Protocol):
    """A channel whose events do not tell how people are called."""

    def name_of(self, person: str) -> tuple[str, str]:
        """How a person is called, and their language tag; the id and nothing where the platform does not tell."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What `hubtalk doctor` found of a channel; `problem` is empty when it is sound."""

    subject: str
    problem: str = ""


@dataclass(slots=True)
class Sent:
    """What was delivered of an answer: how many parts, and the message that the last one is."""

    parts: int = 0
    last: str = ""
    extra: dict[str, str] = field(default_factory=dict)

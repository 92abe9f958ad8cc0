"""Where the terminal's conversation runs: in this process on this machine's hub, or over HTTP on a hub elsewhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import httpx
import sqlalchemy as sa

from agent.schema import Answer, Event
from hub_core.accounts.tables import User
from hub_core.authz import Actor, CredentialKind, Scope
from hub_core.errors import HubError, Unauthenticated, Unavailable, UserNotFound
from hub_core.services import Services, open_services
from hub_core.settings import Settings

Emit = Callable[[Event], None]
Decision = Literal["approve", "reject"]


class Connection(Protocol):
    """A conversation partner."""

    def say(self, message: str, thread_id: str | None, attachments: list[str], mode: Literal["act", "plan"], emit: Emit) -> Answer:
        """One turn; events arrive while it runs."""

    def decide(self, thread_id: str, approval_id: str, decision: Decision, emit: Emit) -> Answer:
        """Settle an approval."""

    def attach(self, path: Path) -> str:
        """Hand over a file; returns its attachment id."""


@contextmanager
def connect(settings: Settings, url: str, username: str) -> Iterator[Connection]:
    """A connection to the hub at `url`, or in this process when no address is given."""
    if url:
        with httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {settings.token}"}, timeout=httpx.Timeout(300, connect=10)
        ) as client:
            yield HttpConnection(client)
        return
    from agent.agent import open_agent
    from hub_core.startup import prepare

    with ExitStack() as stack:
        services = stack.enter_context(open_services(settings))
        prepare(services, serving=False)
        agent = stack.enter_context(open_agent(services))
        yield LocalConnection(services, agent, local_actor(services, username))


def local_actor(services: Services, username: str) -> Actor:
    """The person `username` as actor on this machine's hub.

    Raises:
        UserNotFound: no such active user.
    """
    with services.db.read() as session:
        row = session.scalar(sa.select(User).where(User.username == username, User.status == "active"))
    if row is None:
        raise UserNotFound(f"There is no active user '{username}'.", hint="hubtalk user list shows them.")
    return Actor(row.id, row.username, row.is_admin, CredentialKind.SESSION, Scope.ADMIN, channel="cli")


class LocalConnection:
    """The agent in this process."""

    def __init__(self, services: Services, agent: Any, actor: Actor) -> None:
        self._services = services
        self._agent = agent
        self._actor = actor

    def say(self, message: str, thread_id: str | None, attachments: list[str], mode: Literal["act", "plan"], emit: Emit) -> Answer:
        """One turn; Ctrl-C stops it after the step that runs."""
        cancel = threading.Event()
        try:
            answer: Answer = self._agent.turn(self._actor, thread_id, message, attachments=attachments, mode=mode, emit=emit, cancel=cancel)
        except KeyboardInterrupt:
            cancel.set()
            raise
        return answer

    def decide(self, thread_id: str, approval_id: str, decision: Decision, emit: Emit) -> Answer:
        """Settle an approval."""
        answer: Answer = self._agent.decide(self._actor, thread_id, approval_id, decision, emit=emit)
        return answer

    def attach(self, path: Path) -> str:
        """Store the file as an attachment."""
        with path.open("rb") as file:
            return self._services.conversations.store_attachment(self._actor, path.name, iter(lambda: file.read(1 << 20), b"")).id


class HttpConnection:
    """The chat API of a hub elsewhere, with server-sent events."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def say(self, message: str, thread_id: str | None, attachments: list[str], mode: Literal["act", "plan"], emit: Emit) -> Answer:
        """One turn."""
        body = {"message": message, "thread_id": thread_id, "attachments": attachments, "mode": mode}
        return self._stream("/api/v1/chat", {key: value for key, value in body.items() if value}, emit)

    def decide(self, thread_id: str, approval_id: str, decision: Decision, emit: Emit) -> Answer:
        """Settle an approval."""
        return self._stream(f"/api/v1/chat/{thread_id}/approvals/{approval_id}", {"decision": decision}, emit)

    def attach(self, path: Path) -> str:
        """Upload the file."""
        with path.open("rb") as file:
            response = self._client.post("/api/v1/chat/attachments", files={"file": (path.name, file)})
        if response.is_error:
            raise _error(response.status_code, response.content)
        return str(response.json()["attachment_id"])

    def _stream(self, path: str, body: dict[str, Any], emit: Emit) -> Answer:
        try:
            with self._client.stream("POST", path, json=body, headers={"Accept": "text/event-stream"}) as response:
                if response.is_error:
                    raise _error(response.status_code, response.read())
                for kind, data in _events(response.iter_lines()):
                    emit(Event(kind, data))
                    if kind == "done":
                        return Answer.model_validate(data)
        except httpx.HTTPError as error:
            raise Unavailable(f"The hub does not answer: {error}.", hint="Check the address, and that the hub runs.") from error
        raise Unavailable("The hub ended the answer early.", hint="Try again.")


def _events(lines: Iterator[str]) -> Iterator[tuple[Any, dict[str, Any]]]:
    kind, data = "", ""
    for line in lines:
        if line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            data += line[5:].strip()
        elif not line and kind:
            yield kind, json.loads(data or "{}")
            kind, data = "", ""


def _error(status: int, content: bytes) -> HubError:
    try:
        error = json.loads(content)["error"]
        message, hint = str(error["message"]), str(error.get("hint", ""))
    except (ValueError, KeyError, TypeError):
        message, hint = f"The hub answered with status {status}.", ""
    family = Unauthenticated if status == 401 else HubError
    return family(message, hint=hint)

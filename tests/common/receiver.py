"""A real receiver of webhooks on a loopback port, made of huggingface_hub's own parts: its payload class and its check of the secret."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fastapi import FastAPI, Request, Response
from huggingface_hub import WebhookPayload, _webhooks_server

from tests.common.live import serve

SECRET = "a shared secret of the receiver"


@dataclass
class Receiver:
    """What came in. `answer` is the status it answers with."""

    url: str = ""
    answer: int = 200
    payloads: list[WebhookPayload] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    elsewhere: int = 0

    def shapes(self) -> list[tuple[str, str]]:
        return [(payload.event.action, payload.event.scope) for payload in self.payloads]

    def is_signed(self, index: int = -1) -> bool:
        wanted = "sha256=" + hmac.new(SECRET.encode(), self.bodies[index], hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted, self.headers[index].get("x-hub-signature-256", ""))


@contextmanager
def run_receiver(*, checks_secret: bool = False) -> Iterator[Receiver]:
    """Serve a receiver; `/hook` takes payloads, `/moved` redirects, `/elsewhere` counts who followed."""
    receiver, app = Receiver(), FastAPI()
    _webhooks_server._load_fastapi()

    async def hook(payload: WebhookPayload, request: Request) -> Response:
        receiver.payloads.append(payload)
        receiver.bodies.append(await request.body())
        receiver.headers.append(dict(request.headers))
        return Response(status_code=receiver.answer)

    def moved() -> Response:
        return Response(status_code=307, headers={"location": "/elsewhere"})

    def elsewhere() -> Response:
        receiver.elsewhere += 1
        return Response()

    protected = _webhooks_server._wrap_webhook_to_check_secret(hook, webhook_secret=SECRET) if checks_secret else hook
    # The annotations are texts here, so FastAPI has to be told what they mean.
    protected.__annotations__ |= {"payload": WebhookPayload, "request": Request, "return": Response}
    app.add_api_route("/hook", protected, methods=["POST"], response_model=None)
    app.add_api_route("/moved", moved, methods=["POST"])
    app.add_api_route("/elsewhere", elsewhere, methods=["POST", "GET"])
    with serve(app) as url:
        receiver.url = url
        yield receiver

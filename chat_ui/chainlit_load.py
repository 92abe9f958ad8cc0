"""Imports Chainlit and wires it. Slow (seconds, 100 MB): done once, in a thread, after the port is open."""

from __future__ import annotations

import importlib.util
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from chat_ui.chainlit_home import prepare_home, upload_limit_mb
from hub_core.authz import Actor
from hub_core.services import Services
from hub_core.settings import chat_page_environment

if TYPE_CHECKING:
    from agent.agent import Agent

PATH = "/chat"
_FOREIGN_LINK = re.compile(r"<link\b[^>]*https?://[^>]*>\s*")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Chainlit, ready to serve."""

    app: ASGIApp
    html: str
    _sign: Callable[[Any], str]
    _user: Callable[..., Any]

    def sign(self, actor: Actor) -> str:
        """Chainlit's own credential for a person, for one request."""
        return self._sign(self._user(identifier=actor.username))


async def _gone(_request: Request, _error: Exception) -> Response:
    """A page whose session ended, with the process for example, asks for something: its socket opens a new one by itself."""
    return JSONResponse({"detail": "This page's session has ended; reload it."}, 409)


def load_chainlit(services: Services, agent: Callable[[], Agent]) -> Loaded:
    """Prepare Chainlit's folder and environment, import it, register our callbacks. Once per process."""
    spec = importlib.util.find_spec("chainlit")
    if spec is None or spec.origin is None:
        raise RuntimeError("chainlit is not installed")
    home = prepare_home(services.settings, Path(spec.origin).parent / "translations")
    chat_page_environment(home, secrets.token_hex(32))

    import chainlit
    from chainlit.auth import create_jwt
    from chainlit.config import config
    from chainlit.server import app, get_html_template

    from chat_ui.page import ChatPage
    from chat_ui.uploads import upload_route

    setattr(config.ui, "default_theme", "system")  # noqa: B010 - the front end knows it, the declared type does not
    ChatPage(services, agent).register()
    app.add_exception_handler(ValueError, _gone)
    app.router.routes.insert(0, Route("/project/file", upload_route(upload_limit_mb(services.settings)), methods=["POST"]))
    html = _FOREIGN_LINK.sub("", get_html_template(PATH))  # type: ignore[no-untyped-call]
    return Loaded(app, html, create_jwt, chainlit.User)

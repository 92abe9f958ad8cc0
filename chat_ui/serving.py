"""`hubtalk serve`: one uvicorn process with the whole hub."""

from __future__ import annotations

import uvicorn

from chat_ui.server import create_app
from hub_core.http.connections import BoundedHttpProtocol
from hub_core.logging import configure_logging
from hub_core.settings import Settings


def run_server(settings: Settings) -> None:
    """Serve until interrupted; the address and, at first start, the administrator's password are printed by the application's start."""
    configure_logging(settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        http=BoundedHttpProtocol,
        proxy_headers=bool(settings.public_url),
    )

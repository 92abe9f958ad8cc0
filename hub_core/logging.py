"""Logging: one line per event, JSON for machines and colours at a terminal, without secrets, with the request's id.

All of Python's logging goes through it, also that of libraries; modules say `log = logging.getLogger(__name__)` as usual.
"""

from __future__ import annotations

import io
import logging
import sys
from typing import Any, TextIO

import structlog
from structlog.types import EventDict, Processor

from hub_core.secrecy import HIDDEN, SECRETS_IN_TEXT, redact

# Names under which libraries hand around credentials; those of the hub's own results are in `hub_core.secrecy`.
_SECRET_NAMES = frozenset({"password", "token", "secret", "authorization", "cookie", "set-cookie", "api_key", "secret_key", "access_key"})
# They tell every request or connection at INFO; the access log says it once.
_QUIET = (
    "uvicorn.access",
    "httpx",
    "httpx2",
    "httpcore",
    "botocore",
    "boto3",
    "urllib3",
    "asyncio",
    "socketio",
    "engineio",
    "chainlit",
    "alembic",
    "mcp",
)


def configure_logging(level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logging to `stream` (standard error): readable lines at a terminal, JSON otherwise. May be called again."""
    stream = stream or sys.stderr
    pretty = stream.isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = (
        [hide_secrets, structlog.dev.ConsoleRenderer(exception_formatter=_traceback)]
        if pretty
        else [structlog.processors.format_exc_info, hide_secrets, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)


def hide_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Processor: replace secrets, by the names they are logged under and by what they look like."""
    event.pop("color_message", None)  # uvicorn says everything twice
    return {key: HIDDEN if key.lower() in _SECRET_NAMES else _in_text(value) for key, value in redact(dict(event)).items()}


def _traceback(stream: TextIO, error: structlog.typing.ExcInfo) -> None:
    """A traceback for a terminal. It is worded after `hide_secrets`, so it hides them itself."""
    text = io.StringIO()
    structlog.dev.plain_traceback(text, error)
    stream.write(str(_in_text(text.getvalue())))


def _in_text(value: Any) -> Any:
    if isinstance(value, str):
        return SECRETS_IN_TEXT.sub(HIDDEN, value)
    if isinstance(value, dict):
        return {key: HIDDEN if str(key).lower() in _SECRET_NAMES else _in_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_in_text(item) for item in value]
    return value

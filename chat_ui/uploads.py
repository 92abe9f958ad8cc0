"""Files dropped on the page. Chainlit's own route reads each into memory whole; here they go to disk as they arrive."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO

from chainlit.session import WebsocketSession
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chat_ui.signed_in import caller


def upload_route(limit_mb: int) -> Callable[[Request], Awaitable[Response]]:
    """The route that takes one file for the page's own session and answers with its id."""

    async def upload(request: Request) -> Response:
        actor, session = caller.get(), WebsocketSession.get_by_id(request.query_params.get("session_id", ""))
        if actor is None or session is None or session.user is None or session.user.identifier != actor.username:
            return JSONResponse({"detail": "Session not found"}, 404)
        announced = request.headers.get("content-length", "")
        if not announced.isdigit() or int(announced) > (limit_mb + 1) * 2**20:
            return JSONResponse({"detail": f"A file has at most {limit_mb} MiB."}, 413)
        async with request.form(max_files=1) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile) or not file.filename:
                return JSONResponse({"detail": "No file was sent."}, 400)
            return JSONResponse({"id": await run_in_threadpool(_keep, session, file.file, file.filename, file.content_type)})

    return upload


def _keep(session: Any, source: BinaryIO, name: str, mime: str | None) -> str:
    """Put the bytes into the folder of the page's session, which goes with the session."""
    file_id = str(uuid.uuid4())
    folder = Path(session.files_dir)
    folder.mkdir(exist_ok=True)
    path = folder / file_id
    with path.open("wb") as target:
        shutil.copyfileobj(source, target, 1024 * 1024)
    session.files[file_id] = {
        "id": file_id,
        "path": path,
        "name": name,
        "type": mime or "application/octet-stream",
        "size": path.stat().st_size,
    }
    return file_id

"""Static Spaces: the files of the repo as they are, as pages that run with nothing of the visitor's."""

from __future__ import annotations

import mimetypes
from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hub_core.errors import EntryNotFound, HubError
from hub_core.http.bodies import MIB, blob_response
from hub_core.http.spaces.headers import always
from hub_core.http.spaces.shim import BEFORE_PAGE, is_page, takes_shim
from hub_core.repos.browse import BrowseService
from hub_core.repos.tables import Repo

_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".md": "text/markdown",
    ".json": "application/json",
}


def static_page(browse: BrowseService, request: Request, repo: Repo, path: str, first: str, prefix: str) -> Response:
    """A file of the newest commit.

    Args:
        path: what is asked for, decoded, without a slash at the beginning; a folder means the page in it.
        first: the page that is shown first.
        prefix: the path of the hub that the Space is at.

    Raises:
        EntryNotFound: there is no such file.
    """
    wanted = path or first
    if wanted.endswith("/"):
        wanted += "index.html"
    try:
        file = browse.file(repo.id, "", wanted, read=MIB)
    except EntryNotFound:
        if not path or path.endswith("/") or not _is_there(browse, repo, f"{path}/index.html"):
            raise
        return RedirectResponse(f"{prefix}/{path}/", 302, always(request.headers.get("origin", "")))
    suffix = "." + wanted.rpartition(".")[2].lower()
    kind = _TYPES.get(suffix) or mimetypes.guess_type(wanted)[0] or "application/octet-stream"
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") or kind.endswith(("json", "javascript")) else kind
    headers = {**always(request.headers.get("origin", "")), "etag": f'"{file.etag}"', "cache-control": "private, no-cache"}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    if file.data is not None and "range" not in request.headers:
        shim = is_page(request.method, request.headers) and takes_shim(200, {"content-type": kind})
        return Response(BEFORE_PAGE + file.data if shim else file.data, headers={**headers, "accept-ranges": "bytes"}, media_type=kind)
    read = partial(browse.chunks, repo.id, file)
    return blob_response(request, file.size, read, path=file.path, headers=headers, media_type=kind)


def _is_there(browse: BrowseService, repo: Repo, path: str) -> bool:
    try:
        browse.file(repo.id, "", path)
    except HubError:
        return False
    return True

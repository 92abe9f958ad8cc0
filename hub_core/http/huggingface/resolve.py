"""Downloads: `resolve` gives a file's bytes, `raw` what Git has (of an LFS file its pointer)."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.responses import Response

from hub_core.authz import Permission
from hub_core.errors import EntryNotFound
from hub_core.http.bodies import MIB, blob_response
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.repos.access import permission_for
from hub_core.repos.browse import BrowseService, StoredFile
from hub_core.repos.downloads import DownloadCounter
from hub_core.repos.kinds import KINDS
from hub_core.repos.tables import Repo
from hub_core.services import Services
from hub_core.xet.reconstruct import Reconstruction

# What people upload never runs in the name of the hub, should a browser open it.
_SAFE = {"Content-Security-Policy": "default-src 'none'; sandbox", "Cross-Origin-Resource-Policy": "same-origin"}
_EXPOSED = "X-Repo-Commit, X-Linked-Size, X-Linked-Etag, ETag, Content-Length, Content-Range, Accept-Ranges, Link, X-Xet-Hash"


def add_resolve_routes(router: APIRouter, services: Services) -> None:
    """`[/{kind}]/{id}/resolve/{rev}/{path}` and `.../raw/...`; models have no prefix (`/models` is an alias)."""
    acts = _Resolve(BrowseService(services.git, services.lfs), services.downloads, services.xet.files)
    for word, act in (("resolve", acts.resolve), ("raw", acts.raw)):
        tail = f"/{{namespace}}/{{name}}/{word}/{{revision}}/{{path:path}}"
        add_route(router, services, "GET HEAD", "/{kind:repokind}" + tail, act)
        add_route(router, services, "GET HEAD", tail, act)


class _Resolve:
    def __init__(self, browse: BrowseService, downloads: DownloadCounter, chunked: Reconstruction) -> None:
        self._browse = browse
        self._downloads = downloads
        self._chunked = chunked

    def resolve(self, call: Call) -> Response:
        """The bytes of a file, or where they are."""
        repo = self._repo(call)
        file = self._file(call, repo, pointer=False)
        answer = self._redirect(file) if file.url else self._answer(call, repo, file)
        answer.headers.update(self._xet_headers(call, repo, file))
        if call.request.method == "GET" and answer.status_code in {200, 302} and "range" not in call.request.headers:
            self._count(call, repo, answer)
        return answer

    def raw(self, call: Call) -> Response:
        """What Git has under a path."""
        repo = self._repo(call)
        return self._answer(call, repo, self._file(call, repo, pointer=True))

    def _repo(self, call: Call) -> Repo:
        repo = call.repo()
        needed = permission_for(repo, call.param("path"), call.revision)
        return call.repo(needed) if needed is not Permission.REPO_READ else repo

    def _file(self, call: Call, repo: Repo, *, pointer: bool) -> StoredFile:
        read = MIB if call.request.method == "GET" else 0
        try:
            return self._browse.file(repo.id, call.revision, call.param("path"), read=read, pointer=pointer)
        except EntryNotFound as error:
            # Clients remember that the file is not there, at this commit.
            error.details["headers"] = {"X-Repo-Commit": error.details["commit"]}
            raise

    def _xet_headers(self, call: Call, repo: Repo, file: StoredFile) -> dict[str, str]:
        """Where clients that know Xet ask for the chunks of a file that is kept so; others read on."""
        hash_ = self._chunked.hashes(repo.id, [file.etag]).get(file.etag) if file.entry.lfs and not file.path else None
        if hash_ is None:
            return {}
        route = call.url(f"/api/{KINDS[call.kind].plural}/{repo.full_name}/xet-read-token/{file.commit}")
        return {"X-Xet-Hash": hash_, "X-Xet-Refresh-Route": route, "Link": f'<{route}>; rel="xet-auth"'}

    def _redirect(self, file: StoredFile) -> Response:
        return Response(status_code=302, headers={**_headers(file), "Location": file.url or "", "Cache-Control": "no-store"})

    def _answer(self, call: Call, repo: Repo, file: StoredFile) -> Response:
        headers = {**_headers(file), **_SAFE, "Content-Disposition": _disposition(file.entry.name)}
        if file.data is not None and "range" not in call.request.headers:
            return Response(file.data, headers={**headers, "Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff"}, media_type=_TYPE)
        read = partial(self._browse.chunks, repo.id, file)
        return blob_response(call.request, file.size, read, path=file.path, headers=headers, media_type=_TYPE)

    def _count(self, call: Call, repo: Repo, answer: Response) -> None:
        client = call.request.client
        sender = str(call.actor.user_id or (client.host if client else ""))
        if self._downloads.is_new(repo.id, sender):
            answer.background = BackgroundTask(self._downloads.count, repo.id)


_TYPE = "application/octet-stream"


def _headers(file: StoredFile) -> dict[str, str]:
    found = {"X-Repo-Commit": file.commit, "ETag": f'"{file.etag}"', "Access-Control-Expose-Headers": _EXPOSED}
    if file.entry.lfs:
        found |= {"X-Linked-Size": str(file.size), "X-Linked-Etag": f'"{file.etag}"'}
    return found


def _disposition(name: str) -> str:
    plain = "".join(char if char.isascii() and char.isprintable() and char not in '"\\' else "_" for char in name)
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}; filename=\"{plain}\";"

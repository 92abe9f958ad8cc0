"""The `multipart` transfer of LFS, as the Hugging Face client speaks it: an address for each part, and one to complete.

The upload action's `header` holds `chunk_size` and the addresses under the numbers of their parts; `href` completes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from hub_core.authz import Actor
from hub_core.errors import HashMismatch, InvalidInput
from hub_core.http.bodies import chunks_of, drain
from hub_core.http.lfs_access import LfsAccess
from hub_core.http.threads import in_thread
from hub_core.lfs.parts import PartedUpload, PartsService
from hub_core.lfs.pointer import LfsPointer
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.signing import UrlSigner

_EXPIRES_S = 24 * 3600


def takes_parts(transfers: object) -> bool:
    """Whether a client wants parts: one that lists `multipart`, other than git-lfs, which sends files whole by itself."""
    return isinstance(transfers, list) and "multipart" in transfers and "lfs-standalone-file" not in transfers


class LfsParts:
    """Hands out addresses of parts, takes the parts, completes."""

    def __init__(self, parts: PartsService, access: LfsAccess, signer: UrlSigner) -> None:
        self._parts = parts
        self._access = access
        self._signer = signer

    def action(self, root: str, repo: Repo, actor: Actor, pointer: LfsPointer, *, even_one: bool = False) -> dict[str, Any] | None:
        """The upload action of an object; None for one that is small enough to go in one piece, unless `even_one`."""
        upload = self._parts.plan(repo.id, actor.user_id, pointer)
        if upload.count == 1 and not even_one:
            return None
        # Workers go on with an upload by its addresses, which those of the store, new each time, do not allow.
        upload = upload if even_one else self._parts.begin(upload)
        header = {
            str(number): self._parts.address(upload, number, expires_s=_EXPIRES_S)
            or self._address(root, upload, "part", f"/parts/{number}", number)
            for number in range(1, upload.count + 1)
        }
        complete = self._address(root, upload, "complete", "/complete", upload.direct) + f"&direct={quote(upload.direct)}"
        return {"href": complete, "header": {"chunk_size": str(upload.part_bytes), **header}, "expires_in": _EXPIRES_S}

    def _address(self, root: str, upload: PartedUpload, purpose: str, path: str, *more: object) -> str:
        facts = (upload.repo_id, upload.oid, upload.size, upload.part_bytes, *more)
        query = self._signer.query(purpose, *facts, user_id=upload.user_id, seconds=_EXPIRES_S)
        # csghub-sdk goes on with an upload by the `uploadId` of its addresses.
        return f"{root}/{upload.oid}{path}?{query}&size={upload.size}&part={upload.part_bytes}&uploadId={upload.oid}"

    async def _upload(self, request: Request, actor: Actor, kind: RepoKind, purpose: str, *more: object) -> PartedUpload:
        oid, size, part = request.path_params["oid"], request.query_params.get("size", ""), request.query_params.get("part", "")
        repo, user_id = await self._access.signed(request, actor, kind, purpose, oid, size, part, *more)
        return PartedUpload(repo.id, user_id, oid, int(size), int(part))

    async def put(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        """`PUT objects/{oid}/parts/{number}`; sending a part again replaces it."""
        number = request.path_params["number"]
        upload = await self._upload(request, actor, kind, "part", number)
        part = await in_thread(self._parts.receive, upload, int(number))
        try:
            async for chunk in chunks_of(request):
                await in_thread(part.write, chunk)
            tag = await in_thread(part.finish)
        except HashMismatch:
            await drain(request)
            raise
        finally:
            part.abort()
        return Response(status_code=200, headers={"ETag": f'"{tag}"'})

    async def complete(self, request: Request, actor: Actor, kind: RepoKind, content: dict[str, Any]) -> Response:
        """`POST objects/{oid}/complete`."""
        direct = request.query_params.get("direct", "")
        upload = replace(await self._upload(request, actor, kind, "complete", direct), direct=direct)
        if content.get("oid", upload.oid) != upload.oid:
            raise InvalidInput("The address belongs to another object.")
        await in_thread(self._parts.complete, upload, _tags(content.get("parts")))
        return Response(status_code=200)


def _tags(parts: object) -> list[tuple[int, str]]:
    """Number and tag of each part, quotes left as they are."""
    if not isinstance(parts, list) or not all(isinstance(part, dict) and isinstance(part.get("partNumber"), int) for part in parts):
        raise InvalidInput("'parts' is a list of {partNumber, etag}.")
    return [(part["partNumber"], str(part.get("etag", ""))) for part in parts]

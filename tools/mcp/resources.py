"""Resources: cards, files, folders and the first rows of datasets, each under its address. What may not be seen is not there."""

from __future__ import annotations

import base64
import mimetypes
from urllib.parse import unquote, urlsplit

from mcp import types
from pydantic import AnyUrl

from hub_core.authz import Permission
from hub_core.errors import InvalidInput, TooLarge
from hub_core.http.errors import json_response
from hub_core.repos.kinds import RepoKind
from hub_core.repos.search import RepoQuery
from tools import invoke
from tools.mcp.connection import Connection

SCHEME = "hub"
ROWS = "rows"
CARD = "README.md"
PAGE = 50
MAX_BYTES = 1024 * 1024
_KINDS = frozenset(map(str, RepoKind))
MARKDOWN, JSON = "text/markdown", "application/json"

_TEMPLATES = (
    ("card", "{kind}/{namespace}/{name}", "The card (README) of a repo. Kinds: " + ", ".join(RepoKind) + ".", MARKDOWN),
    ("file", "{kind}/{namespace}/{name}/{revision}/{+path}", "A file of a repo at a branch, Git tag or commit.", None),
    (
        "folder",
        "{kind}/{namespace}/{name}/{revision}/",
        "What lies in a repo at a revision; a folder of it with its path and a slash.",
        JSON,
    ),
    ("rows", ROWS + "/{namespace}/{name}", "The first rows of a dataset, with the types of its columns.", JSON),
)


def templates() -> types.ListResourceTemplatesResult:
    """How the addresses of resources are made."""
    made = [
        types.ResourceTemplate(name=name, uriTemplate=f"{SCHEME}://{path}", description=about, mimeType=mime)
        for name, path, about, mime in _TEMPLATES
    ]
    return types.ListResourceTemplatesResult(resourceTemplates=made)


def list_resources(connection: Connection, cursor: str | None) -> types.ListResourcesResult:
    """The cards of the repos that the caller sees, those changed last first, a page at a time."""
    page = connection.services.search.search(connection.actor, RepoQuery(limit=PAGE, cursor=cursor))
    made = [
        types.Resource(
            uri=AnyUrl(f"{SCHEME}://{view.kind}/{view.id}"),
            name=view.id,
            title=f"{view.id} ({view.kind})",
            description=view.description[:500] or None,
            mimeType=MARKDOWN,
        )
        for view in page.items
    ]
    return types.ListResourcesResult(resources=made, nextCursor=page.next)


def read_resource(connection: Connection, uri: AnyUrl) -> types.ReadResourceResult:
    """What is at an address.

    Raises:
        InvalidInput: no address of a resource. RepoNotFound, EntryNotFound, RevisionNotFound: nothing there that the caller may see.
        TooLarge: more than 1 MiB.
    """
    kind, namespace, name, revision, path = _parts(str(uri))
    repo = f"{namespace}/{name}"
    if kind == ROWS:
        return _json(uri, connection, "preview_dataset", {"repo": repo})
    if path is None:
        return _file(uri, connection, RepoKind(kind), repo, revision, CARD)
    if not path or path.endswith("/"):
        return _json(uri, connection, "list_files", {"repo": repo, "kind": kind, "revision": revision, "path": path.rstrip("/")})
    return _file(uri, connection, RepoKind(kind), repo, revision, path)


def _parts(uri: str) -> tuple[str, str, str, str, str | None]:
    """Kind, namespace, name, revision (empty: the default branch) and path (None: the card)."""
    address = urlsplit(uri)
    names = address.path.removeprefix("/").split("/", 3)
    known = address.netloc in _KINDS or (address.netloc == ROWS and len(names) == 2)
    if address.scheme != SCHEME or not known or len(names) not in (2, 4) or not all(names[:3]):
        raise InvalidInput("This is no address of a resource.", hint="resources/templates/list shows how they are made.")
    namespace, name, *inside = map(unquote, names)
    return (address.netloc, namespace, name, inside[0], inside[1]) if inside else (address.netloc, namespace, name, "", None)


def _file(uri: AnyUrl, connection: Connection, kind: RepoKind, repo: str, revision: str, path: str) -> types.ReadResourceResult:
    services, actor = connection.services, connection.actor
    row = services.repos.find(actor, repo, kind, permission=Permission.REPO_FILES)
    reader = services.files.reader(actor, row, path, revision)
    if reader.size > MAX_BYTES:
        raise TooLarge(
            f"'{path}' has {reader.size:,} bytes, and a resource at most {MAX_BYTES:,}.", hint="get_download_command tells how to get it."
        )
    data = reader.read(0, reader.size)
    mime = MARKDOWN if path.lower().endswith(".md") else mimetypes.guess_type(path)[0]
    text = _text(data)
    content: types.TextResourceContents | types.BlobResourceContents
    if text is None:
        content = types.BlobResourceContents(uri=uri, mimeType=mime or "application/octet-stream", blob=base64.b64encode(data).decode())
    else:
        content = types.TextResourceContents(uri=uri, mimeType=mime or "text/plain", text=text)
    return types.ReadResourceResult(contents=[content])


def _text(data: bytes) -> str | None:
    """The text of a file; None for a binary one."""
    try:
        return None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return None


def _json(uri: AnyUrl, connection: Connection, tool: str, arguments: dict[str, object]) -> types.ReadResourceResult:
    """The answer of a tool that reads."""
    done = invoke.call(connection.context, tool, arguments, gate=True)
    assert isinstance(done, invoke.Done)
    text = bytes(json_response(done.output.model_dump(mode="json")).body).decode()
    return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, mimeType=JSON, text=text)])

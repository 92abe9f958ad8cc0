"""The URL prefixes of repo kinds for Git and LFS, the methods of pages, and the address that clients use."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from hub_core.repos.kinds import PREFIX_TO_KIND, RepoKind
from hub_core.settings import Settings

GIT_PREFIXES: dict[str, RepoKind] = {"": RepoKind.MODEL, **PREFIX_TO_KIND, "mcpservers": RepoKind.MCP}
"""First path segment -> kind; without one it is a model. `mcpservers` is what csghub-sdk says."""

READ = ["GET", "HEAD"]
"""Methods of a page that is only read; the server sends no body to HEAD, and FastAPI does not add it by itself."""


APPROVALS = "/approvals/"
"""Addresses of acts that wait for a person."""

DEVICE_LOGIN = "/oauth/login"
"""Where a person signs a program in, in a browser."""


def repo_name(raw: str) -> str:
    """The repo's name in a Git URL, where `.git` at the end is optional."""
    return raw.removesuffix(".git")


def base_url(request: HTTPConnection, settings: Settings) -> str:
    """Scheme and host that this client uses, without a slash at the end; a configured public URL wins."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    return f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}"


def approval_address(base: str, approval_id: str) -> str:
    """Where a person decides on an act that waits, in a browser; `base` is as `base_url` gives it."""
    return f"{base}{APPROVALS}{approval_id}"

"""Which headers pass between visitors and apps of Spaces: the listed ones, and no others.

Towards the app nothing goes that says who the visitor is or stands for them: no cookie, no credential, nothing that a proxy before the hub
adds. Towards the browser nothing comes that reaches beyond the app's own page: no cookie for the hub's host, no orders to the browser
about the whole site, no redirect inside a proxy before the hub.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

# Without `allow-same-origin` a page has an origin of its own: no cookie, storage, service worker or page of the hub is within its reach.
SANDBOX = "allow-scripts allow-forms allow-popups allow-downloads allow-modals"
_ALWAYS = {
    "content-security-policy": f"sandbox {SANDBOX}",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "cross-origin",
    "x-robots-tag": "noindex",
}
_TO_APP = frozenset({
    "accept", "accept-encoding", "accept-language", "cache-control", "content-encoding", "content-language", "content-length", "content-type",
    "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-event-id", "pragma", "range", "user-agent",
    "x-requested-with",
})  # fmt: skip
_TO_VISITOR = frozenset({
    "accept-ranges", "cache-control", "content-disposition", "content-encoding", "content-language", "content-length", "content-range",
    "content-type", "etag", "expires", "last-modified", "pragma", "retry-after",
})  # fmt: skip
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


def to_app(given: Mapping[str, str], *, host: str, scheme: str, prefix: str) -> dict[str, str]:
    """The headers of a request as the app gets them.

    Args:
        host, scheme: what the visitor used.
        prefix: the path that the app is at, without a slash at the end.
    """
    kept = {name: value for name, value in given.items() if name in _TO_APP}
    # Gradio makes its addresses from the last one; it would leave the prefix out if it were told the host in the usual header.
    told = {"host": host, "x-forwarded-proto": scheme, "x-forwarded-prefix": prefix, "x-gradio-server": f"{scheme}://{host}{prefix}"}
    return kept | told


def to_visitor(given: Iterable[tuple[str, str]], *, origin: str, own: str, prefix: str) -> dict[str, str]:
    """The headers of an app's answer as the visitor gets them.

    Args:
        origin: the request's `Origin`.
        own: host and port that the app believes to be at.
        prefix: the path that it is at.
    """
    kept = {}
    for name, value in given:
        lower = name.lower()
        if lower in _TO_VISITOR:
            kept[lower] = value
        elif lower == "location":
            kept[lower] = location(value, own=own, prefix=prefix)
    return kept | always(origin)


def always(origin: str) -> dict[str, str]:
    """What every answer below an app's address says. Its own pages come from no origin at all, and may read what they ask for."""
    shared = {"access-control-allow-origin": "null", "access-control-allow-credentials": "true", "vary": "Origin"}
    return _ALWAYS | (
        shared | {"access-control-expose-headers": ", ".join(sorted(_TO_VISITOR))} if origin == "null" else {"vary": "Origin"}
    )


def preflight(asked: str) -> dict[str, str]:
    """What a page is told that asks first whether it may."""
    wanted = ", ".join(name.strip() for name in asked.split(",") if name.strip().replace("-", "").isalnum())
    return {"access-control-allow-methods": _METHODS, "access-control-allow-headers": wanted, "access-control-max-age": "600"}


def location(value: str, *, own: str, prefix: str) -> str:
    """Where a redirect leads: within the app it stays below its prefix."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return f"{prefix}/"
    if parts.netloc and parts.netloc != own:
        return value
    if parts.netloc:
        value = parts._replace(scheme="", netloc="").geturl() or "/"
    return f"{prefix}{value}" if value.startswith("/") and not value.startswith(f"{prefix}/") else value

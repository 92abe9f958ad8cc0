"""Errors as `huggingface_hub` reads them: headers decide the exception that it raises, the body is text for people."""

from __future__ import annotations

from starlette.responses import Response

from hub_core.authz import Actor
from hub_core.errors import EntryNotFound, GatedRepo, GatedSignIn, HubError, RepoNotFound, RevisionNotFound, StaleBase
from hub_core.http.errors import json_response, status_headers, status_of

_CODES: tuple[tuple[type[HubError], str], ...] = (
    (RepoNotFound, "RepoNotFound"),
    (GatedRepo, "GatedRepo"),
    (GatedSignIn, "GatedRepo"),
    (RevisionNotFound, "RevisionNotFound"),
    (EntryNotFound, "EntryNotFound"),
)


def hf_error(error: HubError, actor: Actor | None) -> Response:
    """An error in this dialect. `details` named in `error.details["body"]` join the body, `["headers"]` the headers.

    `X-Error-Code` goes with every status, also 401: over plain HTTP the client does not guess.
    """
    status = 412 if isinstance(error, StaleBase) else status_of(error, invalid=400)
    if isinstance(error, RepoNotFound) and (actor is None or actor.is_anonymous):
        # The client reads both as RepositoryNotFoundError; 401 tells people who are not signed in what to do.
        status = 401
    text = f"{error.message} {error.hint}".strip()
    code = next((code for family, code in _CODES if isinstance(error, family)), error.code)
    headers = {**status_headers(status), "X-Error-Code": code, "X-Error-Message": _one_line(text), **error.details.get("headers", {})}
    return json_response({"error": text, **error.details.get("body", {})}, status, headers)


def _one_line(text: str) -> str:
    """A header value: one line of latin-1 without control characters, which a server would rather hang up than send."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(shown.split()).encode("latin-1", "replace").decode("latin-1")[:1000]

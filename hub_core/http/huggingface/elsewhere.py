"""Services of Hugging Face that this hub does not have: whoever asks for one hears so in a sentence, and what to do instead."""

from __future__ import annotations

from functools import partial
from typing import NoReturn

from fastapi import APIRouter

from hub_core.errors import InvalidInput
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.services import Services

_ANY = "GET POST PUT PATCH DELETE"
_JOBS = ("There are no jobs, sandboxes and schedules of Hugging Face on this hub.", "Run them where you have the hardware.")
_PAPERS = ("There are no papers on this hub.", "Ask the Hugging Face Hub for them.")
_BUCKETS = ("There are no buckets on this hub.", "A repo holds files of any size: hf repos create, hf upload.")
_SERVICES: tuple[tuple[str, str, tuple[str, str]], ...] = (
    (_ANY, "/api/buckets/{rest:path}", _BUCKETS),
    (_ANY, "/api/jobs/{rest:path}", _JOBS),
    (_ANY, "/api/scheduled-jobs/{rest:path}", _JOBS),
    (_ANY, "/api/papers/{rest:path}", _PAPERS),
    (_ANY, "/api/daily_papers", _PAPERS),
    (_ANY, "/api/kernels/{rest:path}", ("There are no kernel repos on this hub.", "Use a model repo.")),
    ("GET", "/api/spaces/semantic-search", ("Spaces are found by words here.", "hf spaces list --search WORD")),
    ("GET", "/api/spaces/templates", ("There are no templates of Spaces on this hub.", "Duplicate a Space: hf repos duplicate.")),
    ("GET", "/api/datasets/{namespace}/{name}/leaderboard", ("There are no leaderboards on this hub.", "Keep results in the card.")),
    ("POST", "/uploads", ("Pictures in discussions are not kept on this hub.", "Commit the file and link it.")),
)  # fmt: skip


def add_elsewhere_routes(router: APIRouter, services: Services) -> None:
    """The addresses of such services; serve them after all that are here, so that nobody waits for them to be compared."""
    for methods, path, (message, hint) in _SERVICES:
        add_route(router, services, methods, path, partial(_refuse, message, hint))


def _refuse(message: str, hint: str, _call: Call) -> NoReturn:
    """A service of Hugging Face that is not here.

    Raises:
        InvalidInput: always. 400, which clients show at once; a 404 they would take for a missing repo.
    """
    raise InvalidInput(message, hint=hint)

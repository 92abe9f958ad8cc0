"""The clients' dialects in the OpenAPI document: one group each, an operation for every address, with what it is for.

Their bodies are theirs to define (`docs/clients.md` says what works), so an operation here names path, method and purpose.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter
from starlette.routing import Route

GIT, LFS, HUGGING_FACE, CSGHUB, OPENAI = "Git", "Git LFS", "Hugging Face Hub", "CSGHub", "OpenAI"
ABOUT = {
    GIT: "Git over HTTP; every kind of repo under its own prefix (`/datasets/...`), models also without one.",
    LFS: "Git LFS: batch, transfers in parts, locks; under the same prefixes.",
    HUGGING_FACE: "What `huggingface_hub`, `datasets` and `transformers` speak; the same under `/hf`.",
    CSGHUB: "What `csghub-sdk` speaks; the same under `/csg`.",
    OPENAI: "What clients of OpenAI's API speak: one address for every model that is deployed here.",
}


# Docstrings of handlers begin with their address, and the body it takes, where the name alone would not tell.
_ADDRESS = re.compile(r"^`[A-Z|]+ [^`]*`(?:,? `[^`]*`)*(?:, | )?")


def purpose(act: object) -> str:
    """What a handler is for, in a line: its name, and the first sentence of its docstring."""
    act = getattr(act, "func", act)
    name = getattr(act, "__name__", "").strip("_").replace("_", " ").capitalize()
    said = " ".join((inspect.getdoc(act) or "").split("\n\n", 1)[0].split()).split(". ")[0].rstrip(".")
    address = _ADDRESS.match(said)
    if address is None:
        return said
    rest = said[address.end() :].lstrip(":;, ")
    return f"{name}: {rest}" if rest else name


def add_dialects(schema: dict[str, Any], routers: Iterable[APIRouter]) -> dict[str, Any]:
    """Add an operation for every route of these routers that has a summary, under the router's tag; returns the document."""
    paths = schema.setdefault("paths", {})
    for router in routers:
        for route in router.routes:
            if not isinstance(route, Route) or not getattr(route, "summary", None):
                continue
            for method in sorted((route.methods or set()) - {"HEAD"}):
                paths.setdefault(route.path_format, {}).setdefault(method.lower(), _operation(route, method, str(router.tags[0])))
    schema["tags"] = [*schema.get("tags", []), *({"name": name, "description": text} for name, text in ABOUT.items())]
    return schema


def _operation(route: Route, method: str, tag: str) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", route.path_format)
    slug = re.sub(r"\W+", "_", route.path_format).strip("_")
    return {
        "tags": [tag],
        "summary": getattr(route, "summary"),  # noqa: B009 - FastAPI's routes and our own have one
        "operationId": f"{method.lower()}_{slug}",
        "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names],
        "responses": {"200": {"description": "Done."}, "default": {"description": "An error, in this dialect."}},
        "security": [{"token": []}, {}],
        **getattr(route, "operation", {}),
    }

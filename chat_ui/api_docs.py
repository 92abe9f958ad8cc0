"""`/docs`: the API described on one page, drawn from the OpenAPI document. No script, nothing from another host."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from hub_core.http.paths import READ

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'"
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a202c;background:#fff}
@media(prefers-color-scheme:dark){body{color:#e2e8f0;background:#14181f}code,pre{background:#1f2530!important}details{border-color:#333c4a!important}}
h1 small{font-size:.9rem;font-weight:400;opacity:.7}h2{margin-top:2rem;font-size:1.1rem}details{border:1px solid #e2e8f0;border-radius:8px;padding:.5rem .8rem;margin:.4rem 0}
summary{cursor:pointer}summary b{display:inline-block;min-width:4.2rem;color:#2563c9}code,pre{font:13px ui-monospace,monospace;background:#f4f6fa;border-radius:4px;padding:.1rem .3rem}
pre{padding:.6rem;overflow:auto}td{padding:.15rem .8rem .15rem 0;vertical-align:top}
"""


def api_docs_router(document: Callable[[], dict[str, Any]]) -> APIRouter:
    """The page at `/docs`; `document` gives the OpenAPI document."""
    router = APIRouter(include_in_schema=False)
    pages: list[str] = []

    @router.api_route("/docs", methods=READ)
    def docs() -> HTMLResponse:
        if not pages:
            pages.append(render(document()))
        return HTMLResponse(pages[0], headers={"Content-Security-Policy": _POLICY})

    return router


def render(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    info = document["info"]
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for tag in operation.get("tags", ["other"]):
                by_tag.setdefault(tag, []).append("".join(_operation(document, method, path, operation)))
    about = {tag["name"]: f"<p>{_text(tag['description'])}</p>" for tag in document.get("tags", [])}
    body = "".join(f"<h2>{_text(tag)}</h2>{about.get(tag, '')}{''.join(parts)}" for tag, parts in by_tag.items())
    title = f"{_text(info['title'])} <small>{_text(info['version'])} · <a href='/openapi.json'>openapi.json</a></small>"
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{_text(info['title'])} API</title><style>{_STYLE}</style><h1>{title}</h1><p>{_text(info.get('description', ''))}</p>{body}</html>"
    )


def _operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<details><summary><b>{method.upper()}</b> <code>{_text(path)}</code> {_text(operation.get('summary', ''))}</summary>"
    yield f"<p>{_text(operation.get('description', ''))}</p>"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    rows = [(p["name"], p.get("in", ""), p.get("description", "")) for p in operation.get("parameters", [])]
    rows += list(_fields(document, body.get("schema", {})))
    if rows:
        cells = "".join(
            f"<tr><td><code>{_text(name)}</code></td><td>{_text(kind)}</td><td>{_text(about)}</td></tr>" for name, kind, about in rows
        )
        yield f"<table>{cells}</table>"
    if "example" in body:
        yield f"<pre>{_text(json.dumps(body['example'], indent=2, ensure_ascii=False))}</pre>"
    yield f"<p>Answers: {_text(', '.join(operation.get('responses', {})))}</p></details>"


def _fields(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    name = schema.get("$ref", "").rpartition("/")[2]
    model = document.get("components", {}).get("schemas", {}).get(name, schema)
    for field, spec in model.get("properties", {}).items():
        needed = "required" if field in model.get("required", []) else "optional"
        yield field, needed, str(spec.get("description", ""))


def _text(value: Any) -> str:
    return html.escape(str(value))

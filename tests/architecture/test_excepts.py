"""Broad excepts stand only where any failure of foreign code has to end, each with its reason."""

from __future__ import annotations

import ast

from tests.architecture.sources import Source, product

BROAD = {"Exception", "BaseException"}

# file -> why anything may be caught there. A handler that raises again (clean-up) needs no entry.
ALLOWED = {
    "chat_ui/background.py": "the edge of a thread: whoever asks for the part that failed to load gets the error",
    "hub_core/jobs/worker.py": "the edge of a worker's thread: a job of any kind may fail in any way, and the next one runs",
    "chat_ui/bridges/core.py": "the edge of a thread: an event that fails in any way is given up with a record, and the next one is worked on",
    "chat_ui/api.py": "the edge of a stream that has begun: no status can tell of a failure any more",
    "chat_ui/live_turn.py": "the edge of the page: a turn that failed is logged and told, the page goes on",
    "tools/mcp/server.py": "the edge of a request over MCP: the SDK would tell the client the text of whatever went wrong",
    "hub_core/http/middleware.py": "the edge of a request: what nobody foresaw is logged, and answered by its id alone",
    "evals/player.py": "the edge of a run: one broken conversation must not end the others",
}


def _is_broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in BROAD) for kind in kinds)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def broad_excepts(source: Source) -> list[int]:
    handlers = (node for node in source.nodes if isinstance(node, ast.ExceptHandler))
    return [handler.lineno for handler in handlers if _is_broad(handler) and not _raises_again(handler)]


def test_broad_excepts_are_listed_with_a_reason() -> None:
    wrong = [f"{source.path}:{line}" for source in product() if source.path not in ALLOWED for line in broad_excepts(source)]
    assert not wrong, f"catch what can really happen, or give the reason in {__name__}.ALLOWED: {wrong}"


def test_the_list_of_broad_excepts_is_short_and_true() -> None:
    used = {source.path for source in product() if broad_excepts(source)}
    assert set(ALLOWED) <= used, f"not needed any more: {set(ALLOWED) - used}"
    assert len(ALLOWED) <= 8

"""The library is synchronous; only the HTTP edges are asynchronous. Nothing is run and forgotten."""

from __future__ import annotations

import ast

from tests.architecture.sources import product

EDGES = ("hub_core/http/", "hub_core/ssh/", "tools/rest/", "tools/mcp/", "chat_ui/")
# LangChain's and LangGraph's own interfaces come in both colours.
ALSO: dict[str, str] = {"hub_core/clusters/local/box.py": "a program of its own that passes on connections, and can have no threads"}


def test_only_the_edges_are_asynchronous() -> None:
    wrong = [
        f"{source.path}:{node.lineno}"
        for source in product()
        if not source.path.startswith(EDGES) and source.path not in ALSO
        for node in source.nodes
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]
    assert not wrong


def test_no_task_is_started_and_forgotten() -> None:
    """The event loop holds tasks weakly: one that nobody keeps can vanish in the middle of its work."""
    wrong = [
        f"{source.path}:{node.lineno}"
        for source in product()
        for node in source.nodes
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr in {"create_task", "ensure_future"}
    ]
    assert not wrong

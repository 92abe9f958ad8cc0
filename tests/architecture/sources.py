"""The project's own files, read once and parsed once for all architecture tests."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("hub_core", "tools", "agent", "chat_ui", "prompts", "evals")
SINKS = ("tests", "docs", "benchmarks")
NOT_OURS = {".git", ".venv", "data", "build", "reports", "node_modules", "__pycache__", ".hypothesis", ".mypy_cache", ".ruff_cache"}


@dataclass(frozen=True)
class Source:
    """One Python file: its path inside the repository, its text, its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All nodes of the tree; walking it once serves all tests."""
        return tuple(ast.walk(self.tree))

    @property
    def package(self) -> str:
        return self.path.split("/", 1)[0]

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def imports(self) -> Iterator[tuple[str, int]]:
        """Every imported module with its line; relative imports are made absolute; also imports inside functions."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((name, node.lineno) for name in self._from(node))

    def _from(self, node: ast.ImportFrom) -> list[str]:
        base = node.module or ""
        if node.level:
            parents = self.module.split(".") if self.path.endswith("__init__.py") else self.module.split(".")[:-1]
            base = ".".join([*parents[: len(parents) - node.level + 1], *([node.module] if node.module else [])])
        # `from hub_core import http` imports a module too, so the longer name counts as well.
        return [base, *(f"{base}.{alias.name}" for alias in node.names)]


@cache
def tracked_files() -> tuple[str, ...]:
    """Paths of all files that are in the repository or would be added to it."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if listed.returncode == 0:
            return tuple(sorted(path for path in listed.stdout.split("\0") if path and (ROOT / path).is_file()))
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return tuple(sorted(path.as_posix() for path in found if not NOT_OURS.intersection(path.parts) and "egg-info" not in str(path)))


@cache
def sources() -> tuple[Source, ...]:
    """All Python files of the packages and of the sinks."""
    ours = (path for path in tracked_files() if path.endswith(".py") and path.split("/", 1)[0] in PACKAGES + SINKS)
    texts = ((path, (ROOT / path).read_text(encoding="utf-8")) for path in ours)
    return tuple(Source(path, text, ast.parse(text, path)) for path, text in texts)


def product() -> tuple[Source, ...]:
    """The files that are shipped."""
    return tuple(source for source in sources() if source.package in PACKAGES)

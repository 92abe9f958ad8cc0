"""`hub_core/settings.py` is the only reader of the environment."""

from __future__ import annotations

import ast

from tests.architecture.sources import Source, product

READER = "hub_core/settings.py"
NAMES = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
# A copy of the whole environment for a child process, in which nothing is looked up.
PASSED_ON: dict[str, str] = {}


def environment_uses(source: Source) -> list[int]:
    lines = []
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and node.attr in NAMES and isinstance(node.value, ast.Name) and node.value.id == "os":
            lines.append(node.lineno)
        if isinstance(node, ast.ImportFrom) and node.module == "os" and NAMES & {alias.name for alias in node.names}:
            lines.append(node.lineno)
    return lines


def test_only_the_settings_read_the_environment() -> None:
    wrong = [
        f"{source.path}:{line}"
        for source in product()
        if source.path != READER and source.path not in PASSED_ON
        for line in environment_uses(source)
    ]
    assert not wrong, f"read the environment outside {READER}: {wrong}"

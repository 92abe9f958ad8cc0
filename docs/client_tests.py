"""What the tests in `tests/clients` do with each client, read from their source, and what the clients offer.

The tests are read, not run: a call that a test makes works; one that is only made where the test expects an error is refused.
Whether they pass is the test suite's to say.
"""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests" / "clients"
_BOTH, _LOCAL = {"BOTH", "everywhere"}, ("LOCAL_ONLY", "through_the_hub")
_HUBS = {"hub", "open_hub"}  # fixtures that are there once on each kind of storage
# Importing it changes settings of huggingface_hub, so that happens elsewhere.
_CSGHUB = """
import json, typer
from pycsghub.cli import app
def leaves(command, words=()):
    below = getattr(command, "commands", None)
    if below:
        for name, item in below.items():
            yield from leaves(item, (*words, name))
    elif not command.hidden:
        yield " ".join(words), command.get_short_help_str(120)
print(json.dumps(dict(leaves(typer.main.get_command(app)))))
"""


@dataclass(frozen=True, slots=True)
class Test:
    """A test function: where it is, and whether it runs on both kinds of storage."""

    path: str
    name: str
    both: bool


@dataclass
class Uses:
    """The tests in which a call works, and those in which it is refused."""

    works: set[Test] = field(default_factory=set)
    refused: set[Test] = field(default_factory=set)


def api_calls() -> dict[str, str]:
    """Calls of `HfApi` and what each does, in a line."""
    from huggingface_hub import HfApi

    found = inspect.getmembers(HfApi, callable)
    return {name: _line(inspect.getdoc(value) or "") for name, value in found if not name.startswith("_")}


def hf_commands() -> dict[str, str]:
    """Commands of `hf` and what each does, in a line."""
    import click
    from huggingface_hub.cli.hf import app

    def leaves(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
        if isinstance(command, click.Group):
            for name in command.list_commands(context := click.Context(command)):
                below = command.get_command(context, name)
                if below is not None and not below.hidden:
                    yield from leaves(below, (*words, name))
        else:
            yield " ".join(words), _line(command.get_short_help_str(200))

    return dict(leaves(app))


def csghub_commands() -> dict[str, str]:
    """Commands of `csghub-cli` and what each does, in a line."""
    done = subprocess.run([sys.executable, "-c", _CSGHUB], capture_output=True, text=True, check=True, cwd=ROOT / "docs")
    return {name: _line(text) for name, text in json.loads(done.stdout.splitlines()[-1]).items()}


def _line(text: str) -> str:
    return " ".join(text.strip().split("\n\n", 1)[0].split()).split(". ")[0].rstrip(".")


def tests_by_name() -> dict[str, Test]:
    """All tests, by `file.py::function` and by `function` alone."""
    found = {}
    for path, tree in _files():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[f"{path.name}::{node.name}"] = _test(path, tree, node)
    return found


def uses_of_api(known: Iterable[str]) -> dict[str, Uses]:
    """Where tests call methods of `HfApi`, also in code that they run in a process of its own."""
    names = set(known)

    def called(node: ast.Call) -> Iterator[str]:
        if isinstance(node.func, ast.Attribute) and node.func.attr in names and "services" not in ast.dump(node.func.value):
            yield node.func.attr
        for word in _words(node.args):
            if "huggingface_hub" in word or "HfApi" in word:
                yield from (name for name in names if f".{name}(" in word or f"import {name}" in word)

    return _uses(called)


def uses_of_commands(function: str, known: Iterable[str]) -> dict[str, Uses]:
    """Where tests run commands by `function("word", "word", ...)`."""
    commands = set(known)

    def called(node: ast.Call) -> Iterator[str]:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
        words = _words(node.args) if name == function else []
        said = [" ".join(words[:count]) for count in (3, 2, 1)]
        yield from [command for command in said if command in commands][:1]

    return _uses(called)


def _uses(called: Callable[[ast.Call], Iterator[str]]) -> dict[str, Uses]:
    found: dict[str, Uses] = {}
    for path, tree in _files():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                test = _test(path, tree, node)
                for call, refused in _calls(node, refused=False):
                    for name in called(call):
                        uses = found.setdefault(name, Uses())
                        (uses.refused if refused or _fails(call) else uses.works).add(test)
    return found


def _files() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(TESTS.rglob("test_*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def _test(path: Path, tree: ast.Module, node: ast.FunctionDef | ast.ClassDef) -> Test:
    names = {item.id for item in node.decorator_list if isinstance(item, ast.Name)}
    takes_hub = isinstance(node, ast.FunctionDef) and any(argument.arg in _HUBS for argument in node.args.args)
    marks = [item.value for item in tree.body if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == "pytestmark"]
    shared = path.parent.name in ("huggingface", "csghub") and (takes_hub or isinstance(node, ast.ClassDef))
    both = bool(names & _BOTH) or (shared and not _local([*marks, *node.decorator_list]))
    return Test(path.relative_to(ROOT).as_posix(), node.name, both)


def _local(nodes: Iterable[ast.AST]) -> bool:
    """Whether a mark keeps the test on SQLite and local files."""
    text = " ".join(ast.dump(node) for node in nodes)
    return any(name in text for name in _LOCAL) or ("'local'" in text and "'production'" not in text)


def _calls(node: ast.AST, *, refused: bool) -> Iterator[tuple[ast.Call, bool]]:
    """Calls inside a node, and whether an error is expected there."""
    if isinstance(node, ast.With):
        refused = refused or any(isinstance(sub, ast.Attribute) and sub.attr == "raises" for item in node.items for sub in ast.walk(item))
    if isinstance(node, ast.Call):
        yield node, refused
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, refused=refused)


def _fails(node: ast.Call) -> bool:
    given: Mapping[str | None, ast.expr] = {keyword.arg: keyword.value for keyword in node.keywords}
    fails = given.get("fails")
    return isinstance(fails, ast.Constant) and bool(fails.value)


def _words(arguments: Iterable[ast.expr]) -> list[str]:
    return [item.value if isinstance(item, ast.Constant) and isinstance(item.value, str) else "" for item in arguments]

"""The compatibility page: what the tests in `tests/clients` do with each client, and why some calls have nothing to do here.

The tests are read, not run: a call that a test makes works; one that is only made where the test expects an error is refused.
Whether they pass is the test suite's to say. What no test calls needs a reason in `compatibility.yaml`, or the page is not written.
"""

from __future__ import annotations

import ast
import fnmatch
import importlib.metadata
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from huggingface_hub import HfApi

FOLDER = Path(__file__).parent
TESTS = FOLDER.parent / "tests" / "clients"
# What runs a command in these tests, and the commands of it that speak to the hub; every command of others does.
_COMMANDS = {"git": ("clone", "fetch", "pull", "push", "ls-remote", "lfs"), "hf": (), "run": ("download", "upload", "upload-large-folder")}
_LOCAL = ("LOCAL_ONLY", "through_the_hub")


@dataclass
class Uses:
    """Where a call is made: tests in which it works, tests in which it is refused, and whether on both kinds of storage."""

    works: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class _Call:
    kind: str
    name: str
    test: str
    refused: bool
    everywhere: bool


def calls() -> dict[str, dict[str, Uses]]:
    """Calls by kind (`api`, `git`, `hf`, `run`) and name."""
    found: dict[str, dict[str, Uses]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for call in _calls_of(path):
            uses = found.setdefault(call.kind, {}).setdefault(call.name, Uses())
            (uses.refused if call.refused else uses.works).add(call.test)
            uses.everywhere = uses.everywhere or call.everywhere
    return found


def _calls_of(path: Path) -> Iterator[_Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    where = path.relative_to(TESTS.parent.parent).as_posix()
    marks = next((node.value for node in tree.body if isinstance(node, ast.Assign) and _is(node.targets[0], "pytestmark")), None)
    both = path.parent.name in ("huggingface", "csghub")
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            everywhere = both and not _local([*([marks] if marks else []), *node.decorator_list])
            for kind, name, refused in _names(node, refused=False):
                yield _Call(kind, name, where, refused, everywhere)


def _local(nodes: Iterable[ast.AST]) -> bool:
    """Whether a mark keeps the test on SQLite and local files."""
    text = " ".join(ast.dump(node) for node in nodes)
    return any(name in text for name in _LOCAL) or ("'local'" in text and "'production'" not in text)


def _names(node: ast.AST, *, refused: bool) -> Iterator[tuple[str, str, bool]]:
    """Calls inside a node, in order."""
    if isinstance(node, ast.With) and any(
        isinstance(sub, ast.Attribute) and sub.attr == "raises" for item in node.items for sub in ast.walk(item)
    ):
        refused = True
    if isinstance(node, ast.Call):
        yield from ((kind, name, refused or fails) for kind, name, fails in _called(node))
    for child in ast.iter_child_nodes(node):
        yield from _names(child, refused=refused)


def _called(node: ast.Call) -> Iterator[tuple[str, str, bool]]:
    fails = any(
        keyword.arg == "fails" and isinstance(keyword.value, ast.Constant) and bool(keyword.value.value) for keyword in node.keywords
    )
    name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
    words = [arg.value if isinstance(arg, ast.Constant) and isinstance(arg.value, str) else "" for arg in node.args]
    if name in _COMMANDS:
        said = [word for word in words if word.replace("-", "").isalpha() and not word.startswith("-")]
        spoken = _COMMANDS[name]
        start = next((at for at, word in enumerate(said) if word in spoken), len(said)) if spoken else 0
        command = said[start : start + (2 if name == "hf" or said[start : start + 1] == ["lfs"] else 1)]
        if command:
            yield name, " ".join(command), fails
    elif isinstance(node.func, ast.Attribute) and name in _API and "services" not in ast.dump(node.func.value):
        yield "api", name, fails
    for word in words:  # code that a test runs in a process of its own
        if "huggingface_hub" in word or "HfApi" in word:
            yield from (("api", known, False) for known in _API if f".{known}(" in word or f"import {known}" in word)


def _is(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Name) and target.id == name


def _public(owner: type) -> dict[str, str]:
    """Public methods and the first line of their docstrings."""
    return {
        name: (inspect.getdoc(value) or "").split("\n", 1)[0].rstrip(".")
        for name, value in inspect.getmembers(owner, callable)
        if not name.startswith("_")
    }


_API = _public(HfApi)


def page() -> str:
    """The page.

    Raises:
        SystemExit: a call of the client is in no test and has no reason.
    """
    reasons: dict[str, dict[str, str]] = yaml.safe_load((FOLDER / "compatibility.yaml").read_text(encoding="utf-8"))
    found = calls()
    lines = [
        "# What works with which client",
        "",
        "<!-- Written by `make docs` from the tests. Change the tests, not this page. -->",
        "",
        "Each line comes from the tests in `tests/clients`, which drive the real clients against a running hub. *Both* means on SQLite with "
        "local files and on PostgreSQL with an S3 store; *local* on the first only, where the storage makes no difference.",
        *_api_part(found.get("api", {}), reasons["api"]),
        *_command_part("The `hf` command line", "hf", found.get("hf", {})),
        *_command_part("Git and Git LFS", "git", found.get("git", {})),
        *_command_part("csghub-cli", "csghub-cli", found.get("run", {})),
        "",
        "## Libraries",
        "",
        "| library | what the tests do |",
        "| --- | --- |",
        *(f"| `{name}` {_version(name)} | {text} |" for name, text in reasons["libraries"].items()),
    ]
    return "\n".join(lines) + "\n"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _api_part(found: dict[str, Uses], reasons: dict[str, str]) -> list[str]:
    here = {name for name in _API if name in found}
    elsewhere = {name: why for name in _API if name not in here and (why := _reason(name, reasons))}
    if missing := sorted(set(_API) - here - set(elsewhere)):
        raise SystemExit(f"no test in tests/clients calls {', '.join(missing)}, and docs/compatibility.yaml has no reason for it")
    lines = [
        "",
        f"## huggingface_hub {_version('huggingface_hub')}",
        "",
        "| call of `HfApi` | state | on | tested in |",
        "| --- | --- | --- | --- |",
    ]
    lines += [_row(name, found[name]) for name in sorted(here)]
    lines += ["", "Not here, with the reason:", "", "| call of `HfApi` | why |", "| --- | --- |"]
    by_reason: dict[str, list[str]] = {}
    for name, why in elsewhere.items():
        by_reason.setdefault(why, []).append(f"`{name}`")
    return lines + [f"| {', '.join(names)} | {why} |" for why, names in by_reason.items()]


def _reason(name: str, reasons: dict[str, str]) -> str:
    return next((why for pattern, why in reasons.items() if fnmatch.fnmatchcase(name, pattern)), "")


def _row(name: str, uses: Uses) -> str:
    state = "works" if uses.works else "refused with a clear error"
    tests = sorted(uses.works or uses.refused)
    shown = ", ".join(f"`{Path(test).name}`" for test in tests[:3]) + (" …" if len(tests) > 3 else "")
    return f"| `{name}` | {state} | {'both' if uses.everywhere else 'local'} | {shown} |"


def _command_part(title: str, program: str, found: dict[str, Uses]) -> list[str]:
    lines = ["", f"## {title}", "", "| command | state | tested in |", "| --- | --- | --- |"]
    for name, uses in sorted(found.items()):
        state = "works" if uses.works else "refused with a clear error"
        shown = ", ".join(f"`{Path(test).name}`" for test in sorted(uses.works or uses.refused)[:3])
        lines.append(f"| `{program} {name}` | {state} | {shown} |")
    return lines

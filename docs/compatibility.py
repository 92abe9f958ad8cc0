"""The compatibility page: every call of each client, what becomes of it here, and the test that shows it.

What no test calls needs a reason in `compatibility.yaml`, or the page is not written.
"""

from __future__ import annotations

import fnmatch
import importlib.metadata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from docs.client_tests import Test, Uses, api_calls, csghub_commands, hf_commands, tests_by_name, uses_of_api, uses_of_commands

FOLDER = Path(__file__).parent
_INTRO = """\
# What works with which client

<!-- Written by `make docs` from the tests in tests/clients. Change the tests, not this page. -->

Every call that each client has, and what becomes of it on this hub. How to set the clients up: [Clients](clients.md), [Git and LFS](git.md).

| state | meaning |
| --- | --- |
| works | a test makes the call with the real client against a running hub |
| **refused** | the client raises its own exception, or ends with an error, and says why; a test shows it |
| not here | it has nothing to do with a private hub, or never asks one; the reason follows |

*Both* means that a test runs on SQLite with local files and again on PostgreSQL with an S3 store; *local* on the first only.
"""


def page() -> str:
    """The page.

    Raises:
        SystemExit: a call of a client is in no test and has no reason.
    """
    said: dict[str, Any] = yaml.safe_load((FOLDER / "compatibility.yaml").read_text(encoding="utf-8"))
    api, hf, csghub = api_calls(), hf_commands(), csghub_commands()
    lines = [
        _INTRO,
        *_calls("huggingface_hub", "call of `HfApi`", "", api, uses_of_api(api), said["api"]),
        *_calls("The hf command line", "command", "hf ", hf, uses_of_commands("hf", hf), said["hf"]),
        *_calls("csghub-cli", "command", "csghub-cli ", csghub, uses_of_commands("run", csghub), said["csghub-cli"]),
    ]
    tests = tests_by_name()
    for title, rows in said["features"].items():
        lines += _features(title, rows, tests)
    return "\n".join(lines) + "\n"


def _calls(
    title: str, head: str, prefix: str, offered: Mapping[str, str], uses: Mapping[str, Uses], reasons: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """One client's table: what is tested, in order of name, then what is not here, by reason."""
    lines = [
        "",
        f"## {title}",
        "",
        _version(title),
        "",
        f"| {head} | what it does | state | on | tested in |",
        "| --- | --- | --- | --- | --- |",
    ]
    elsewhere: dict[str, list[str]] = {}
    missing = []
    for name, about in sorted(offered.items()):
        used, refused = uses.get(name, Uses()), _reason(name, reasons["refused"])
        if name in uses and (used.works or refused):
            state = f"**refused**: {refused}" if refused else "works"
            tests = used.refused or used.works if refused else used.works
            lines.append(f"| `{prefix}{name}` | {_cell(about)} | {state} | {_storages(tests)} | {_links(tests)} |")
        elif why := _reason(name, reasons["elsewhere"]):
            elsewhere.setdefault(why, []).append(f"`{prefix}{name}`")
        else:
            missing.append(name)
    if missing:
        raise SystemExit(f"{title}: neither tested nor explained in docs/compatibility.yaml: {', '.join(missing)}")
    return lines + [f"| {', '.join(names)} | | not here: {why} | | |" for why, names in elsewhere.items()]


def _features(title: str, rows: Iterable[Mapping[str, Any]], tests: Mapping[str, Test]) -> list[str]:
    lines = ["", f"## {title}", "", _version(title), "", "| what | state | on | tested in |", "| --- | --- | --- | --- |"]
    for row in rows:
        named = row.get("tests", [])
        if unknown := [name for name in named if name not in tests]:
            raise SystemExit(f"docs/compatibility.yaml names tests that are not there: {', '.join(unknown)}")
        found = {tests[name] for name in named}
        state = f"**refused**: {row['refused']}" if "refused" in row else f"not here: {row['elsewhere']}" if "elsewhere" in row else "works"
        if state == "works" and not found:
            raise SystemExit(f"docs/compatibility.yaml: no test for '{row['what']}'")
        lines.append(f"| {row['what']} | {state} | {_storages(found)} | {_links(found)} |")
    return lines


def _reason(name: str, reasons: Mapping[str, str]) -> str:
    return next((why for pattern, why in reasons.items() if fnmatch.fnmatchcase(name, pattern)), "")


def _storages(tests: Iterable[Test]) -> str:
    found = {test.both for test in tests}
    return "both" if True in found else "local" if found else ""


def _links(tests: Iterable[Test], most: int = 3) -> str:
    paths = sorted({test.path for test in tests})
    return ", ".join(f"[{Path(path).name}](../{path})" for path in paths[:most]) + (" …" if len(paths) > most else "")


def _version(title: str) -> str:
    package = {"The hf command line": "huggingface_hub", "csghub-cli": "csghub-sdk"}.get(title, title.lower())
    try:
        return f"Tested with {package} {importlib.metadata.version(package)}."
    except importlib.metadata.PackageNotFoundError:
        return "Tested with the programs of the machine that runs the tests."


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")

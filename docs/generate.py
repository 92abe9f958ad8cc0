"""Writes the reference pages from the code (tools, settings, permissions, errors), and from the tests: what works with which client.

The Helm chart's list of settings is written along.

`python -m docs.generate` writes them, `python -m docs.generate --check` fails when one of them is not what would be written.
"""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from docs import chart, compatibility
from docs.shapes import type_of
from hub_core.authz import PERMISSIONS, SCOPE_FOR
from hub_core.errors import HubError
from hub_core.http.errors import status_of
from hub_core.settings import PREFIX, Settings
from tools.registry import LANGUAGES, AnyTool, default_registry, describe

FOLDER = Path(__file__).parent
NOTE = "<!-- Written by `make docs` from the code. Change the code, not this page. -->"
GROUPS = {
    "repos": "Repos",
    "files": "Files and history",
    "data": "Models, datasets and the audit trail",
    "people": "People, organisations and access",
    "credentials": "Credentials",
    "community": "Working together",
    "deployments": "Deployments and Spaces",
    "jobs": "Background jobs",
    "trust": "Trust",
    "conversation": "Conversation",
}
EFFECTS = {
    "read": "runs at once",
    "write": "runs at once, can be undone",
    "destructive": "waits for approval in a conversation",
    "spend": "waits for approval in a conversation",
}


def tools_page() -> str:
    """Every tool with its arguments, its result and one sentence in each language."""
    tools = list(default_registry())
    unknown = {tool.group for tool in tools} - set(GROUPS)
    if unknown:
        raise SystemExit(f"docs/generate.py has no title for the groups {sorted(unknown)}")
    lines = [
        "# Tools",
        "",
        NOTE,
        "",
        "Whatever hubtalk does is one of these tools, and you can call each of them in four ways: say it in a conversation, "
        "`POST /api/v1/tools/NAME` with the arguments as JSON ([API](api.md)), `hubtalk tool NAME key=value`, "
        "or ask for the plan only, with `?dry_run=true` or `--dry-run`.",
        "",
        "The effect is the strongest one a tool can have; what a call would do decides. Narrowing the visibility of a repo is a `write`, "
        "widening it is `destructive` and waits for a person's approval in a conversation. Direct calls are explicit and need no approval.",
        "",
        "An argument with `?` is optional. `repo` is `namespace/name`, or a bare name that fits one repo you can see.",
    ]
    for group, title in GROUPS.items():
        inside = [tool for tool in tools if tool.group == group]
        lines += ["", f"## {title}", "", ", ".join(f"[`{tool.name}`](#{tool.name})" for tool in inside)]
        for tool in inside:
            lines += _tool(tool)
    return "\n".join(lines) + "\n"


def _tool(tool: AnyTool) -> Iterator[str]:
    entry = default_registry().describe(tool, per_language=1)
    yield from ("", f"### {tool.name}", "", describe(tool), "")
    yield f"Effect: **{tool.effect}** ({EFFECTS[str(tool.effect)]}). Permission: [`{tool.permission}`](permissions.md)."
    yield ""
    fields = entry["arguments"].get("properties", {})
    if fields:
        required = set(entry["arguments"].get("required", []))
        yield from ("| argument | type | |", "| --- | --- | --- |")
        for name, schema in fields.items():
            shape = type_of(schema, entry["arguments"].get("$defs", {}))
            yield f"| `{name}{'' if name in required else '?'}` | {_cell(shape.text)} | {_cell(_meaning(schema, shape.description))} |"
        yield ""
    results = entry["result"].get("properties", {})
    yield "Result: " + ", ".join(f"`{name}`" for name in results) + "." if results else "Result: none."
    yield ""
    for language in LANGUAGES:
        yield from (f"- {sentence}" for sentence in entry["examples"][language])


def _meaning(schema: dict[str, Any], description: str) -> str:
    default = schema.get("default")
    if default in (None, "", False) or isinstance(default, list):
        return description
    return f"{description} Default: `{default}`.".strip()


def settings_page() -> str:
    """Every setting with its default."""
    lines = [
        "# Settings",
        "",
        NOTE,
        "",
        "Settings are environment variables. They are read once, at start; a value that does not fit stops the start with a message. "
        "`hubtalk serve --host … --port …` wins over the environment.",
    ]
    for spec in dataclasses.fields(Settings):
        default = "none" if spec.default in ("", None) else f"`{int(spec.default) if isinstance(spec.default, bool) else spec.default}`"
        secret = " Secret: never logged or shown." if spec.metadata["secret"] else ""
        lines += ["", f"### {PREFIX}{spec.name.upper()}", "", f"{spec.metadata['help']}{secret} Default: {default}."]
    return "\n".join(lines) + "\n"


def permissions_page() -> str:
    """Every permission with the scope that a token needs to carry it."""
    lines = [
        "# Permissions",
        "",
        NOTE,
        "",
        "What somebody may do follows from who they are (site administrator, role in an organisation, role on a repo, visibility of the "
        "repo), and is capped by the scope of the token they use; a browser session has the scope `admin`. Roles are `read`, `write` and "
        "`admin`, and each includes the ones before it. What you may not see is answered as if it were not there. "
        "The agent acts as the person who talks and has no right of its own.",
        "",
        "The files of a gated repo are open to people with a role there, and to those whose request was accepted: `set_gating` closes the "
        "gate, `request_access` asks, `decide_access` answers. Its facts, its card and the names of its files are open as its visibility says.",
        "",
        "Ask for `list_access` to hear who can do what on a repo, and why, and who asks for access.",
    ]
    for permission, text in PERMISSIONS.items():
        users = ", ".join(f"[`{tool.name}`](tools.md#{tool.name})" for tool in default_registry() if tool.permission is permission)
        lines += ["", f"### {permission}", "", f"{text} Least scope of a token: `{SCOPE_FOR[permission]}`."]
        if users:
            lines += ["", f"Needed by: {users}."]
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """Every error code with its HTTP status in the tool API."""
    lines = [
        "# Errors",
        "",
        NOTE,
        "",
        'The tool API and the chat API answer `{"error": {"code", "message", "hint", "details"?}}`. `code` is stable and made for '
        "programs; `message` says what is wrong and `hint` what to do next. Bad input is 422 there and 400 over Git, LFS and the "
        "Hugging Face dialect. Inside a conversation an error is an answer with the outcome `error`, in the language of the person.",
    ]
    for family in HubError.__subclasses__():
        for kind in (family, *_below(family)):
            text = " ".join((kind.__doc__ or "").split())
            parent = "" if kind is family else f" A kind of [`{family.code}`](#{family.code})."
            lines += ["", f"### {kind.code}", "", f"{text}{parent} HTTP {status_of(kind(''))}."]
    lines += [
        "",
        "### internal_error",
        "",
        "A mistake of the hub. The answer shows nothing but the id of the request, under which the log has the cause. HTTP 500.",
    ]
    return "\n".join(lines) + "\n"


def _below(family: type[HubError]) -> Iterator[type[HubError]]:
    for kind in family.__subclasses__():
        yield kind
        yield from _below(kind)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {
    "tools.md": tools_page,
    "settings.md": settings_page,
    "permissions.md": permissions_page,
    "errors.md": errors_page,
    "compatibility.md": compatibility.page,
    "../deploy/chart/values.schema.json": chart.schema,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them; returns the exit status."""
    stale = 0
    for name, page in PAGES.items():
        path, text = FOLDER / name, page()
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
        elif before != text:
            stale += 1
            diff = difflib.unified_diff(before.splitlines(), text.splitlines(), f"docs/{name}", "from the code", lineterm="", n=0)
            print("\n".join(list(diff)[:20]))
    if stale:
        print(f"{stale} page(s) are not what the code says; run: make docs")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""hub_core <- tools <- agent <- chat_ui; prompts is a leaf; evals, tests, docs and benchmarks are sinks; HTTP stays at the edges."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, SINKS, Source, product, sources

# What a package may import of the project.
MAY_IMPORT = {
    "prompts": set[str](),
    "hub_core": set[str](),
    "tools": {"hub_core"},
    "agent": {"hub_core", "tools", "prompts"},
    "chat_ui": {"hub_core", "tools", "agent", "prompts"},
    "evals": {"hub_core", "tools", "agent", "prompts"},
    "docs": {"hub_core", "tools"},
    "benchmarks": {"hub_core", "tests"},  # rows and questions of the search, fakes of platforms; the rest is measured from outside
    "tests": set(PACKAGES) | set(SINKS),
}

WEB = {"fastapi", "starlette", "uvicorn", "chainlit", "socketio", "aiohttp"}
HTTP_FOLDERS = ("hub_core/http/", "tools/rest/", "tools/mcp/", "chat_ui/", "tests/", "benchmarks/")
# Chainlit puts this folder first on sys.path while it loads the page; such a file would shadow a package of ours.
BANNED_IN_CHAT_UI = {f"{name}.py" for name in PACKAGES} | {"agent.py", "tools.py", "prompts.py", "mcp.py", "openai.py"}


def project_imports(source: Source) -> dict[str, int]:
    known = set(PACKAGES) | set(SINKS)
    return {name.split(".")[0]: line for name, line in source.imports() if name.split(".")[0] in known}


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    wrong = [
        f"{source.path}:{line} imports {name}"
        for source in sources()
        if source.package == package
        for name, line in project_imports(source).items()
        if name not in allowed
    ]
    assert not wrong, "\n".join(wrong)


def test_every_package_has_a_rule() -> None:
    assert {source.package for source in sources()} <= set(MAY_IMPORT)


def test_only_the_edges_import_a_web_framework() -> None:
    wrong = [
        f"{source.path}:{line} imports {name}"
        for source in sources()
        if not source.path.startswith(HTTP_FOLDERS)
        for name, line in source.imports()
        if name.split(".")[0] in WEB
    ]
    assert not wrong, "\n".join(wrong)


def test_the_sdk_of_mcp_stays_in_its_folder() -> None:
    """Its next major version has other names for everything."""
    wrong = [
        f"{source.path}:{line}"
        for source in product()
        if not source.path.startswith("tools/mcp/")
        for name, line in source.imports()
        if name.split(".")[0] == "mcp"
    ]
    assert not wrong


def test_domain_code_does_not_import_its_own_http_edge() -> None:
    edges = ("hub_core.http", "tools.rest", "tools.mcp")
    roots = ("hub_core/http/", "hub_core/ssh/", "tools/rest/", "tools/mcp/", "chat_ui/", "tests/", "evals/", "docs/")
    wrong = [
        f"{source.path}:{line} imports {name}"
        for source in sources()
        if not source.path.startswith(roots)
        for name, line in source.imports()
        if name.startswith(edges)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_domain_layers_keep_their_order() -> None:
    """errors and names know nothing; authz, storage and git know no service; nothing but the top knows `Services`."""
    rules = {
        "hub_core/errors.py": set[str](),
        "hub_core/running_errors.py": {"hub_core.errors"},
        "hub_core/names.py": {"hub_core.errors"},
        "hub_core/settings.py": {"hub_core.errors"},
        "hub_core/authz.py": {"hub_core.errors"},
    }
    wrong = [
        f"{source.path}:{line} imports {name}"
        for source in product()
        if source.path in rules
        for name, line in source.imports()
        if name.startswith("hub_core.") and not any(name == allowed or name.startswith(allowed + ".") for allowed in rules[source.path])
    ]
    assert not wrong, "\n".join(wrong)


def test_no_file_of_chat_ui_shadows_a_package() -> None:
    shadowing = BANNED_IN_CHAT_UI & {path.name for path in (ROOT / "chat_ui").iterdir()}
    assert not shadowing


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_resolves_inside_the_repository(package: str) -> None:
    """The names are generic: an installed distribution with the same name must not win."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).resolve().is_relative_to(ROOT)

"""Every tool, setting, permission and error code has its heading; hand-written pages name only what exists, and links lead somewhere."""

from __future__ import annotations

import dataclasses
import re
from functools import cache

import pytest

from docs.generate import PAGES
from hub_core.authz import Permission
from hub_core.errors import HubError
from hub_core.settings import PREFIX, Settings
from tests.architecture.sources import ROOT, tracked_files
from tools.registry import default_registry

HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(#[^)\s]+)?\)")
# Read by compose.yaml and not by the hub.
NOT_SETTINGS: set[str] = set()


def pages() -> list[str]:
    return [path for path in tracked_files() if path.endswith(".md") and (path.startswith("docs/") or "/" not in path)]


@cache
def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def headings(path: str) -> set[str]:
    return set(HEADING.findall(re.sub(r"```.*?```", "", text(path), flags=re.DOTALL)))


def all_errors(kind: type[HubError] = HubError) -> set[str]:
    return {below.code for below in kind.__subclasses__()}.union(*(all_errors(below) for below in kind.__subclasses__()))


def test_every_tool_has_a_heading() -> None:
    assert {tool.name for tool in default_registry()} <= headings("docs/tools.md")


def test_every_setting_has_a_heading() -> None:
    assert {PREFIX + spec.name.upper() for spec in dataclasses.fields(Settings)} <= headings("docs/settings.md")


def test_every_permission_has_a_heading() -> None:
    assert {str(permission) for permission in Permission} <= headings("docs/permissions.md")


def test_every_error_code_has_a_heading_and_a_code_of_its_own() -> None:
    codes = [kind.code for kind in _kinds(HubError)]
    assert len(codes) == len(set(codes))
    assert set(codes) <= headings("docs/errors.md")


def _kinds(kind: type[HubError]) -> list[type[HubError]]:
    return [found for below in kind.__subclasses__() for found in (below, *_kinds(below))]


@pytest.mark.parametrize("page", sorted(PAGES))
def test_the_generated_pages_are_what_the_code_says(page: str) -> None:
    assert text(f"docs/{page}") == PAGES[page](), "run: make docs"


def test_pages_name_only_settings_that_exist() -> None:
    known = {PREFIX + spec.name.upper() for spec in dataclasses.fields(Settings)} | NOT_SETTINGS
    others = ("compose.yaml", "deploy/compose.env.example", "Dockerfile")
    named = {(path, name) for path in (*pages(), *others) for name in re.findall(r"\bHUB_[A-Z0-9_]+\b", text(path))}
    assert not sorted((path, name) for path, name in named if name not in known and not name.endswith("_"))


def test_links_between_pages_lead_somewhere() -> None:
    wrong = []
    for page in pages():
        for target, anchor in LINK.findall(text(page)):
            path = (ROOT / page).parent / target if target else ROOT / page
            if not path.exists():
                wrong.append(f"{page}: {target}")
            elif anchor and path.suffix == ".md":
                inside = path.resolve().relative_to(ROOT).as_posix()
                if anchor[1:] not in {_anchor(heading) for heading in headings(inside)}:
                    wrong.append(f"{page}: {target}{anchor}")
    assert not wrong, "\n".join(wrong)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")

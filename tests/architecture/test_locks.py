"""The lock files pin everything, light enough to start in seconds; the version is told once."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from typing import Any

import pytest

from tests.architecture.sources import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-carried.lock")
PIN = re.compile(r"^[a-z0-9][a-z0-9._-]*==[0-9][0-9A-Za-z.+!]*$")
HEAVY = {"torch", "tensorflow", "transformers", "llama-cpp-python", "jax", "onnxruntime", "vllm"}


def pins(lock: str) -> dict[str, str]:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    return {normal(line.split("==")[0]): line for line in lines}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_exact_pins_and_nothing_else(lock: str) -> None:
    wrong = [line for line in (ROOT / lock).read_text(encoding="utf-8").splitlines() if not PIN.match(line.lower())]
    assert not wrong


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pulls_in_no_heavy_framework(lock: str) -> None:
    # Tests drive the configurations and tokenizers of transformers, which need no framework.
    heavy = HEAVY - {"transformers"} if lock == "requirements-dev.lock" else HEAVY
    assert not {name for name in pins(lock) if name in heavy or name.startswith("nvidia-")}


def test_every_dependency_is_locked() -> None:
    needed = {normal(re.split(r"[\[<>=!~ ;]", line, maxsplit=1)[0]) for line in project()["dependencies"]}
    assert needed <= set(pins("requirements.lock"))
    dev = {normal(re.split(r"[\[<>=!~ ;]", line, maxsplit=1)[0]) for line in project()["optional-dependencies"]["dev"]}
    assert dev <= set(pins("requirements-dev.lock"))


def test_tests_run_on_the_versions_that_are_shipped() -> None:
    dev = pins("requirements-dev.lock")
    assert not {line for name, line in pins("requirements.lock").items() if dev.get(name) != line}


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert versions
    assert versions[0] == project()["version"]


def test_the_image_runs_the_python_that_the_project_asks_for() -> None:
    image = re.search(r"^FROM python:(\d+)\.(\d+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    least = re.match(r">=(\d+)\.(\d+)", project()["requires-python"])
    assert image and least
    assert tuple(map(int, image.groups())) >= tuple(map(int, least.groups()))

"""What is in the repository works anywhere: no address of a package index, no path of one machine, no secret, no large file."""

from __future__ import annotations

import re

import pytest

from tests.architecture.sources import ROOT, tracked_files

LARGEST = 12 * 1024 * 1024  # the weights of the planner and the screenshots

# Written in pieces, so that this file does not contain what it looks for.
INDEXES = ("pypi" + r"\.org", "python" + "hosted", "npm" + r"js\.(?:org|com)", r"registry\.yarn" + "pkg", r"proxy\.gol" + "ang")
OPTIONS = ("--index" + "-url", "--extra-index" + "-url", "--find" + "-links", "--trusted" + "-host")
HOMES = ("/root" + "/", "/home" + "/", "/Us" + "ers/", "/work" + "/", "/opt" + "/", "/mnt" + "/")
SECRETS = (r"AKIA[0-9A-Z]{16}", r"ghp_[A-Za-z0-9]{36}", r"-----BEGIN (?:RSA |OPENSSH |EC )?PRIVATE KEY-----")

# file -> why a path in it is not one of a machine.
PATHS_ALLOWED: dict[str, str] = {"hub_core/clusters/kubernetes/builds.py": "where the image of BuildKit keeps its files"}


def texts() -> list[tuple[str, str]]:
    found = []
    for path in tracked_files():
        raw = (ROOT / path).read_bytes()
        if b"\0" not in raw[:8000]:
            found.append((path, raw.decode("utf-8", "replace")))
    return found


def hits(patterns: tuple[str, ...], allowed: dict[str, str] | None = None) -> list[str]:
    looked_for = re.compile("|".join(patterns))
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for path, text in texts()
        if path not in (allowed or {})
        for match in looked_for.finditer(text)
    ]


def test_no_file_names_a_package_index() -> None:
    assert not hits(INDEXES)


def test_no_file_passes_an_index_to_an_installer() -> None:
    assert not hits(OPTIONS, {"Makefile": "`make lock` switches these off for the files it writes"})


def test_no_file_names_a_path_of_one_machine() -> None:
    assert not hits(tuple(rf"(?<![\w./-]){home}\w" for home in HOMES), PATHS_ALLOWED)


def test_no_file_holds_a_real_secret() -> None:
    assert not hits(SECRETS)


@pytest.mark.parametrize("forbidden", [".env", "node_modules", "__pycache__", ".DS_Store"])
def test_nothing_that_is_made_or_private_is_tracked(forbidden: str) -> None:
    assert not [path for path in tracked_files() if forbidden in path.split("/")]


def test_no_file_is_huge() -> None:
    assert not [path for path in tracked_files() if (ROOT / path).stat().st_size > LARGEST]

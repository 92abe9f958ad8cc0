"""Patterns of `.gitattributes` and `.gitignore`: the same answers as the real `git`, in bounded time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hub_core.git.patterns import Attributes, compile_glob, lfs_line, read_ignore
from tests.common.git_client import git

PATTERNS = [
    "*.bin", "/a.bin", "sub/*.bin", "sub/**", "**/deep/*", "a/**/b", "?.txt", "[ab].txt", "[!ab].txt", "[^ab]*", "[a-c]x", "[]]x", "[a-]x",
    "\\*.txt", "\\!x", "my[[:space:]]file", "[[:digit:]]*", "*", "**", "sub", "sub/", "/sub", "foo**bar", "*a*b*", "a\\", "[ab", "x[[:nope:]]",
]  # fmt: skip
PATHS = [
    "a.bin", "sub/a.bin", "sub/deep/a.bin", "a/b", "a/x/b", "a/x/y/b", "a.txt", "b.txt", "c.txt", "*.txt", "!x", "my file", "1x", "bx", "]x", "-x",
    "sub/x", "deep/y", "x/deep/y", "foobar", "foo1bar", "foo/bar", "xaxbx", ".hidden", "sub/.bin", "é.txt", "sub", "other/sub/z",
]  # fmt: skip
lines = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repo without files."""
    path = tmp_path_factory.mktemp("patterns")
    git(path, "init", "-q")
    return path


@pytest.mark.parametrize("pattern", PATTERNS)
def test_attributes_apply_as_git_applies_them(folder: Path, pattern: str) -> None:
    content = f"{pattern} filter=lfs\nb* -filter\n"
    (folder / ".gitattributes").write_text(content)
    shown = git(folder, "check-attr", "-z", "filter", "--", *PATHS).stdout.split("\0")
    theirs = dict(zip(shown[::3], shown[2::3], strict=False))
    rules = Attributes(lambda path: content.encode() if path == ".gitattributes" else None)
    ours = {path: {None: "unspecified", "": "unset"}.get(value := rules.filter_of(path), value) for path in PATHS}
    assert ours == theirs


@given(lines, st.lists(st.booleans(), min_size=6, max_size=6))
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_files_are_ignored_as_git_ignores_them(folder: Path, patterns: list[str], negated: list[bool]) -> None:
    content = "".join(("!" if no else "") + pattern + "\n" for pattern, no in zip(patterns, negated, strict=False))
    (folder / ".gitattributes").unlink(missing_ok=True)
    (folder / ".gitignore").write_text(content)
    paths = [path for path in PATHS if path != "sub"]
    theirs = set(git(folder, "-c", "core.quotePath=false", "check-ignore", "--no-index", "--", *paths, check=False).stdout.splitlines())
    rules = read_ignore(content.encode())
    assert {path for path in paths if rules.ignores(path)} == theirs, content


def test_files_nearer_to_a_path_win() -> None:
    files = {".gitattributes": b"*.bin filter=lfs\n", "sub/.gitattributes": b"*.bin -filter\n/x.txt filter=lfs\n"}
    rules = Attributes(files.get)
    assert [rules.filter_of(path) for path in ("a.bin", "sub/a.bin", "sub/deep/a.bin", "sub/x.txt", "sub/deep/x.txt", "x.txt")] == [
        "lfs", "", "", "lfs", None, None,
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["big file.txt", "a*b?[c].txt", "back\\slash", "!odd", '"quoted"', "#hash", "deep/er/x", "日本語.txt"])
def test_a_line_for_one_path_means_this_path_alone(folder: Path, path: str) -> None:
    (folder / ".gitattributes").write_bytes(lfs_line(path) + b"\n")
    shown = git(folder, "check-attr", "-z", "filter", "--", path, "elsewhere/" + path, path + "x").stdout.split("\0")
    assert shown[2::3] == ["lfs", "unspecified", "unspecified"]
    assert Attributes(lambda name: lfs_line(path) if name == ".gitattributes" else None).filter_of(path) == "lfs"


def test_a_pattern_that_is_made_to_be_slow_is_not() -> None:
    started = time.monotonic()
    glob = compile_glob("*a" * 40 + "*b")
    assert glob is not None
    assert not glob.matches(["a" * 255])
    deep = compile_glob("**/a/" * 40 + "b")
    assert deep is not None
    assert not deep.matches(["a"] * 500)
    assert time.monotonic() - started < 1

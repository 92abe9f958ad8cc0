"""Whether something hidden is there cannot be told from any answer, over Git, LFS and the tool API."""

from __future__ import annotations

import pytest

from hub_core.authz import Scope, Visibility
from hub_core.errors import AlreadyExists, PermissionDenied
from hub_core.repos.kinds import RepoKind
from tests.functional.security.conftest import Guarded

OID = "a" * 64
PROBES = [
    ("GET", "/{}.git/info/refs?service=git-upload-pack"),
    ("GET", "/{}.git/info/refs?service=git-receive-pack"),
    ("POST", "/{}.git/git-upload-pack"),
    ("POST", "/{}.git/git-receive-pack"),
    ("POST", "/{}.git/info/lfs/objects/batch"),
    ("GET", f"/{{}}.git/info/lfs/objects/{OID}"),
    ("GET", f"/{{}}.git/info/lfs/objects/{OID}?u=1&e=9999999999&s=0000"),
    ("PUT", f"/{{}}.git/info/lfs/objects/{OID}?u=1&e=9999999999&s=0000&size=1"),
    ("GET", "/{}.git/info/lfs/locks"),
    ("POST", "/{}.git/info/lfs/locks"),
]


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize(("method", "path"), PROBES)
def test_git_and_lfs_answer_the_same_for_hidden_and_absent(hub: Guarded, method: str, path: str, signed_in: bool) -> None:
    headers = hub.token(hub.carol, "t") if signed_in else {}
    answers = []
    for name in ("secret", "absent"):
        answer = hub.client.request(method, path.format(f"alice/{name}"), headers=headers, content=b"" if method == "GET" else b"{}")
        answers.append((answer.status_code, answer.text.replace(name, "NAME"), answer.headers.get("www-authenticate")))
    assert answers[0] == answers[1]
    assert answers[0][0] == (404 if signed_in else 401)


def test_the_old_name_of_a_hidden_repo_is_as_absent_as_any_other(hub: Guarded) -> None:
    secret = hub.services.repos.find(hub.alice, "alice/secret")
    hub.services.repos.move(hub.alice, secret, "renamed")
    headers = hub.token(hub.carol, "t")
    for url in ("/alice/{}.git/info/refs?service=git-upload-pack",):
        old, absent = (hub.client.get(url.format(name), headers=headers) for name in ("secret", "absent"))
        assert (old.status_code, old.text.replace("secret", "absent")) == (absent.status_code, absent.text)


@pytest.mark.parametrize("name", ["a%00b", "..", "a%0ab", "x" * 300])
def test_a_name_that_no_repo_can_have_is_not_found(hub: Guarded, name: str) -> None:
    for path in (f"/alice/{name}.git/info/refs?service=git-upload-pack", f"/{name}/x.git/info/refs?service=git-upload-pack"):
        assert hub.client.get(path, headers=hub.token(hub.carol, f"t{len(path)}")).status_code == 404


def test_making_a_repo_in_a_foreign_namespace_does_not_tell_what_is_there(hub: Guarded) -> None:
    for name in ("secret", "absent"):
        with pytest.raises(PermissionDenied):
            hub.services.repos.create(hub.carol, f"alice/{name}", RepoKind.MODEL)
    with pytest.raises(AlreadyExists):
        hub.services.repos.create(hub.alice, "secret", RepoKind.MODEL)


def test_a_signed_address_ends_with_the_right_it_was_made_for(hub: Guarded) -> None:
    repo = hub.services.repos.find(hub.alice, "alice/open")
    pointer = hub.services.lfs.store(repo.id, iter([b"weights"]))
    headers = hub.token(hub.carol, "t", Scope.READ)
    body = {"operation": "download", "objects": [{"oid": pointer.oid, "size": pointer.size}]}
    batch = hub.client.post("/alice/open.git/info/lfs/objects/batch", json=body, headers=headers).json()
    href = batch["objects"][0]["actions"]["download"]["href"].removeprefix("http://testserver")
    assert hub.client.get(href).content == b"weights"
    hub.services.repos.set_visibility(hub.alice, repo, Visibility.PRIVATE)
    assert hub.client.get(href).status_code in (401, 404)
    hub.services.repos.set_visibility(hub.alice, repo, Visibility.PUBLIC)
    hub.services.users.set_status(hub.root, "carol", "disabled")  # type: ignore[arg-type]
    assert hub.client.get(href).status_code == 401

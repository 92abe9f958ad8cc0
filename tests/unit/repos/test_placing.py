"""What goes to LFS, and whose objects a commit may name."""

from __future__ import annotations

import dataclasses

import pytest

from hub_core.accounts.tables import User
from hub_core.authz import Actor, Visibility
from hub_core.errors import EntryNotFound, HashMismatch, NotFound, NothingToCommit
from hub_core.git import FileChange
from hub_core.repos.kinds import RepoKind
from hub_core.repos.placing import MAX_INLINE, LfsFile
from hub_core.repos.tables import Repo
from hub_core.services import Services
from tests.common.factories import actor_for, make_user

LARGE = b"x" * (MAX_INLINE + 1)


@pytest.fixture
def ann(services: Services) -> Actor:
    return actor_for(make_user(services.db, "ann"))


@pytest.fixture
def repo(services: Services, ann: Actor) -> Repo:
    return made(services, ann, "repo")


def made(services: Services, actor: Actor, name: str, visibility: Visibility = Visibility.PRIVATE) -> Repo:
    services.repos.create(actor, name, RepoKind.MODEL, visibility)
    return services.repos.find(actor, f"{actor.username}/{name}")


def in_lfs(services: Services, repo: Repo) -> list[str]:
    return [e.path for e in services.git.tree(repo.id, services.git.resolve(repo.id), "", True) if e.lfs]


def attributes(services: Services, repo: Repo) -> str:
    return services.git.read_file(repo.id, services.git.resolve(repo.id), ".gitattributes").decode()


def test_endings_and_size_decide_where_nothing_is_said(services: Services, ann: Actor, repo: Repo) -> None:
    before = attributes(services, repo)
    files = {"a.bin": b"1", "b.txt": b"1", "c.txt": LARGE, "empty.bin": b"", "deep/d e.txt": LARGE}
    services.files.commit(ann, repo, [FileChange(path, content) for path, content in files.items()], "add")
    assert in_lfs(services, repo) == ["a.bin", "c.txt", "deep/d e.txt"]
    added = attributes(services, repo).removeprefix(before)
    assert added == "/c.txt filter=lfs diff=lfs merge=lfs -text\n/deep/d[[:space:]]e.txt filter=lfs diff=lfs merge=lfs -text\n"
    services.files.commit(ann, repo, [FileChange("c.txt", LARGE + b"2")], "again")
    assert attributes(services, repo) == before + added


def test_the_patterns_of_the_repo_win_over_endings(services: Services, ann: Actor, repo: Repo) -> None:
    rules = b"*.dat filter=lfs diff=lfs merge=lfs -text\n*.bin -filter"
    changes = [FileChange("a.dat", b"before"), FileChange(".gitattributes", rules)]
    services.files.commit(ann, repo, [*changes, FileChange("b.dat", b"1"), FileChange("c.bin", b"1"), FileChange("d.npy", b"1")], "add")
    assert in_lfs(services, repo) == ["b.dat", "d.npy"]
    assert attributes(services, repo) == rules.decode() + "\n/d.npy filter=lfs diff=lfs merge=lfs -text\n"
    services.files.commit(ann, repo, [FileChange("a.dat", b"after"), FileChange("sub/.gitattributes", b"*.dat !filter\n")], "change")
    services.files.commit(ann, repo, [FileChange("sub/x.dat", b"1"), FileChange(".gitattributes", b"* filter=lfs\n")], "more")
    assert in_lfs(services, repo) == ["a.dat", "b.dat", "d.npy"]


def test_plans_say_what_a_commit_would_do(services: Services, ann: Actor, repo: Repo) -> None:
    files = {".gitignore": b"*.log\n/build/\n", "kept.log": b"1", "a.bin": b"1"}
    services.files.commit(ann, repo, [FileChange(path, content) for path, content in files.items()], "add")
    sizes = [("new.log", 1), ("kept.log", 1), ("build/x", 1), ("a.bin", 1), ("b.txt", MAX_INLINE + 1), ("b.txt", MAX_INLINE), ("a.bin", 0)]
    planned = services.files.plan_upload(ann, repo, sizes)
    assert [item.ignored for item in planned] == [True, False, True, False, False, False, False]
    assert [item.in_lfs for item in planned] == [False, False, False, True, True, False, False]
    entries = {e.path: e for e in services.git.tree(repo.id, services.git.resolve(repo.id))}
    pointer = entries["a.bin"].lfs
    assert pointer is not None
    assert [item.oid for item in planned] == ["", entries["kept.log"].sha, "", pointer.oid, "", "", pointer.oid]
    assert not services.files.plan_upload(ann, repo, [("new.log", 1)], ignore="*.txt")[0].ignored


def test_objects_come_from_this_repo_or_from_one_that_the_caller_may_read(services: Services, ann: Actor, repo: Repo) -> None:
    ben: User = make_user(services.db, "ben")
    hidden, shown = made(services, actor_for(ben), "hidden"), made(services, actor_for(ben), "shown", Visibility.PUBLIC)
    own = services.lfs.store(repo.id, [b"own"])
    secret, public = services.lfs.store(hidden.id, [b"secret"]), services.lfs.store(shown.id, [b"public"])
    services.files.commit(ann, repo, [LfsFile("own.bin", own.oid, 3), LfsFile("copy.bin", public.oid)], "add")
    assert services.files.read_text(ann, repo, "copy.bin").content == "public"
    for stranger in (ann, dataclasses.replace(actor_for(ben), repo_id=repo.id)):
        with pytest.raises(NotFound):
            services.files.commit(stranger, repo, [FileChange("a.txt", b"1"), LfsFile("x.bin", secret.oid, 6)], "steal")
    assert services.lfs.missing(repo.id, [secret.oid])
    with pytest.raises(HashMismatch):
        services.files.commit(ann, repo, [LfsFile("own.bin", own.oid, 4)], "wrong size")
    assert in_lfs(services, repo) == ["copy.bin", "own.bin"]


def test_deletions_can_say_what_must_be_there(services: Services, ann: Actor, repo: Repo) -> None:
    services.files.commit(ann, repo, [FileChange("folder/a", b"1"), FileChange("file", b"1")], "add")
    for path, expect in (("folder", "file"), ("folder/", "file"), ("file", "folder"), ("absent/", "folder")):
        with pytest.raises(EntryNotFound):
            services.files.commit(ann, repo, [FileChange(path, delete=True, expect=expect)], "delete")  # type: ignore[arg-type]
    services.files.commit(ann, repo, [FileChange("folder/", delete=True, expect="folder"), FileChange("folder/b", b"2")], "replace")
    assert services.files.paths(ann, repo) == [".gitattributes", "file", "folder/b"]


def test_what_changes_nothing_says_which_commit_has_it(services: Services, ann: Actor, repo: Repo) -> None:
    head = services.files.commit(ann, repo, [FileChange("a", b"1")], "add").commit
    with pytest.raises(NothingToCommit) as refused:
        services.files.commit(ann, repo, [FileChange("a", b"1")], "add")
    assert refused.value.details == {"head": head}

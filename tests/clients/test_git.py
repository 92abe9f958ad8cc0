"""The real `git` program against a live hub."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub_core.authz import Role, Visibility
from hub_core.errors import PermissionDenied
from hub_core.git import FileChange, ingest, maintenance, process, upload
from hub_core.repos.kinds import KINDS, RepoKind
from tests.clients.conftest import BOTH, LiveHub
from tests.common.factories import actor_for
from tests.common.git_client import commit_file, git

pytestmark = pytest.mark.clients


def clone(hub: LiveHub, work: Path, name: str, folder: str = "clone", *options: str) -> Path:
    git(work, "clone", "-q", *options, hub.address(f"/ann/{name}.git", hub.ann_token), folder)
    return work / folder


def head(hub: LiveHub, repo_id: int, branch: str = "main") -> str:
    return hub.services.git.branches(repo_id)[branch]


@pytest.mark.parametrize("kind", list(RepoKind))
@pytest.mark.parametrize("suffix", ["", ".git"])
def test_every_kind_is_cloned_and_pushed_under_its_prefix(live_git_hub: LiveHub, work: Path, kind: RepoKind, suffix: str) -> None:
    repo = live_git_hub.repo("thing", kind)
    git(work, "clone", "-q", live_git_hub.address(f"/{KINDS[kind].prefix}ann/thing{suffix}", live_git_hub.ann_token), "clone")
    commit = commit_file(work / "clone", "a.txt", "hello")
    git(work / "clone", "push", "-q", "origin", "main")
    assert head(live_git_hub, repo.id) == commit
    assert live_git_hub.services.git.verify(repo.id) == []


@BOTH
@pytest.mark.parametrize("protocol", ["0", "1", "2"])
def test_all_protocol_versions_clone_fetch_and_push(live_git_hub: LiveHub, work: Path, protocol: str) -> None:
    live_git_hub.repo("thing")
    options = ("-c", f"protocol.version={protocol}")
    one = clone(live_git_hub, work, "thing", "one", *options)
    two = clone(live_git_hub, work, "thing", "two", *options)
    git(one, "config", "protocol.version", protocol)
    git(two, "config", "protocol.version", protocol)
    commit = commit_file(one, "a.txt", "hello")
    git(one, "tag", "-a", "v1", "-m", "Release one")
    git(one, "push", "-q", "--follow-tags", "origin", "main")
    git(two, "pull", "-q", "--tags")
    assert git(two, "rev-parse", "HEAD").stdout.strip() == commit
    assert git(two, "rev-parse", "v1^{commit}").stdout.strip() == commit


@BOTH
def test_a_push_of_several_megabytes_arrives_chunked(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("thing")
    folder = clone(live_git_hub, work, "thing")
    commit = commit_file(folder, "big.txt", os.urandom(6 * 1024 * 1024))
    git(folder, "push", "-q", "origin", "main")
    assert head(live_git_hub, repo.id) == commit
    assert live_git_hub.services.git.verify(repo.id) == []


@BOTH
def test_shallow_clone_deepens_and_partial_clone_fetches_on_demand(live_git_hub: LiveHub, work: Path) -> None:
    live_git_hub.repo("thing")
    source = clone(live_git_hub, work, "thing", "source")
    for number in range(5):
        commit_file(source, f"f{number}.txt", f"content {number}\n" * 100)
    git(source, "push", "-q", "origin", "main")
    shallow = clone(live_git_hub, work, "thing", "shallow", "--depth", "1")
    assert git(shallow, "rev-list", "--count", "HEAD").stdout.strip() == "1"
    git(shallow, "fetch", "-q", "--deepen", "2")
    assert git(shallow, "rev-list", "--count", "HEAD").stdout.strip() == "3"
    git(shallow, "fetch", "-q", "--unshallow")
    assert git(shallow, "rev-list", "--count", "HEAD").stdout.strip() == "6"
    partial = clone(live_git_hub, work, "thing", "partial", "--filter=blob:none", "--no-checkout")
    assert git(partial, "show", "HEAD:f3.txt").stdout == "content 3\n" * 100


@BOTH
def test_a_clone_leaves_out_what_it_is_told_to(live_git_hub: LiveHub, work: Path) -> None:
    live_git_hub.repo("thing")
    source = clone(live_git_hub, work, "thing", "source")
    commit_file(source, "small.txt", "small")
    commit_file(source, "sub/large.txt", "large\n" * 2000)
    git(source, "push", "-q", "origin", "main", "main:side")
    for name, options, missing in (
        ("limit", ("--filter=blob:limit=4k", "--no-checkout"), {"sub/large.txt"}),
        ("trees", ("--filter=tree:0", "--no-checkout"), None),
        ("since", ("--shallow-since=2000-01-01",), set()),
        ("single", ("--single-branch", "--no-tags"), set()),
        ("sparse", ("--filter=blob:none", "--sparse"), {"sub/large.txt"}),
    ):
        folder = clone(live_git_hub, work, "thing", name, *options)
        absent = {
            line.removeprefix("?")
            for line in git(folder, "rev-list", "--objects", "--missing=print", "HEAD").stdout.split("\n")
            if line.startswith("?")
        }
        if missing is not None:
            assert absent == {git(source, "rev-parse", f"HEAD:{path}").stdout.strip() for path in missing}, name
        else:
            assert absent
        assert git(folder, "show", "HEAD:sub/large.txt").stdout == "large\n" * 2000, "what was left out is fetched when it is asked for"
    assert git(work / "single", "branch", "-r").stdout.split() == ["origin/HEAD", "->", "origin/main", "origin/main"]
    assert not (work / "sparse/sub").exists()
    git(work / "sparse", "sparse-checkout", "add", "sub")
    assert (work / "sparse/sub/large.txt").exists()


def test_a_mirror_has_every_ref_and_moves_to_another_repo(live_git_hub: LiveHub, work: Path) -> None:
    live_git_hub.repo("thing")
    other = live_git_hub.repo("other")
    source = clone(live_git_hub, work, "thing", "source")
    commit_file(source, "a.txt", "a")
    git(source, "tag", "v1")
    git(source, "push", "-q", "origin", "main", "main:side", "v1")
    mirror = clone(live_git_hub, work, "thing", "mirror", "--mirror")
    git(mirror, "push", "-q", "--mirror", live_git_hub.address("/ann/other.git", live_git_hub.ann_token))
    assert set(live_git_hub.services.git.refs(other.id)) == {"refs/heads/main", "refs/heads/side", "refs/tags/v1"}
    told = git(work, "ls-remote", "--symref", live_git_hub.address("/ann/other.git"), "HEAD").stdout
    assert told.startswith("ref: refs/heads/main\tHEAD")


@BOTH
def test_a_push_from_a_shallow_clone_is_accepted(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("thing")
    source = clone(live_git_hub, work, "thing", "source")
    commit_file(source, "a.txt", "1")
    commit_file(source, "a.txt", "2")
    git(source, "push", "-q", "origin", "main")
    shallow = clone(live_git_hub, work, "thing", "shallow", "--depth", "1")
    commit = commit_file(shallow, "b.txt", "3")
    git(shallow, "push", "-q", "origin", "main")
    assert head(live_git_hub, repo.id) == commit
    assert live_git_hub.services.git.verify(repo.id) == []


@BOTH
def test_branches_and_tags_are_pushed_forced_and_deleted_but_the_default_branch_stays(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("thing")
    folder = clone(live_git_hub, work, "thing")
    commit_file(folder, "start.txt", "0")
    git(folder, "push", "-q", "origin", "main")
    git(folder, "checkout", "-q", "-b", "feature/x")
    commit_file(folder, "a.txt", "1")
    git(folder, "push", "-q", "origin", "feature/x")
    git(folder, "commit", "-q", "--amend", "-m", "other")
    refused = git(folder, "push", "origin", "feature/x", check=False)
    assert refused.returncode != 0
    git(folder, "push", "-q", "--force", "origin", "feature/x")
    assert live_git_hub.services.git.branches(repo.id)["feature/x"] == git(folder, "rev-parse", "HEAD").stdout.strip()
    git(folder, "push", "-q", "origin", ":feature/x")
    assert set(live_git_hub.services.git.branches(repo.id)) == {"main"}
    kept = git(folder, "push", "origin", ":main", check=False)
    assert kept.returncode != 0
    assert "default branch cannot be deleted" in kept.stderr
    git(folder, "push", "-q", "origin", "main:refs/heads/feature")
    clash = git(folder, "push", "origin", "feature/x", check=False)
    assert "in the way" in clash.stderr


@BOTH
def test_an_atomic_push_changes_all_refs_or_none(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("thing")
    folder = clone(live_git_hub, work, "thing")
    commit_file(folder, "a.txt", "1")
    before = live_git_hub.services.git.refs(repo.id)
    refused = git(folder, "push", "--atomic", "origin", "main", "main:refs/pr/1", check=False)
    assert refused.returncode != 0
    assert live_git_hub.services.git.refs(repo.id) == before
    git(folder, "push", "-q", "--atomic", "origin", "main", "main:refs/heads/other")
    assert set(live_git_hub.services.git.branches(repo.id)) == {"main", "other"}


def test_reserved_refs_are_refused_with_a_reason(live_git_hub: LiveHub, work: Path) -> None:
    live_git_hub.repo("thing")
    folder = clone(live_git_hub, work, "thing")
    commit_file(folder, "a.txt", "1")
    for target, reason in (
        ("refs/pr/1", "there is no such pull request"),
        ("refs/pr/x", "only branches and tags can be pushed"),
        ("refs/convert/parquet", "only branches and tags can be pushed"),
        ("refs/notes/x", "only branches and tags can be pushed"),
    ):
        refused = git(folder, "push", "origin", f"HEAD:{target}", check=False)
        assert refused.returncode != 0
        assert reason in refused.stderr


@BOTH
def test_of_eight_pushes_to_one_branch_at_once_exactly_one_wins(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("thing")
    clones = [clone(live_git_hub, work, "thing", f"c{number}") for number in range(8)]
    commits = [commit_file(folder, f"{folder.name}.txt", folder.name) for folder in clones]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda folder: git(folder, "push", "-q", "origin", "main", check=False), clones))
    winners = [commit for commit, result in zip(commits, done, strict=True) if result.returncode == 0]
    assert len(winners) == 1
    assert head(live_git_hub, repo.id) == winners[0]
    assert live_git_hub.services.git.verify(repo.id) == []


def test_eight_pushes_to_eight_branches_at_once_all_arrive(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("thing")
    clones = [clone(live_git_hub, work, "thing", f"c{number}") for number in range(8)]
    commits = {folder.name: commit_file(folder, f"{folder.name}.txt", folder.name) for folder in clones}
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda folder: git(folder, "push", "-q", "origin", f"main:{folder.name}", check=False), clones))
    assert [result.stderr for result in done if result.returncode] == []
    branches = live_git_hub.services.git.branches(repo.id)
    assert {name: branches[name] for name in commits} == commits


def test_a_commit_by_the_hub_and_a_push_do_not_lose_each_other(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("thing")
    folder = clone(live_git_hub, work, "thing")
    actor = actor_for(live_git_hub.ann)
    live_git_hub.services.files.commit(actor, repo, [FileChange("hub.txt", b"from the hub")], "By the hub")
    commit_file(folder, "client.txt", "from the client")
    assert git(folder, "push", "origin", "main", check=False).returncode != 0
    git(folder, "pull", "-q", "--rebase")
    git(folder, "push", "-q", "origin", "main")
    names = {entry.path for entry in live_git_hub.services.git.tree(repo.id, head(live_git_hub, repo.id))}
    assert {"hub.txt", "client.txt"} <= names


def test_private_repos_ask_for_a_password_and_stay_hidden(live_git_hub: LiveHub, work: Path) -> None:
    live_git_hub.repo("secret", visibility=Visibility.PRIVATE)
    for token, expected in (("", "could not read Username"), ("wrong", "Authentication failed"), (live_git_hub.ben_token, "not found")):
        refused = git(work, "clone", live_git_hub.address("/ann/secret.git", token), "x", check=False)
        assert refused.returncode != 0
        assert expected in refused.stderr
    git(work, "clone", "-q", live_git_hub.address("/ann/secret.git", live_git_hub.ann_token), "mine")


def test_public_repos_are_read_by_all_and_written_by_their_people(live_git_hub: LiveHub, work: Path) -> None:
    live_git_hub.repo("open")
    git(work, "clone", "-q", live_git_hub.address("/ann/open.git"), "anonymous")
    commit_file(work / "anonymous", "a.txt", "1")
    refused = git(work / "anonymous", "push", "origin", "main", check=False)
    assert "could not read Username" in refused.stderr
    foreign = git(work / "anonymous", "push", live_git_hub.address("/ann/open.git", live_git_hub.ben_token), "main", check=False)
    assert foreign.returncode != 0
    assert "403" in foreign.stderr


def test_unreachable_objects_of_another_repo_cannot_be_fetched(live_git_hub: LiveHub, work: Path) -> None:
    live_git_hub.repo("secret", visibility=Visibility.PRIVATE)
    live_git_hub.repo("open")
    secret = clone(live_git_hub, work, "secret", "secret")
    commit = commit_file(secret, "key.txt", "private")
    git(secret, "push", "-q", "origin", "main")
    folder = clone(live_git_hub, work, "open", "open")
    assert git(folder, "fetch", "origin", commit, check=False).returncode != 0


def test_a_body_over_the_limit_is_refused_with_words(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("thing")
    folder = clone(live_git_hub, work, "thing")
    before = head(live_git_hub, repo.id)
    commit_file(folder, "big.bin", os.urandom(66 * 1024 * 1024))
    refused = git(folder, "push", "origin", "main", check=False)
    assert refused.returncode != 0
    assert "more than 64 MiB" in refused.stderr
    assert head(live_git_hub, repo.id) == before


def test_reading_works_after_consolidation_and_on_a_node_without_cache(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("thing")
    folder = clone(live_git_hub, work, "thing")
    for number in range(4):
        commit_file(folder, f"f{number}.txt", str(number))
        git(folder, "push", "-q", "origin", "main")
    assert live_git_hub.services.git.consolidate(repo.id).packs_after == 1
    subprocess.run(["rm", "-rf", str(live_git_hub.services.settings.data_dir / "cache" / "git")], check=True)
    again = clone(live_git_hub, work, "thing", "again")
    assert (again / "f3.txt").read_text() == "3"
    assert git(again, "fsck", "--strict", "--full").returncode == 0


def test_a_push_survives_a_ref_with_every_allowed_character(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("thing")
    folder = clone(live_git_hub, work, "thing")
    name = "feature/日本語-ü_1.0+x@y#z"
    git(folder, "push", "-q", "origin", f"main:refs/heads/{name}")
    assert name in live_git_hub.services.git.branches(repo.id)
    assert name in git(work, "ls-remote", "--heads", live_git_hub.address("/ann/thing.git")).stdout


def test_without_a_git_program_on_the_hub_clone_fetch_and_push_still_work(
    live_git_hub: LiveHub, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (ingest, maintenance, process, upload):
        monkeypatch.setattr(module, "git_binary", lambda: None)
    repo = live_git_hub.repo("thing")
    folder = clone(live_git_hub, work, "thing", "one")
    for number in range(3):
        commit = commit_file(folder, f"f{number}.txt", os.urandom(300_000))
        git(folder, "push", "-q", "origin", "main")
    other = clone(live_git_hub, work, "thing", "two")
    assert git(other, "rev-parse", "HEAD").stdout.strip() == commit
    newest = commit_file(folder, "last.txt", "x")
    git(folder, "push", "-q", "origin", "main")
    git(other, "pull", "-q")
    assert git(other, "rev-parse", "HEAD").stdout.strip() == newest
    assert live_git_hub.services.git.consolidate(repo.id).packs_after == 1
    git(work, "clone", "-q", "--depth", "1", live_git_hub.address("/ann/thing.git"), "shallow")
    assert git(work / "shallow", "fsck", "--strict").returncode == 0


def test_a_renamed_repo_is_served_under_its_old_name(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("old")
    folder = clone(live_git_hub, work, "old")
    live_git_hub.services.repos.move(actor_for(live_git_hub.ann), repo, "new")
    commit = commit_file(folder, "a.txt", "1")
    git(folder, "push", "-q", "origin", "main")
    assert head(live_git_hub, repo.id) == commit


def test_a_deleted_repo_is_gone_for_git(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("thing")
    live_git_hub.services.repos.delete(actor_for(live_git_hub.ann), repo)
    refused = git(work, "clone", live_git_hub.address("/ann/thing.git", live_git_hub.ben_token), "x", check=False)
    assert "not found" in refused.stderr


def test_a_large_file_outside_lfs_is_refused_by_name(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("big")
    before = live_git_hub.services.git.refs(repo.id)
    git(work, "clone", "-q", live_git_hub.address("/ann/big.git", live_git_hub.ann_token), "one")
    commit_file(work / "one", "my model.bin", b"\0" * (101 * 1024 * 1024))
    pushed = git(work / "one", "push", "origin", "HEAD", check=False)
    assert pushed.returncode != 0
    assert "The file 'my model.bin' has 101 MiB; outside Git LFS a file may have 100 MiB." in pushed.stderr
    assert "git lfs migrate import" in pushed.stderr
    assert live_git_hub.services.git.refs(repo.id) == before


def test_the_history_of_the_default_branch_is_rewritten_by_admins_only(live_git_hub: LiveHub, work: Path) -> None:
    repo, services = live_git_hub.repo("thing"), live_git_hub.services
    services.access.grant(actor_for(live_git_hub.ann), repo, "ben", Role.WRITE)
    git(work, "clone", "-q", live_git_hub.address("/ann/thing.git", live_git_hub.ben_token), "clone")
    folder = work / "clone"
    commit_file(folder, "a.txt", "1")
    git(folder, "push", "-q", "origin", "main", "main:topic")
    kept = commit_file(folder, "a.txt", "2")
    git(folder, "push", "-q", "origin", "main", "main:topic")
    git(folder, "reset", "-q", "--hard", "HEAD~1")
    other = commit_file(folder, "a.txt", "3")
    refused = git(folder, "push", "--force", "origin", "main", check=False)
    assert refused.returncode != 0
    assert "Rewriting the history of the default branch 'main' needs the role admin" in refused.stderr
    assert "open a pull request" in refused.stderr
    assert head(live_git_hub, repo.id) == kept
    git(folder, "push", "-q", "--force", "origin", "main:topic")
    with pytest.raises(PermissionDenied):
        services.history.squash(actor_for(live_git_hub.ben), repo, "main")
    # Of the owner it is taken, with a token that is for writing.
    git(folder, "push", "-q", "--force", live_git_hub.address("/ann/thing.git", live_git_hub.ann_token), "main")
    assert head(live_git_hub, repo.id) == other


@BOTH
def test_push_options_are_taken_and_change_nothing(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("thing")
    folder = clone(live_git_hub, work, "thing")
    commit = commit_file(folder, "a.txt", "1")
    git(folder, "push", "-q", "-o", "ci.skip", "-o", "visible=日本", "--atomic", "origin", "main")
    assert head(live_git_hub, repo.id) == commit
    assert live_git_hub.services.repos.find(actor_for(live_git_hub.ann), "ann/thing").visibility == Visibility.PUBLIC

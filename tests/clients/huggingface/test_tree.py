"""Folders, paths, refs and history, as `list_repo_tree`, `get_paths_info`, `list_repo_refs` and `list_repo_commits` read them."""

from __future__ import annotations

import itertools

import httpx
import pytest
from huggingface_hub import RepoFile, RepoFolder
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

from hub_core.authz import Visibility
from hub_core.git import Author
from hub_core.repos.kinds import RepoKind
from tests.common.hf_hub import HfHub

pytestmark = pytest.mark.clients

ANN = Author("Ann", "ann@example.org")
SOME = {"README.md": b"# Hello\n", "data/a.csv": b"1\n", "data/deep/b.bin": b"\0" * 2000, "src/c.py": b"pass\n"}


@pytest.mark.parametrize("prefix", ["", "/hf"])
def test_a_folder_is_listed_with_ids_and_real_sizes(hub: HfHub, prefix: str) -> None:
    repo = hub.repo(SOME)
    found = {item.path: item for item in hub.api("", prefix).list_repo_tree(repo.full_name)}
    assert set(found) == {".gitattributes", "README.md", "data", "src"}
    assert isinstance(found["data"], RepoFolder)
    readme = found["README.md"]
    assert isinstance(readme, RepoFile)
    assert (readme.size, readme.blob_id, readme.lfs) == (
        8,
        hub.services.git.entry(repo.id, hub.services.git.resolve(repo.id), "README.md").sha,
        None,
    )
    (large,) = hub.api().list_repo_tree(repo.full_name, "data/deep")
    assert isinstance(large, RepoFile)
    assert large.lfs is not None
    assert (large.path, large.size, large.lfs.size) == ("data/deep/b.bin", 2000, 2000)
    assert large.lfs.pointer_size == len(hub.services.git.blob(repo.id, large.blob_id))


def test_everything_below_is_listed_with_folders_and_their_files(hub: HfHub) -> None:
    repo = hub.repo(SOME, kind=RepoKind.DATASET)
    paths = [item.path for item in hub.api().list_repo_tree(repo.full_name, recursive=True, repo_type="dataset")]
    assert paths == [".gitattributes", "README.md", "data", "data/a.csv", "data/deep", "data/deep/b.bin", "src", "src/c.py"]
    below = [item.path for item in hub.api().list_repo_tree(repo.full_name, "data", recursive=True, repo_type="dataset")]
    assert below == ["data/a.csv", "data/deep", "data/deep/b.bin"]
    assert set(hub.api().list_repo_files(repo.full_name, repo_type="dataset")) == {*SOME, ".gitattributes"}


def test_a_tree_larger_than_a_page_comes_whole_and_in_order(hub: HfHub) -> None:
    files: dict[str, bytes] = {f"part-{n % 7}/{n % 3}/file-{n:05}.txt": str(n % 11).encode() for n in range(2500)}
    files |= {f"flat-{n:04}.txt": b"x" for n in range(1200)}
    repo = hub.repo(files)
    found = [item.path for item in hub.api().list_repo_tree(repo.full_name, recursive=True)]
    assert len(found) == len(set(found)) == len(files) + 1 + 7 + 7 * 3
    assert {path for path in found if path.endswith(".txt")} == set(files)
    assert found == [item.path for item in hub.services.git.tree(repo.id, hub.services.git.resolve(repo.id), recursive=True)]
    below = [item.path for item in hub.api().list_repo_tree(repo.full_name, "part-3", recursive=True)]
    assert below == [path for path in found if path.startswith("part-3/")]


def test_pages_of_any_size_leave_nothing_out(hub: HfHub) -> None:
    repo = hub.repo(SOME)
    whole = [item["path"] for item in httpx.get(f"{hub.url}/api/models/{repo.full_name}/tree/main?recursive=true").json()]
    for limit in (1, 2, 3):
        url, paths = f"{hub.url}/hf/api/models/{repo.full_name}/tree/main?recursive=True&limit={limit}", []
        for number in itertools.count():
            answer = httpx.get(url)
            paths += [item["path"] for item in answer.json()]
            if "next" not in answer.links:
                break
            url = answer.links["next"]["url"]
            assert url.startswith(f"{hub.url}/hf/api/")
            assert number < 20
        assert paths == whole


def test_the_pages_of_a_branch_that_moves_stay_at_one_commit(hub: HfHub) -> None:
    repo = hub.repo({f"{n}.txt": b"1" for n in range(5)})
    first = httpx.get(f"{hub.url}/api/models/{repo.full_name}/tree/main?limit=2")
    hub.commit(repo, {f"{n}.txt": None for n in range(5)})
    rest = httpx.get(first.links["next"]["url"]).json()
    assert [item["path"] for item in [*first.json(), *rest]] == [".gitattributes", "0.txt", "1.txt", "2.txt"][:4]


def test_expand_tells_the_last_commit_of_each_entry(hub: HfHub) -> None:
    repo = hub.repo(SOME)
    first = hub.services.git.resolve(repo.id)
    second = hub.commit(repo, {"data/a.csv": b"2\n"}, "Correct a number\n\nIt was wrong.")
    found = {item.path: item for item in hub.api().list_repo_tree(repo.full_name, recursive=True, expand=True)}
    commits = {path: item.last_commit.oid for path, item in found.items() if item.last_commit is not None}
    assert commits.keys() == found.keys()
    assert commits["data/a.csv"] == commits["data"] == second
    assert commits["README.md"] == commits["data/deep"] == first
    last = found["data/a.csv"].last_commit
    assert last is not None
    assert last.title == "Correct a number"


def test_more_expanded_entries_than_a_page_holds(hub: HfHub) -> None:
    repo = hub.repo({f"{n:03}.txt": b"1" for n in range(120)})
    found = list(hub.api().list_repo_tree(repo.full_name, expand=True))
    assert len(found) == 121
    assert all(item.last_commit for item in found)


@pytest.mark.parametrize("prefix", ["", "/hf"])
def test_paths_info_leaves_out_what_is_not_there(hub: HfHub, prefix: str) -> None:
    repo = hub.repo(SOME)
    paths = ["README.md", "data", "absent.txt", "data/deep/b.bin", "data/a.csv/x", "../README.md", ""]
    found = {item.path: item for item in hub.api("", prefix).get_paths_info(repo.full_name, paths, expand=True)}
    assert set(found) == {"README.md", "data", "data/deep/b.bin"}
    assert all(item.last_commit for item in found.values())
    large = found["data/deep/b.bin"]
    assert isinstance(large, RepoFile)
    assert large.lfs is not None
    many = [f"absent-{n}" for n in range(1000)]
    assert [item.path for item in hub.api().get_paths_info(repo.full_name, [*many, "src/c.py"])] == ["src/c.py"]


def test_paths_info_takes_json_as_older_clients_send_it(hub: HfHub) -> None:
    repo = hub.repo(SOME)
    url = f"{hub.url}/api/models/{repo.full_name}/paths-info/main"
    assert [item["path"] for item in httpx.post(url, json={"paths": ["src", "nothing"], "expand": False}).json()] == ["src"]
    broken = httpx.post(url, content=b'{"paths": "src\\ud800"}', headers={"content-type": "application/json"})
    assert broken.json() == []
    assert httpx.post(url, json={"paths": [1]}).status_code == 400
    assert httpx.post(url, json={"paths": ["a"] * 6000}).status_code == 400
    assert httpx.post(url, data={"paths": ["a"] * 6000}).status_code == 400


def test_what_is_not_there_says_what_is_missing(hub: HfHub) -> None:
    repo, hidden = hub.repo(SOME), hub.repo(SOME, visibility=Visibility.PRIVATE)
    with pytest.raises(EntryNotFoundError):
        list(hub.api().list_repo_tree(repo.full_name, "additional_chat_templates"))
    with pytest.raises(EntryNotFoundError):
        list(hub.api().list_repo_tree(repo.full_name, "README.md"))
    with pytest.raises(RevisionNotFoundError):
        list(hub.api().list_repo_tree(repo.full_name, revision="absent"))
    with pytest.raises(RevisionNotFoundError):
        hub.api().get_paths_info(repo.full_name, ["README.md"], revision="absent")
    for call in (hub.api("").list_repo_refs, hub.api(hub.ben_token).list_repo_commits, hub.api(hub.ben_token).list_repo_files):
        with pytest.raises(RepositoryNotFoundError):
            call(hidden.full_name)
    for cursor in ("nonsense", "MDAw", "%ff", "eA"):
        for list_of in ("tree", "commits"):
            assert httpx.get(f"{hub.url}/api/models/{repo.full_name}/{list_of}/main?cursor={cursor}").status_code == 400
    assert httpx.get(f"{hub.url}/api/models/{repo.full_name}/tree/main?limit=-1").status_code == 400


def test_refs_are_told_by_kind_with_the_commits_behind_them(hub: HfHub) -> None:
    repo = hub.repo(SOME)
    git, commit = hub.services.git, hub.services.git.resolve(repo.id)
    git.create_branch(repo.id, "feat/x", commit)
    git.create_tag(repo.id, "v1.0", commit, "A release", ANN)
    git.create_tag(repo.id, "light", commit)
    refs = hub.api("").list_repo_refs(repo.full_name)
    assert {(ref.name, ref.ref, ref.target_commit) for ref in refs.branches} == {
        ("main", "refs/heads/main", commit),
        ("feat/x", "refs/heads/feat/x", commit),
    }
    assert {(ref.name, ref.target_commit) for ref in refs.tags} == {("v1.0", commit), ("light", commit)}
    assert refs.converts == []
    assert hub.api().list_repo_refs(repo.full_name, include_pull_requests=True).pull_requests == []
    assert [item.path for item in hub.api().list_repo_tree(repo.full_name, "src", revision="feat/x")] == ["src/c.py"]
    assert [item.path for item in hub.api().list_repo_tree(repo.full_name, "src", revision="v1.0")] == ["src/c.py"]


def test_history_comes_newest_first_and_in_pages(hub: HfHub) -> None:
    repo = hub.repo(SOME)
    last = hub.commit(repo, {"a.txt": b"1"}, "Add <a>\n\nBecause of b.")
    commits = hub.api().list_repo_commits(repo.full_name, formatted=True)
    assert [commit.title for commit in commits] == ["Add <a>", "Add files", "Initial commit"]
    assert (commits[0].commit_id, commits[0].authors, commits[0].message) == (last, ["ann"], "Because of b.")
    assert commits[0].formatted_title == "Add &lt;a&gt;"
    url, ids = f"{hub.url}/api/models/{repo.full_name}/commits/main?limit=1", []
    while url:
        answer = httpx.get(url)
        ids += [item["id"] for item in answer.json()]
        url = answer.links["next"]["url"] if "next" in answer.links else ""
    assert ids == [commit.commit_id for commit in commits]
    assert [commit.commit_id for commit in hub.api().list_repo_commits(repo.full_name, revision=ids[1])] == ids[1:]

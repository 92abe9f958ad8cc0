"""Discussions and pull requests by the real clients: huggingface_hub, `hf` and git."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from huggingface_hub import (
    CommitOperationAdd,
    DiscussionComment,
    DiscussionCommit,
    DiscussionStatusChange,
    DiscussionTitleChange,
    HfApi,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from hub_core.authz import Scope, Visibility
from hub_core.repos.kinds import RepoKind
from tests.common.factories import actor_for
from tests.common.git_client import commit_file, git
from tests.common.hf_hub import HfHub
from tests.common.hf_write import new_repo

pytestmark = pytest.mark.clients


@pytest.fixture
def ben(hub: HfHub) -> HfApi:
    """Ben, who may only read what is Ann's."""
    return hub.api(hub.ben_token)


def refused(status: int, act: Callable[[], object]) -> str:
    with pytest.raises(HfHubHTTPError) as error:
        act()
    assert error.value.response.status_code == status, error.value
    return str(error.value)


@pytest.mark.parametrize("repo_type", [None, "dataset", "space"])
def test_a_discussion_is_opened_commented_renamed_and_closed(hub: HfHub, ben: HfApi, repo_type: str | None) -> None:
    kind = {None: RepoKind.MODEL, "dataset": RepoKind.DATASET, "space": RepoKind.SPACE}[repo_type]
    repo_id = hub.repo(kind=kind).full_name
    made = ben.create_discussion(repo_id, " Wrong licence ", description="It is **MIT**", repo_type=repo_type)
    assert (made.num, made.title, made.status, made.author, made.is_pull_request) == (1, "Wrong licence", "open", "ben", False)
    assert (made.repo_id, made.repo_type) == (repo_id, repo_type or "model")
    assert made.url == f"{hub.url}/{f'{repo_type}s/' if repo_type else ''}{repo_id}/discussions/1"
    assert (made.diff, made.conflicting_files, made.target_branch, made.git_reference) == (None, None, None, None)
    said = hub.api().comment_discussion(repo_id, 1, "Is it?\n<b>really</b>", repo_type=repo_type)
    assert (said.author, said.content, said.edited, said.hidden) == ("ann", "Is it?\n<b>really</b>", False, False)
    assert "<b>" not in said.rendered
    renamed = ben.rename_discussion(repo_id, 1, "Wrong licence in the card", repo_type=repo_type)
    assert (renamed.old_title, renamed.new_title) == ("Wrong licence", "Wrong licence in the card")
    closed = hub.api().change_discussion_status(repo_id, 1, "closed", comment="Done.", repo_type=repo_type)
    assert closed.new_status == "closed"
    found = hub.api("").get_discussion_details(repo_id, 1, repo_type=repo_type)
    assert (found.status, found.title) == ("closed", "Wrong licence in the card")
    assert [type(event) for event in found.events] == [
        DiscussionComment,
        DiscussionComment,
        DiscussionTitleChange,
        DiscussionComment,
        DiscussionStatusChange,
    ]
    assert [event.author for event in found.events] == ["ben", "ann", "ben", "ann", "ann"]
    assert found.events[0].created_at <= found.events[-1].created_at
    reopened = ben.change_discussion_status(repo_id, 1, "open", repo_type=repo_type)
    assert reopened.new_status == "open"


def test_comments_are_edited_by_their_author_and_hidden_for_good(hub: HfHub, ben: HfApi) -> None:
    repo_id = new_repo(hub)
    ben.create_discussion(repo_id, "Question", description="Why?")
    said = ben.comment_discussion(repo_id, 1, "First")
    refused(403, lambda: hub.api().edit_discussion_comment(repo_id, 1, said.id, "Not mine"))
    edited = ben.edit_discussion_comment(repo_id, 1, said.id, "Second")
    assert (edited.content, edited.edited, edited.number_of_edits) == ("Second", True, 1)
    assert edited.edit_history[0]["raw"] == "First"
    assert edited.last_edited_by == "ben"
    assert edited.last_edited_at >= said.created_at
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert hub.api().hide_discussion_comment(repo_id, 1, said.id).hidden
    found = ben.get_discussion_details(repo_id, 1).events[1]
    assert isinstance(found, DiscussionComment)
    assert found.hidden
    assert "First" not in str(found._event)
    assert "Second" not in str(found._event)
    refused(404, lambda: ben.edit_discussion_comment(repo_id, 1, "f" * 24, "x"))
    refused(404, lambda: ben.edit_discussion_comment(repo_id, 1, "zzz", "x"))


def test_lists_have_pages_and_filters(hub: HfHub, ben: HfApi) -> None:
    repo_id = new_repo(hub)
    for index in range(53):
        ben.create_discussion(repo_id, f"Talk {index}")
    hub.api().create_pull_request(repo_id, "Change")
    hub.api().change_discussion_status(repo_id, 2, "closed")
    api = hub.api("")
    assert [item.num for item in api.get_repo_discussions(repo_id)] == list(range(54, 0, -1))
    assert [item.num for item in api.get_repo_discussions(repo_id, discussion_type="pull_request")] == [54]
    assert [item.num for item in api.get_repo_discussions(repo_id, discussion_status="closed")] == [2]
    assert len(list(api.get_repo_discussions(repo_id, discussion_type="discussion", discussion_status="open"))) == 52
    assert [item.status for item in api.get_repo_discussions(repo_id, author="ann")] == ["draft"]
    for query in ("p=x", "p=-1", "type=issue", "status=done", f"p={'9' * 30}"):
        answer = httpx.get(f"{hub.url}/api/models/{repo_id}/discussions?{query}")
        assert answer.status_code == 400, query


def test_a_reader_proposes_a_change_and_the_owner_merges_it(hub: HfHub, ben: HfApi, tmp_path: Path) -> None:
    repo = hub.repo({"config.json": b'{"a": 1}\n'})
    made = ben.create_pull_request(repo.full_name, "Better config", description="See the diff.")
    assert (made.status, made.target_branch, made.git_reference, made.conflicting_files) == ("draft", "refs/heads/main", "refs/pr/1", [])
    assert made.diff == ""
    assert made.merge_commit_oid is None
    done = ben.create_commit(
        repo.full_name,
        [CommitOperationAdd("config.json", b'{"a": 2}\n'), CommitOperationAdd("card.md", b"card\n")],
        commit_message="Set a to 2",
        revision="refs/pr/1",
    )
    assert done.pr_url is None
    found = ben.get_discussion_details(repo.full_name, 1)
    assert [(event.summary, event.oid) for event in found.events if isinstance(event, DiscussionCommit)] == [("Set a to 2", done.oid)]
    assert found.diff is not None
    assert found.diff.splitlines() == [
        "diff --git a/card.md b/card.md", "new file mode 100644", "--- /dev/null", "+++ b/card.md", "@@ -0,0 +1 @@", "+card",
        "diff --git a/config.json b/config.json", "--- a/config.json", "+++ b/config.json", "@@ -1 +1 @@", '-{"a": 1}', '+{"a": 2}',
    ]  # fmt: skip
    (tmp_path / "diff").write_text(found.diff)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", f"{hub.url}/{repo.full_name}", "clone")
    git(clone, "apply", "--check", str(tmp_path / "diff"))
    path = hf_hub_download(
        repo.full_name, "config.json", revision="refs/pr/1", endpoint=hub.url, token=hub.ben_token, cache_dir=tmp_path / "cache"
    )
    assert Path(path).read_bytes() == b'{"a": 2}\n'
    refs = ben.list_repo_refs(repo.full_name, include_pull_requests=True)
    assert [(ref.name, ref.ref, ref.target_commit) for ref in refs.pull_requests or []] == [("1", "refs/pr/1", done.oid)]
    assert ben.repo_info(repo.full_name, revision="refs/pr/1").sha == done.oid
    refused(403, lambda: ben.merge_pull_request(repo.full_name, 1))
    hub.api().change_discussion_status(repo.full_name, 1, "open")
    hub.api().merge_pull_request(repo.full_name, 1, comment="Thanks!")
    merged = ben.get_discussion_details(repo.full_name, 1)
    assert (merged.status, merged.merge_commit_oid) == ("merged", ben.repo_info(repo.full_name).sha)
    assert merged.diff == found.diff
    assert [event.new_status for event in merged.events if isinstance(event, DiscussionStatusChange)] == ["open", "merged"]
    refused(409, lambda: hub.api().merge_pull_request(repo.full_name, 1))
    refused(409, lambda: hub.api().change_discussion_status(repo.full_name, 1, "open"))


def test_one_call_commits_and_opens_the_pull_request(hub: HfHub, ben: HfApi) -> None:
    repo = hub.repo({"a.txt": b"a\n"})
    head = ben.repo_info(repo.full_name).sha
    made = ben.upload_file(
        path_or_fileobj=b"b\n",
        path_in_repo="b.txt",
        repo_id=repo.full_name,
        create_pr=True,
        commit_message="Add b",
        commit_description="Why",
    )
    assert (made.pr_num, made.pr_revision, made.pr_url) == (1, "refs/pr/1", f"{hub.url}/{repo.full_name}/discussions/1")
    assert ben.repo_info(repo.full_name).sha == head
    details = ben.get_discussion_details(repo.full_name, 1)
    assert (details.title, details.status, details.author) == ("Add b", "open", "ben")
    assert [event.content for event in details.events if isinstance(event, DiscussionComment)] == ["Why"]
    later = hub.commit(repo, {"c.txt": b"c\n"})
    parent = ben.delete_file("a.txt", repo.full_name, create_pr=True, parent_commit=head)
    assert hub.services.git.commit_info(repo.id, parent.oid).parents == [head] != [later]
    assert ben.get_discussion_details(repo.full_name, 2).conflicting_files == []
    refused(404, lambda: ben.delete_file("nosuch.txt", repo.full_name, create_pr=True))
    assert len(list(ben.get_repo_discussions(repo.full_name))) == 2


def test_a_folder_goes_up_as_a_pull_request_in_several_steps(hub: HfHub, ben: HfApi, tmp_path: Path) -> None:
    repo = hub.repo({"kept.txt": b"kept\n"})
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("a\n")
    (folder / "b.txt").write_text("b\n")
    made = ben.upload_folder(repo_id=repo.full_name, folder_path=folder, create_pr=True, commit_message="Add two")
    assert made.pr_revision == "refs/pr/1"
    assert ben.get_discussion_details(repo.full_name, 1).status == "draft"
    got = snapshot_download(repo.full_name, revision="refs/pr/1", endpoint=hub.url, token=hub.ben_token, cache_dir=tmp_path / "cache")
    assert {path.name for path in Path(got).iterdir()} >= {"a.txt", "b.txt", "kept.txt"}
    # Ann may bring large files, by Xet as the client does.
    (folder / "weights.safetensors").write_bytes(os.urandom(300_000))
    large = hub.api().upload_folder(repo_id=repo.full_name, folder_path=folder, create_pr=True, commit_message="Add weights")
    assert large.pr_num == 2
    hub.api().merge_pull_request(repo.full_name, 2)
    path = hf_hub_download(repo.full_name, "weights.safetensors", endpoint=hub.url, token=hub.ben_token, cache_dir=tmp_path / "more")
    assert Path(path).read_bytes() == (folder / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("without_xet", [False, True])
def test_large_files_of_a_reader_are_refused_with_a_reason(
    hub: HfHub, ben: HfApi, monkeypatch: pytest.MonkeyPatch, without_xet: bool
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", without_xet)
    repo = hub.repo()
    operations = [CommitOperationAdd("weights.safetensors", os.urandom(2000))]
    said = refused(403, lambda: ben.create_commit(repo.full_name, operations, commit_message="Add weights", create_pr=True))
    assert "'weights.safetensors' belongs in LFS" in said
    assert "Leave large files out" in said
    assert list(ben.get_repo_discussions(repo.full_name)) == []
    ben.create_pull_request(repo.full_name, "Mine")
    said = refused(403, lambda: ben.create_commit(repo.full_name, operations, commit_message="Add weights", revision="refs/pr/1"))
    assert "belongs in LFS" in said


def test_a_reader_commits_to_the_own_pull_request_only(hub: HfHub, ben: HfApi) -> None:
    repo = hub.repo({"a.txt": b"a\n"})
    hub.api().create_pull_request(repo.full_name, "Ann's")

    def commit(revision: str, api: HfApi = ben, path: str = "b.txt") -> Callable[[], object]:
        return lambda: api.create_commit(repo.full_name, [CommitOperationAdd(path, b"b\n")], commit_message="x", revision=revision)

    refused(403, commit("refs/pr/1"))
    refused(403, commit("main"))
    with pytest.raises(RevisionNotFoundError):
        commit("refs/pr/7")()
    ben.create_pull_request(repo.full_name, "Ben's")
    commit("refs/pr/2")()
    commit("refs/pr/2", hub.api(), "c.txt")()
    ben.change_discussion_status(repo.full_name, 2, "closed")
    refused(409, commit("refs/pr/2"))


def test_conflicts_are_listed_and_settled_by_git(hub: HfHub, ben: HfApi, tmp_path: Path) -> None:
    repo = hub.repo({"a.txt": b"one\ntwo\n"})
    ben.create_commit(repo.full_name, [CommitOperationAdd("a.txt", b"one\n2\n")], commit_message="Digits", create_pr=True)
    hub.commit(repo, {"a.txt": b"one\nzwei\n"})
    assert ben.get_discussion_details(repo.full_name, 1).conflicting_files == ["a.txt"]
    with pytest.raises(HfHubHTTPError) as conflict:
        hub.api().merge_pull_request(repo.full_name, 1)
    assert conflict.value.response.status_code == 409
    assert conflict.value.response.headers["X-Error-Code"] == "merge_conflict"
    assert "a.txt" in str(conflict.value)
    address = hub.url.replace("://", f"://ben:{hub.ben_token}@") + f"/{repo.full_name}.git"
    git(tmp_path, "clone", "-q", address, "clone")
    clone = tmp_path / "clone"
    git(clone, "fetch", "-q", "origin", "refs/pr/1:pr")
    git(clone, "checkout", "-q", "pr")
    git(clone, "merge", "-q", "-X", "ours", "origin/main")
    git(clone, "push", "-q", "origin", "pr:refs/pr/1")
    details = ben.get_discussion_details(repo.full_name, 1)
    assert details.conflicting_files == []
    hub.api().merge_pull_request(repo.full_name, 1)
    git(clone, "pull", "-q", "origin", "main")
    assert (clone / "a.txt").read_text() == "one\n2\n"
    assert hub.services.git.verify(repo.id) == []


def test_git_pushes_to_the_own_pull_request_and_nowhere_else(hub: HfHub, ben: HfApi, tmp_path: Path) -> None:
    repo = hub.repo({"a.txt": b"a\n"})
    address = hub.url.replace("://", f"://ben:{hub.ben_token}@") + f"/{repo.full_name}.git"
    git(tmp_path, "clone", "-q", address, "clone")
    clone = tmp_path / "clone"
    git(clone, "lfs", "install", "--local")
    git(clone, "config", "lfs.locksverify", "true")
    first = commit_file(clone, "b.txt", "b\n", "Add b")
    before = hub.services.git.refs(repo.id)
    assert "403" in git(clone, "push", "origin", "HEAD:refs/pr/1", check=False).stderr, "a reader without a pull request pushes nothing"
    ben.create_pull_request(repo.full_name, "Add b")
    hub.api().create_pull_request(repo.full_name, "Ann's")
    git(clone, "push", "-q", "origin", "HEAD:refs/pr/1")
    assert hub.services.git.refs(repo.id)["refs/pr/1"] == first
    for target in ("main", "refs/heads/new", "refs/tags/v1", "refs/pr/2", "refs/pr/9"):
        refused_push = git(clone, "push", "origin", f"HEAD:{target}", check=False)
        assert refused_push.returncode != 0, target
    assert git(clone, "push", "origin", ":refs/pr/1", check=False).returncode != 0
    git(clone, "commit", "-q", "--amend", "-m", "Add b, better said")
    assert git(clone, "push", "origin", "HEAD:refs/pr/1", check=False).returncode != 0
    git(clone, "push", "-q", "--force", "origin", "HEAD:refs/pr/1")
    last = git(clone, "rev-parse", "HEAD").stdout.strip()
    now = hub.services.git.refs(repo.id)
    assert now == {**before, "refs/pr/1": last, "refs/pr/2": before["refs/heads/main"]}
    (clone / "w.bin").write_bytes(os.urandom(3000))
    git(clone, "add", ".")
    git(clone, "commit", "-q", "-m", "Large")
    large = git(clone, "push", "origin", "HEAD:refs/pr/1", check=False)
    assert large.returncode != 0
    assert "role" in large.stderr
    assert hub.services.git.refs(repo.id)["refs/pr/1"] == last
    commits = [event.summary for event in ben.get_discussion_details(repo.full_name, 1).events if isinstance(event, DiscussionCommit)]
    assert commits == ["Add b", "Add b, better said"]


def test_a_clone_does_not_bring_pull_requests_unless_asked(hub: HfHub, ben: HfApi, tmp_path: Path) -> None:
    repo = hub.repo({"a.txt": b"a\n"})
    made = ben.create_commit(repo.full_name, [CommitOperationAdd("b.txt", b"b\n")], commit_message="Add b", create_pr=True)
    git(tmp_path, "clone", "-q", f"{hub.url}/{repo.full_name}", "clone")
    assert not (tmp_path / "clone/b.txt").exists()
    assert made.oid not in git(tmp_path / "clone", "rev-list", "--all").stdout
    git(tmp_path / "clone", "fetch", "-q", "origin", "refs/pr/1")
    assert git(tmp_path / "clone", "rev-parse", "FETCH_HEAD").stdout.strip() == made.oid


def test_of_a_hidden_repo_nothing_is_told(hub: HfHub, ben: HfApi) -> None:
    repo = hub.repo({"a.txt": b"a\n"}, visibility=Visibility.PRIVATE)
    hub.api().create_discussion(repo.full_name, "Secret")
    acts: list[Callable[[str], object]] = [
        lambda repo_id: list(ben.get_repo_discussions(repo_id)),
        lambda repo_id: ben.get_discussion_details(repo_id, 1),
        lambda repo_id: ben.create_discussion(repo_id, "Mine"),
        lambda repo_id: ben.create_pull_request(repo_id, "Mine"),
        lambda repo_id: ben.comment_discussion(repo_id, 1, "x"),
        lambda repo_id: ben.merge_pull_request(repo_id, 1),
        lambda repo_id: ben.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo_id, create_pr=True),
        lambda repo_id: ben.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo_id, revision="refs/pr/1"),
    ]
    for act in acts:
        said = []
        for repo_id in (repo.full_name, "ann/nosuch"):
            with pytest.raises(RepositoryNotFoundError) as error:
                act(repo_id)
            said.append((error.value.response.status_code, error.value.response.text.replace(repo_id, "REPO")))
        assert said[0] == said[1]


def test_without_a_credential_that_writes_people_only_read(hub: HfHub) -> None:
    repo = hub.repo()
    hub.api().create_discussion(repo.full_name, "Question")
    reader = hub.api(hub.services.tokens.create(actor_for(hub.ben), f"r-{repo.name}", Scope.READ).token)
    assert reader.get_discussion_details(repo.full_name, 1).title == "Question"
    for api, status in ((reader, 403), (hub.api(""), 401)):
        refused(status, lambda api=api: api.create_discussion(repo.full_name, "Mine"))
        refused(status, lambda api=api: api.comment_discussion(repo.full_name, 1, "x"))
        refused(status, lambda api=api: api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo.full_name, create_pr=True))


@pytest.mark.parametrize("title", ["x" * 201, "", "\0", "\n"])
def test_hostile_titles_are_refused_or_cleaned(hub: HfHub, ben: HfApi, title: str) -> None:
    repo = hub.repo()
    refused(400, lambda: ben.create_discussion(repo.full_name, title))
    made = ben.create_discussion(
        repo.full_name, "a\0b\r\nX-Evil: 1 \u202egpj.exe <img src=x onerror=alert(1)>", description="\0\x1b[2J</p><script>"
    )
    assert made.title == "a b X-Evil: 1 gpj.exe <img src=x onerror=alert(1)>"
    comment = made.events[0]
    assert isinstance(comment, DiscussionComment)
    assert comment.content == "[2J</p><script>"
    assert "<script>" not in comment.rendered


@pytest.mark.parametrize("number", ["0", "-1", "x", "1e3", "99999999999999999999", "2147483648", "%00"])
def test_numbers_that_are_none_are_not_found(hub: HfHub, number: str) -> None:
    repo = hub.repo()
    hub.api().create_discussion(repo.full_name, "One")
    for path in ("", "/comment", "/merge", "/title"):
        answer = httpx.request(
            "POST" if path else "GET",
            f"{hub.url}/api/models/{repo.full_name}/discussions/{number}{path}",
            headers={"Authorization": f"Bearer {hub.ann_token}"},
            json={"comment": "x", "title": "x"} if path else None,
        )
        assert answer.status_code == 404, (number, path, answer.text)


def test_many_who_open_at_once_get_numbers_of_their_own(hub: HfHub, ben: HfApi) -> None:
    repo = hub.repo()

    def propose(index: int) -> int:
        api = ben if index % 2 else hub.api()
        made = api.upload_file(path_or_fileobj=b"x", path_in_repo=f"{index}.txt", repo_id=repo.full_name, create_pr=True)
        assert made.pr_num is not None
        return made.pr_num

    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(propose, range(12)))
    assert sorted(numbers) == list(range(1, 13))
    assert {f"refs/pr/{number}" for number in numbers} <= set(hub.services.git.refs(repo.id))

"""`hf discussions` as people type it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.huggingface.test_hf_command import Terminal, terminal  # noqa: F401
from tests.common.hf_hub import HfHub

pytestmark = [pytest.mark.clients, pytest.mark.parametrize("hub", ["local"], indirect=True)]


def test_discussions_from_the_terminal(hub: HfHub, terminal: Terminal, tmp_path: Path) -> None:  # noqa: F811
    repo = hub.repo({"a.txt": b"a\n"}).full_name
    terminal.hf("discussions", "create", repo, "--title", "Wrong licence", "--body", "It is MIT")
    terminal.hf("discussions", "create", repo, "--title", "Add b", "--pull-request")
    assert "Wrong licence" in terminal.hf("discussions", "list", repo)
    assert "Add b" in terminal.hf("discussions", "list", repo, "--kind", "pull_request", "--status", "draft")
    said = terminal.hf("discussions", "comment", repo, "1", "--body", "Thanks")
    comment = hub.api().get_discussion_details(repo, 1).events[1].id
    assert said
    terminal.hf("discussions", "edit", repo, "1", comment, "--body", "Thanks a lot")
    terminal.hf("discussions", "close", repo, "1", "--comment", "Done", "--yes")
    assert "Wrong licence" in terminal.hf("discussions", "list", repo, "--status", "closed")
    terminal.hf("discussions", "reopen", repo, "1", "--yes")
    terminal.hf("discussions", "rename", repo, "1", "Wrong licence in the card")
    shown = terminal.hf("discussions", "info", repo, "1", "--format", "json")
    assert "Wrong licence in the card" in shown
    assert "Thanks a lot" in shown
    (tmp_path / "b.txt").write_text("b\n")
    terminal.hf("upload", repo, str(tmp_path / "b.txt"), "b.txt", "--revision", "refs/pr/2")
    assert "+b" in terminal.hf("discussions", "diff", repo, "2")
    terminal.hf("discussions", "merge", repo, "2", "--yes")
    assert hub.api().get_discussion_details(repo, 2).status == "merged"
    terminal.hf("upload", repo, str(tmp_path / "b.txt"), "c.txt", "--create-pr")
    assert hub.api().get_discussion_details(repo, 3).is_pull_request

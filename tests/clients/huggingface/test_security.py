"""What a scan found, as the real client shows it to readers."""

from __future__ import annotations

import os
import pickle

from huggingface_hub.hf_api import RepoFile

from tests.common.hf_hub import HfHub
from tests.common.working import work
from tests.unit.scanning.test_pickles import Runs
from tests.unit.scanning.test_secrets import SAMPLES


def test_readers_are_told_of_unsafe_files_and_not_of_secrets(hub: HfHub) -> None:
    repo = hub.repo(
        {"evil.pkl": pickle.dumps(Runs(os.system, "true")), "fine.pkl": pickle.dumps({"a": 1}), "config.py": SAMPLES[1][1].encode()}
    )
    ben = hub.api(hub.ben_token)
    assert ben.model_info(repo.full_name, expand=["securityRepoStatus"]).security_repo_status == {"scansDone": False, "filesWithIssues": []}
    work(hub.services)
    info = ben.model_info(repo.full_name, expand=["securityRepoStatus"])
    assert info.security_repo_status == {"scansDone": True, "filesWithIssues": [{"path": "evil.pkl", "level": "unsafe"}]}
    files = {file.path: file for file in ben.list_repo_tree(repo.full_name, expand=True) if isinstance(file, RepoFile)}
    assert {path: file.security.status for path, file in files.items() if file.security} == {
        ".gitattributes": "safe", "config.py": "safe", "evil.pkl": "unsafe", "fine.pkl": "safe",
    }  # fmt: skip
    security = files["evil.pkl"].security
    assert security is not None
    assert security.pickle_import_scan == {
        "status": "unsafe", "pickleImports": [{"module": "posix", "name": "system", "safety": "dangerous"}],
    }  # fmt: skip

"""Spaces from a sentence's tool to an app that answers, and back."""

from __future__ import annotations

import httpx
import pytest

from hub_core.authz import Visibility
from hub_core.errors import HubError, InvalidInput, PermissionDenied
from hub_core.repos.tables import Repo
from hub_core.running_errors import DeploymentNotFound, ImagesNotBuilt, NoSuchHardware, NotIsolated
from hub_core.spaces.service import Setting
from tests.common.spaces import SpacesHub
from tests.common.working import wait_until


def environment(hub: SpacesHub, repo: Repo) -> dict[str, str]:
    found: dict[str, str] = httpx.get(
        f"{hub.url}/spaces/{repo.full_name}/app/environment", headers={"authorization": f"Bearer {hub.token}"}, timeout=60
    ).json()
    return found


def test_a_space_runs_with_its_settings_sleeps_wakes_and_stops(hub: SpacesHub) -> None:
    repo, runs = hub.space("life"), hub.services.space_runs
    assert runs.state(hub.ann, repo).stage == "STOPPED"
    hub.services.spaces.set(hub.ann, repo, [Setting("LANG_OF_APP", "ja"), Setting("KEY", "very-secret", secret=True)])
    hub.run(repo)
    known = environment(hub, repo)
    assert (known["LANG_OF_APP"], known["KEY"], known["SPACE_ID"]) == ("ja", "very-secret", "ann/life")
    assert "GET /environment" in "".join(runs.logs(hub.ann, repo, 50).values())

    found = runs.found(hub.ann, repo)
    hub.services.deployments.scale(hub.ann, found, 0)
    hub.reach(repo, "SLEEPING")
    assert environment(hub, repo)["KEY"] == "very-secret"  # a request woke it, and waited
    hub.services.deployments.scale(hub.ann, runs.found(hub.ann, repo), 0)
    hub.reach(repo, "SLEEPING")
    with hub.signed_in() as browser:
        assert 'http-equiv="refresh"' in browser.get("/spaces/ann/life/app").text  # a page that waits, and woke it
        hub.reach(repo, "RUNNING")
        place = hub.address(browser, repo)
        runs.stop(hub.ann, repo)
        hub.reach(repo, "PAUSED")
        assert "This Space is stopped" in browser.get("/spaces/ann/life/app").text
        assert browser.get(f"{place}/echo").status_code == 409  # nobody's visit starts what somebody stopped
    wait_until(lambda: not any((hub.services.platform.data_dir / "local").glob("*/*/pid.json")), 30)


def test_another_secret_or_commit_reaches_the_app(hub: SpacesHub) -> None:
    repo, runs = hub.space("changing"), hub.services.space_runs
    hub.run(repo)
    assert not runs.plan(hub.ann, repo).changes
    hub.services.spaces.set(hub.ann, repo, [Setting("ADDED", "later")])
    wait_until(lambda: environment(hub, repo).get("ADDED") == "later", 60)  # it is started anew by itself
    commit = hub.commit(repo, **{"text.txt": "new"})
    planned = runs.plan(hub.ann, repo)
    assert planned.spec is not None
    assert planned.spec.commit == commit
    hub.run(repo)
    headers = {"authorization": f"Bearer {hub.token}"}

    def text() -> str:
        return httpx.get(f"{hub.url}/spaces/ann/changing/app/written?path=text.txt", headers=headers, timeout=60).text

    wait_until(lambda: text() == "new", 60)
    runs.stop(hub.ann, repo)


def test_what_cannot_run_says_why(hub: SpacesHub) -> None:
    runs = hub.services.space_runs
    wrong: list[tuple[dict[str, str], type[HubError], str]] = [
        ({"README.md": "no card"}, InvalidInput, "names no sdk"),
        ({"README.md": "---\nsdk: flash\n---\n"}, InvalidInput, "not known"),
        ({"README.md": "---\nsdk: gradio\n---\n"}, InvalidInput, "no file 'app.py'"),
        ({"README.md": "---\nsdk: gradio\napp_file: ../x.py\n---\n"}, InvalidInput, "no file"),
        ({"README.md": "---\nsdk: docker\n---\n", "Dockerfile": "FROM x"}, ImagesNotBuilt, "nothing builds images"),
        ({"app.py": "", "requirements.txt": "numpy\n-i http://169.254.169.254/\n"}, InvalidInput, "Line 2"),
        ({"app.py": "", "requirements.txt": "-e ."}, InvalidInput, "Line 1"),
        ({"app.py": "", "README.md": "---\nsdk: gradio\nsdk_version: ../evil\n---\n"}, InvalidInput, "no version"),
    ]
    for number, (files, kind, says) in enumerate(wrong):
        repo = hub.space(f"wrong-{number}", **files)
        with pytest.raises(kind, match=says):
            runs.plan(hub.ann, repo)
    with pytest.raises(NoSuchHardware):
        runs.plan(hub.ann, hub.space("greedy"), "a10")


def test_only_who_may_write_runs_stops_and_reads_logs(hub: SpacesHub, app: Repo) -> None:
    runs = hub.services.space_runs
    with pytest.raises(HubError):
        runs.plan(hub.bob, app)
    seen = hub.space("seen", visibility=Visibility.INTERNAL)
    for act in (lambda: runs.plan(hub.bob, seen), lambda: runs.stop(hub.bob, seen), lambda: runs.logs(hub.bob, seen, 1)):
        with pytest.raises((PermissionDenied, InvalidInput)):
            act()
    assert runs.state(hub.bob, seen).stage == "STOPPED"


def test_an_app_is_no_model(hub: SpacesHub, app: Repo) -> None:
    headers = {"authorization": f"Bearer {hub.token}"}
    assert httpx.get(f"{hub.url}/v1/models", headers=headers).json()["data"] == []
    assert httpx.get(f"{hub.url}/v1/models/ann/app", headers=headers).status_code == 404
    body = {"model": "ann/app", "messages": [{"role": "user", "content": "Hi"}]}
    assert httpx.post(f"{hub.url}/v1/chat/completions", headers=headers, json=body).status_code == 404
    with pytest.raises(DeploymentNotFound):
        hub.services.deployments.target(hub.ann, "ann/app")
    assert [view.task for view in hub.services.deployments.list_deployments(hub.ann, owner="ann").items if view.name == "ann/app"] == [
        "app"
    ]


def test_a_deleted_space_stops(hub: SpacesHub) -> None:
    repo = hub.space("gone")
    hub.run(repo)
    with hub.signed_in() as browser:
        place = hub.address(browser, repo)
        hub.services.repos.delete(hub.ann, repo)
        assert browser.get(f"{place}/echo").status_code == 404
    wait_until(lambda: (state := hub.services.space_runs.known(repo.id)) is not None and state.stage == "PAUSED", 30)


def test_where_nothing_can_be_shut_in_nothing_runs(hub: SpacesHub, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = hub.space("open-door")
    monkeypatch.setattr("hub_core.clusters.local.cluster.missing", lambda: "new namespaces: Operation not permitted")
    with pytest.raises(NotIsolated, match="new namespaces"):
        hub.services.space_runs.plan(hub.ann, repo)

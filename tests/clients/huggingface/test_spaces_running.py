"""Spaces that run, driven by the real client and the `hf` command; and the app itself, asked as its own client does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, SpaceHardware, Volume
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RepositoryNotFoundError

from hub_core.authz import Visibility
from hub_core.settings import Settings
from tests.clients.huggingface.test_hf_command import Terminal
from tests.common.spaces import SpacesHub, spaces_hub
from tests.common.working import wait_until

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[SpacesHub]:
    folder = tmp_path_factory.mktemp("spaces")
    (folder / "data").mkdir()
    (folder / "data" / "hub.db").write_bytes(sqlite_template.read_bytes())
    with spaces_hub(Settings(data_dir=folder / "data", demo=False), folder) as served:
        yield served


@pytest.fixture
def api(hub: SpacesHub) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.token)


def test_a_space_is_run_paused_and_run_again(hub: SpacesHub, api: HfApi) -> None:
    repo = hub.space("client")
    assert api.get_space_runtime("ann/client").stage == "STOPPED"
    with pytest.raises(BadRequestError, match="does not run"):
        api.pause_space("ann/client")
    started = api.request_space_hardware("ann/client", SpaceHardware.CPU_UPGRADE)
    assert started.requested_hardware == "cpu-small"  # the cheapest that is there
    assert api.wait_for_space("ann/client", timeout=60, poll_interval=0.2).stage == "RUNNING"
    runtime = api.get_space_runtime("ann/client")
    assert (runtime.hardware, runtime.sleep_time) == ("cpu-small", hub.services.settings.deployment_idle_s)
    info = api.space_info("ann/client")
    assert info.runtime is not None
    assert info.runtime.stage == "RUNNING"
    assert [one.runtime.stage for one in api.list_spaces(author="ann", expand=["runtime"]) if one.id == "ann/client"] == ["RUNNING"]  # type: ignore[union-attr]

    assert api.set_space_sleep_time("ann/client", -1).sleep_time is None
    assert api.set_space_sleep_time("ann/client", 300).sleep_time == hub.services.settings.deployment_idle_s
    wait_until(lambda: any("GET / " in line for line in api.fetch_space_logs("ann/client")), 30)
    assert list(api.fetch_space_logs("ann/client", build=True)) == []

    assert api.pause_space("ann/client").stage == "PAUSED"
    commit = hub.commit(repo, **{"more.txt": "x"})
    api.restart_space("ann/client")
    assert api.wait_for_space("ann/client", timeout=60, poll_interval=0.2).stage == "RUNNING"
    state = hub.services.space_runs.state(hub.ann, repo)
    assert state.revision is not None
    assert state.revision.commit == commit  # a restart takes the newest commit
    assert api.restart_space("ann/client", factory_reboot=True).stage == "APP_STARTING"
    assert api.wait_for_space("ann/client", timeout=60, poll_interval=0.2).stage == "RUNNING"


def test_what_cannot_be_had_is_refused(hub: SpacesHub, api: HfApi) -> None:
    hub.space("refused")
    with pytest.raises(BadRequestError, match="no"):
        api.request_space_hardware("ann/refused", SpaceHardware.T4_SMALL)
    with pytest.raises(BadRequestError, match="no volumes"):
        api.enable_space_dev_mode("ann/refused")
    with pytest.raises(BadRequestError, match="no volumes"):
        api.disable_space_dev_mode("ann/refused")
    with pytest.raises(BadRequestError, match="no volumes"):
        api.set_space_volumes("ann/refused", [Volume(type="model", source="ann/x", mount_path="/data")])
    with pytest.raises(BadRequestError, match="no volumes"):
        api.delete_space_volumes("ann/refused")
    hub.space("static", "static", **{"index.html": "x"})
    assert api.request_space_hardware("ann/static", SpaceHardware.CPU_BASIC).stage == "RUNNING"  # nothing has to be started
    assert [one.name for one in api.list_spaces_hardware()] == ["cpu-small", "cpu-medium"]


def test_others_run_nothing(hub: SpacesHub) -> None:
    hub.space("mine")
    hub.space("shown", visibility=Visibility.PUBLIC)
    ben = HfApi(endpoint=hub.url, token=hub.bob_token)
    for act in (ben.pause_space, ben.restart_space, ben.get_space_runtime):
        with pytest.raises(RepositoryNotFoundError):
            act("ann/mine")
    for act in (ben.pause_space, ben.restart_space):
        with pytest.raises(HfHubHTTPError) as refused:
            act("ann/shown")
        assert refused.value.response.status_code == 403
    with pytest.raises(HfHubHTTPError):
        list(ben.fetch_space_logs("ann/shown"))
    assert ben.get_space_runtime("ann/shown").stage == "STOPPED"


def test_the_command_line_does_the_same(hub: SpacesHub, tmp_path: Path) -> None:
    hub.space("terminal")
    terminal = Terminal(hub, tmp_path)  # type: ignore[arg-type]  # its address is all that is asked of it
    terminal.hf("auth", "login", "--token", hub.token)
    terminal.hf("spaces", "settings", "ann/terminal", "--hardware", "cpu-basic")
    terminal.hf("spaces", "wait", "ann/terminal", "--timeout", "60")
    assert json.loads(terminal.hf("spaces", "info", "ann/terminal", "--json"))["runtime"]["stage"] == "RUNNING"
    assert "cpu-small" in terminal.hf("spaces", "hardware")
    terminal.hf("spaces", "logs", "ann/terminal")
    terminal.hf("spaces", "pause", "ann/terminal")
    terminal.hf("spaces", "restart", "ann/terminal")
    terminal.hf("spaces", "wait", "ann/terminal", "--timeout", "60")
    assert "no volumes" in terminal.hf("spaces", "dev-mode", "ann/terminal", fails=True)

"""What Spaces run with, set and read by the real client."""

from __future__ import annotations

import logging

import httpx
import pytest
import sqlalchemy as sa
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RepositoryNotFoundError

from hub_core.authz import SYSTEM, Visibility
from hub_core.db import Base
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub

pytestmark = pytest.mark.clients
SECRET = "hunter2hunter2"


def status(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return int(error.value.response.status_code)


def environment(hub: HfHub, repo_id: str) -> dict[str, str]:
    """What the Space would run with."""
    return hub.services.spaces.environment(SYSTEM, hub.services.repos.find(actor_for(hub.ann), f"space:{repo_id}"))


def space(hub: HfHub, visibility: Visibility = Visibility.PUBLIC) -> Repo:
    return hub.repo(kind=RepoKind.SPACE, visibility=visibility)


def stored(hub: HfHub) -> str:
    with hub.services.db.read() as session:
        return repr([tuple(row) for table in Base.metadata.sorted_tables for row in session.execute(sa.select(table))])


def test_variables_are_set_read_and_removed(hub: HfHub) -> None:
    api, repo = hub.api(), space(hub)
    found = api.add_space_variable(repo.full_name, "MODEL", "acme/support-7b", description="What answers")
    assert (found["MODEL"].value, found["MODEL"].description) == ("acme/support-7b", "What answers")
    assert found["MODEL"].updated_at is not None
    assert api.add_space_variable(repo.full_name, "MODEL", "acme/other")["MODEL"].value == "acme/other"
    assert {key: item.value for key, item in hub.api("").get_space_variables(repo.full_name).items()} == {"MODEL": "acme/other"}
    assert api.delete_space_variable(repo.full_name, "MODEL") == {}
    with pytest.raises(HfHubHTTPError) as gone:
        api.delete_space_variable(repo.full_name, "MODEL")
    assert status(gone) == 404


def test_a_secret_is_written_and_never_read_back(hub: HfHub, caplog: pytest.LogCaptureFixture) -> None:
    api, repo = hub.api(), space(hub)
    with caplog.at_level(logging.DEBUG):
        api.add_space_secret(repo.full_name, "API_KEY", SECRET, description="For the API")
        found = api.get_space_secrets(repo.full_name)
    assert (list(found), found["API_KEY"].description) == (["API_KEY"], "For the API")
    assert found["API_KEY"].updated_at is not None
    assert environment(hub, repo.full_name) == {"API_KEY": SECRET}
    assert api.get_space_variables(repo.full_name) == {}
    headers = {"authorization": f"Bearer {hub.ann_token}"}
    for path in ("secrets", "variables", "runtime", ""):
        assert SECRET not in httpx.get(f"{hub.url}/api/spaces/{repo.full_name}/{path}".rstrip("/"), headers=headers).text
    assert SECRET not in stored(hub)
    assert SECRET not in caplog.text
    with pytest.raises(HfHubHTTPError) as refused:
        api.add_space_variable(repo.full_name, "API_KEY", "shown")
    assert status(refused) == 409
    api.delete_space_secret(repo.full_name, "API_KEY")
    assert api.get_space_secrets(repo.full_name) == {}


def test_others_set_nothing_and_see_no_secret(hub: HfHub) -> None:
    shown, hidden = space(hub), space(hub, Visibility.PRIVATE)
    hub.api().add_space_secret(shown.full_name, "API_KEY", SECRET)
    ben = hub.api(hub.ben_token)
    for act in (
        lambda name: ben.add_space_variable(name, "A", "b"),
        lambda name: ben.add_space_secret(name, "A", "b"),
        lambda name: ben.delete_space_secret(name, "API_KEY"),
        ben.get_space_secrets,
        ben.restart_space,
    ):
        with pytest.raises(HfHubHTTPError) as refused:
            act(shown.full_name)
        assert status(refused) == 403
        with pytest.raises(RepositoryNotFoundError):
            act(hidden.full_name)
    for act in (ben.get_space_variables, ben.get_space_runtime):
        with pytest.raises(RepositoryNotFoundError):
            act(hidden.full_name)


def test_a_space_is_made_with_them_or_not_at_all(hub: HfHub) -> None:
    api, name = hub.api(), f"ann/space-{next(hub.numbers)}"
    given = {"space_secrets": [{"key": "API_KEY", "value": SECRET}], "space_variables": [{"key": "MODEL", "value": "acme/m"}]}
    with pytest.raises(BadRequestError):
        api.create_repo(name, repo_type="space", space_sdk="gradio", space_secrets=[{"key": "NOT A NAME", "value": "x"}])
    assert not api.repo_exists(name, repo_type="space")
    api.create_repo(name, repo_type="space", space_sdk="gradio", **given)  # type: ignore[arg-type]
    assert environment(hub, name) == {"API_KEY": SECRET, "MODEL": "acme/m"}
    # What is there already is left as it is.
    api.create_repo(name, repo_type="space", space_sdk="gradio", exist_ok=True, space_variables=[{"key": "MODEL", "value": "other"}])
    assert environment(hub, name)["MODEL"] == "acme/m"
    headers = {"authorization": f"Bearer {hub.ann_token}"}
    for body in (
        {"secrets": {"A": "b"}},
        {"secrets": ["A"]},
        {"variables": [{"key": "A"}]},
        {"type": "model", **given, "secrets": given["space_secrets"]},
    ):
        wrong = {"name": f"wrong-{next(hub.numbers)}", "type": "space", "sdk": "gradio", **body}
        assert httpx.post(f"{hub.url}/api/repos/create", headers=headers, json=wrong).status_code == 400


def test_a_copy_takes_the_variables_and_not_the_secrets(hub: HfHub) -> None:
    repo = space(hub)
    hub.api().add_space_variable(repo.full_name, "MODEL", "acme/m")
    hub.api().add_space_variable(repo.full_name, "LANG", "ko")
    hub.api().add_space_secret(repo.full_name, "API_KEY", SECRET)
    copy = f"ben/copy-{next(hub.numbers)}"
    hub.api(hub.ben_token).duplicate_repo(
        repo.full_name, copy, repo_type="space", space_variables=[{"key": "LANG", "value": "ja"}], space_secrets=[{"key": "OWN", "value": "x"}]
    )  # fmt: skip
    found = hub.services.repos.find(actor_for(hub.ben), f"space:{copy}")
    assert hub.services.spaces.environment(SYSTEM, found) == {"MODEL": "acme/m", "LANG": "ja", "OWN": "x"}


def test_a_space_is_at_rest_and_says_so(hub: HfHub) -> None:
    repo = space(hub)
    empty = hub.api().get_space_runtime(repo.full_name)
    assert (empty.stage, empty.hardware, empty.requested_hardware, empty.sleep_time) == ("NO_APP_FILE", None, None, None)
    hub.commit(repo, {"app.py": b"print()\n"})
    assert hub.api("").get_space_runtime(repo.full_name).stage == "STOPPED"
    info = hub.api().space_info(repo.full_name)
    assert info.runtime is not None
    assert info.runtime.stage == "STOPPED"


def test_other_kinds_have_none_of_this(hub: HfHub) -> None:
    repo = hub.repo()
    headers = {"authorization": f"Bearer {hub.ann_token}"}
    for path in ("variables", "secrets", "runtime"):
        assert httpx.get(f"{hub.url}/api/models/{repo.full_name}/{path}", headers=headers).status_code == 400
    for body in ({}, {"key": "A"}, {"key": 7, "value": "x"}, {"key": "A", "value": None}, {"key": "", "value": "x"}):
        assert httpx.post(f"{hub.url}/api/spaces/{space(hub).full_name}/secrets", headers=headers, json=body).status_code == 400

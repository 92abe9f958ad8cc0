"""Who one is and what a repo is: `whoami`, `model_info` and their like."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from hub_core.authz import Scope, Visibility
from hub_core.repos.kinds import RepoKind
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub
from tests.common.model_files import gguf, safetensors

pytestmark = pytest.mark.clients

CARD = b"""---
license: apache-2.0
language: [en, "no"]
tags: [Chat, acme]
datasets: [acme/Talk]
base_model: acme/Base-7B
pipeline_tag: text-generation
model-index: [{name: x, results: []}]
---
# A model
"""
CONFIG = b'{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}'


def whole(reader: object) -> bytes:
    return reader.read(0, reader.size)  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("prefix", ["", "/hf"])
def test_whoami_tells_name_organisations_and_the_token(hub: HfHub, prefix: str) -> None:
    me = hub.api(prefix=prefix).whoami()
    assert (me["type"], me["name"], me["email"]) == ("user", "ann", "ann@example.org")
    assert [org["name"] for org in me["orgs"]] == ["lab"]
    token = me["auth"]["accessToken"]
    assert (token["displayName"], token["role"]) == ("laptop", "write")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", token["createdAt"])
    with pytest.raises(HfHubHTTPError) as error:
        hub.api("hub_wrong").whoami()
    assert error.value.response.status_code == 401


def test_a_token_for_one_repo_is_shown_as_fine_grained(hub: HfHub) -> None:
    repo = hub.repo()
    token = hub.services.tokens.create(actor_for(hub.ann), "one-repo", Scope.READ, repo=repo.full_name).token
    assert hub.api(token).whoami()["auth"]["accessToken"]["role"] == "fineGrained"


def test_people_and_organisations_are_shown_with_what_one_may_see_of_them(hub: HfHub) -> None:
    hub.repo(owner="lab", kind=RepoKind.DATASET)
    hub.repo(owner="lab", kind=RepoKind.DATASET, visibility=Visibility.PRIVATE)
    assert [org.name for org in hub.api().get_user_overview("ann").orgs] == ["lab"]
    assert hub.api().get_organization_overview("lab").num_datasets == 2
    assert hub.api(hub.ben_token).get_organization_overview("lab").num_datasets == 1
    assert [member.username for member in hub.api().list_organization_members("lab")] == ["ann"]
    with pytest.raises(HfHubHTTPError):
        hub.api().get_user_overview("nobody-here")


def test_likes_are_listed_for_people_and_repos(hub: HfHub) -> None:
    liked, hidden = hub.repo(), hub.repo(kind=RepoKind.DATASET, visibility=Visibility.PRIVATE)
    for repo in (liked, hidden):
        hub.services.social.set_like(actor_for(hub.ann), repo, True)
    mine = hub.api().list_liked_repos()
    assert liked.full_name in mine.models
    assert hidden.full_name in mine.datasets
    assert hidden.full_name not in hub.api(hub.ben_token).list_liked_repos("ann").datasets
    assert [user.username for user in hub.api("").list_repo_likers(liked.full_name)] == ["ann"]


def test_own_repos_are_listed_with_what_they_weigh(hub: HfHub) -> None:
    repo = hub.repo({"weights.bin": b"x" * 5000}, visibility=Visibility.PRIVATE)
    found = {item.id: item for item in hub.api().list_user_repos()}
    assert found[repo.full_name].visibility == "private"
    assert found[repo.full_name].storage > 5000
    lab = hub.repo(owner="lab")
    assert lab.full_name in {item.id for item in hub.api().list_user_repos("lab")}


@pytest.mark.parametrize("prefix", ["", "/hf"])
def test_model_info_tells_what_the_card_and_the_files_say(hub: HfHub, prefix: str) -> None:
    weights = whole(safetensors())
    repo = hub.repo({"README.md": CARD, "config.json": CONFIG, "model.safetensors": weights})
    info = hub.api("", prefix).model_info(repo.full_name)
    assert (info.id, info.author, info.private, info.gated, info.disabled) == (repo.full_name, "ann", False, False, False)
    assert info.sha == hub.services.git.resolve(repo.id)
    assert info.tags is not None
    assert {"license:apache-2.0", "en", "no", "Chat", "acme", "dataset:acme/Talk", "base_model:acme/Base-7B"} <= set(info.tags)
    assert info.card_data is not None
    assert info.card_data.license == "apache-2.0"
    assert (info.pipeline_tag, info.library_name) == ("text-generation", "transformers")
    assert info.transformers_info is not None
    assert info.transformers_info.auto_model == "AutoModelForCausalLM"
    assert info.safetensors is not None
    assert (info.safetensors.parameters, info.safetensors.total) == ({"F16": 44}, 44)
    assert info.config == {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    assert {item.rfilename for item in info.siblings or []} == {".gitattributes", "README.md", "config.json", "model.safetensors"}
    assert info.used_storage is not None
    assert info.used_storage > len(weights)
    assert info.last_modified is not None
    assert info.created_at is not None
    assert info.created_at <= info.last_modified


def test_files_metadata_adds_sizes_and_the_ids_of_large_files(hub: HfHub) -> None:
    weights = whole(gguf())
    repo = hub.repo({"model.gguf": weights, "notes.txt": b"hello"})
    info = hub.api().model_info(repo.full_name, files_metadata=True)
    found = {item.rfilename: item for item in info.siblings or []}
    assert found["notes.txt"].size == 5
    assert found["notes.txt"].blob_id == "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"
    large = found["model.gguf"].lfs
    assert large is not None
    assert (found["model.gguf"].size, large["size"]) == (len(weights), len(weights))
    assert large.pointer_size == 125 + len(str(len(weights)))
    assert info.gguf is not None
    assert info.gguf["architecture"] == "llama"


def test_expand_gives_the_asked_fields_alone(hub: HfHub) -> None:
    repo = hub.repo({"README.md": CARD})
    info = hub.api().model_info(repo.full_name, expand=["downloads", "tags", "sha"])
    assert (info.downloads, info.author, info.siblings) == (0, None, None)
    assert info.sha
    assert hub.api().model_info(repo.full_name, expand=["trendingScore", "evalResults"]).trending_score == 0


def test_a_revision_shows_its_own_commit_card_and_files(hub: HfHub) -> None:
    repo = hub.repo({"README.md": CARD})
    first = hub.services.git.resolve(repo.id)
    hub.services.git.create_branch(repo.id, "feat/x", first)
    hub.commit(repo, {"README.md": b"---\nlicense: mit\n---\n", "more.txt": b"1"})
    for revision in ("feat/x", first):
        info = hub.api().model_info(repo.full_name, revision=revision)
        assert info.sha == first
        assert info.card_data is not None
        assert info.card_data.license == "apache-2.0"
        assert {item.rfilename for item in info.siblings or []} == {".gitattributes", "README.md"}
    with pytest.raises(RevisionNotFoundError):
        hub.api().model_info(repo.full_name, revision="absent")


def test_datasets_and_spaces_have_their_own_fields(hub: HfHub) -> None:
    data = hub.repo({"README.md": b"---\nlanguage: [en]\ntask_categories: [question-answering]\n---\nRows."}, kind=RepoKind.DATASET)
    info = hub.api().dataset_info(data.full_name)
    assert info.description == "Rows."
    assert set(info.tags or []) == {"language:en", "task_categories:question-answering"}
    space = hub.repo({"README.md": b"---\nsdk: gradio\nmodels: [acme/m]\n---\n"}, kind=RepoKind.SPACE)
    shown = hub.api().space_info(space.full_name)
    assert (shown.sdk, shown.models) == ("gradio", ["acme/m"])
    assert shown.runtime is not None
    assert shown.runtime.stage == "NO_APP_FILE"


def test_models_datasets_and_spaces_of_one_name_are_three_repos(hub: HfHub) -> None:
    for kind in (RepoKind.MODEL, RepoKind.DATASET, RepoKind.SPACE):
        hub.repo({"kind.txt": str(kind).encode()}, name="same", kind=kind)
    shas = {hub.api().repo_info("ann/same", repo_type=kind).sha for kind in ("model", "dataset", "space")}
    assert len(shas) == 3


def test_private_and_absent_repos_look_the_same(hub: HfHub) -> None:
    repo = hub.repo(visibility=Visibility.PRIVATE)
    assert hub.api().model_info(repo.full_name).private is True
    for api in (hub.api(hub.ben_token), hub.api("")):
        answers = []
        for name in (repo.full_name, "ann/absent", "nobody/absent", "gpt2"):
            with pytest.raises(RepositoryNotFoundError) as error:
                api.model_info(name)
            answers.append((error.value.response.status_code, error.value.response.headers["x-error-code"]))
        assert len(set(answers)) == 1


def test_a_renamed_repo_is_found_under_its_old_name(hub: HfHub) -> None:
    repo = hub.repo({"a.txt": b"1"})
    hub.services.repos.move(actor_for(hub.ann), repo, "renamed-for-info")
    assert HfApi(endpoint=hub.url).model_info(repo.full_name).id == "ann/renamed-for-info"


def test_the_registry_of_agents_and_other_unknown_addresses_are_404(hub: HfHub) -> None:
    for path in ("/api/agent-harnesses", "/api/models/ann/x/y/z", "/info?dataset=ann/x"):
        assert httpx.get(hub.url + path).status_code == 404


@pytest.mark.parametrize("name", ["model:ann/same-name", "ann/same-name:x", "ann%2Fsame-name", "ann/%00", "a b/c"])
def test_a_strange_name_is_a_repo_that_is_not_there(hub: HfHub, name: str) -> None:
    answer = httpx.get(f"{hub.url}/api/datasets/{name}")
    assert (answer.status_code, answer.headers["x-error-code"]) == (401, "RepoNotFound")


def test_information_costs_two_statements(hub: HfHub) -> None:
    repo = hub.repo({"README.md": CARD, "config.json": CONFIG})
    url, headers = f"{hub.url}/api/models/{repo.full_name}", {"authorization": f"Bearer {hub.ann_token}"}
    httpx.get(url, headers=headers).raise_for_status()
    asked: list[str] = []

    def note(*arguments: Any) -> None:
        asked.append(arguments[2])

    engine = hub.services.db.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        assert httpx.get(url, headers=headers).json()["id"] == repo.full_name
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    assert len(asked) == 2, asked

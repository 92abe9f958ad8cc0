"""Lists as `list_models`, `list_datasets` and `list_spaces` read them: filters, orders, pages, and who may see what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from huggingface_hub.errors import BadRequestError, HfHubHTTPError

from hub_core.authz import Visibility
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from tests.common.factories import actor_for, make_repo, make_user
from tests.common.hf_hub import HfHub

pytestmark = pytest.mark.clients

CHAT = b"---\nlicense: apache-2.0\nlanguage: [en, zh]\ntags: [Acme-Chat]\npipeline_tag: text-generation\nlibrary_name: transformers\n"
CHAT += b"datasets: [acme/Talk]\nbase_model: acme/Base\n---\nTalks."


def ids(found: Iterable[Any]) -> list[str]:
    return [item.id for item in found]


def set_row(hub: HfHub, repo: Repo, **values: Any) -> None:
    with hub.services.db.write() as session:
        session.execute(sa.update(Repo).where(Repo.id == repo.id).values(**values))


@pytest.mark.parametrize(
    "wanted",
    [
        {"filter": "license:apache-2.0"},
        {"filter": "license:Apache-2.0"},
        {"filter": "acme-chat"},
        {"filter": ["Acme-Chat", "en", "zh", "transformers"]},
        {"filter": "language:zh"},
        {"filter": "base_model:acme/Base"},
        {"pipeline_tag": "text-generation"},
        {"trained_dataset": "acme/Talk"},
        {"search": "hat-mod"},
        {"search": "model chat"},
        {"gated": False},
    ],
)
def test_models_are_found_by_tags_licence_task_and_name(hub: HfHub, wanted: dict[str, Any]) -> None:
    author = make_user(hub.services.db).username
    repo = hub.repo({"README.md": CHAT}, name=f"Chat-model-{author}")
    hub.repo({"README.md": b"---\nlicense: mit\nlanguage: ja\n---\nOther."}, name=f"other-{author}")
    found = ids(hub.api().list_models(author="ann", **wanted))
    assert repo.full_name in found
    assert (f"ann/other-{author}" in found) == ("gated" in wanted)


def test_what_does_not_fit_is_not_listed(hub: HfHub) -> None:
    hub.repo({"README.md": CHAT})
    wrong: list[dict[str, Any]] = [
        {"filter": ["acme-chat", "ja"]}, {"search": "no such name"}, {"author": "nobody-here"}, {"gated": True}, {"inference": "warm"},
        {"filter": "license:mit", "pipeline_tag": "text-generation"}, {"search": "100%_"},
    ]  # fmt: skip
    for nothing in wrong:
        assert ids(hub.api().list_models(**nothing)) == [], nothing
    odds: list[dict[str, Any]] = [{"author": "a\0b"}, {"filter": "\0"}, {"search": "\0"}]
    for odd in odds:
        assert ids(hub.api().list_models(**odd)) == []


def test_datasets_are_found_by_their_card(hub: HfHub) -> None:
    card = b"---\nlicense: mit\nlanguage: [ko]\ntask_categories: [question-answering]\nsize_categories: [1K<n<10K]\n---\nRows."
    repo = hub.repo({"README.md": card}, kind=RepoKind.DATASET)
    for wanted in (
        {"language": "ko"}, {"task_categories": "question-answering"}, {"size_categories": "1K<n<10K"}, {"dataset_name": repo.name},
        {"filter": "license:mit", "language": ["ko"]},
    ):  # fmt: skip
        (found,) = [item for item in hub.api().list_datasets(**wanted) if item.id == repo.full_name]
        assert {"language:ko", "license:mit"} <= set(found.tags or [])
        assert found.description == "Rows."
    assert repo.full_name not in ids(hub.api().list_datasets(language="ja"))
    assert repo.full_name not in ids(hub.api().list_models())


def test_spaces_are_listed_with_their_sdk(hub: HfHub) -> None:
    repo = hub.repo({"README.md": b"---\nsdk: gradio\ndatasets: [acme/Talk]\n---\n"}, kind=RepoKind.SPACE)
    assert {item.id: item.sdk for item in hub.api().list_spaces(search=repo.name)} == {repo.full_name: "gradio"}
    assert repo.full_name in ids(hub.api().list_spaces(datasets="acme/Talk"))


def test_every_order_and_its_reverse(hub: HfHub) -> None:
    owner = make_user(hub.services.db)
    day = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    for n, (likes, count, made, changed) in enumerate([(3, 1, 2, 9), (1, 3, 3, 7), (2, 2, 1, 8)]):
        repo = make_repo(hub.services.db, owner, f"r{n}", visibility=Visibility.PUBLIC)
        times = {"created_at": day + dt.timedelta(days=made), "updated_at": day + dt.timedelta(days=changed)}
        set_row(hub, repo, likes=likes, downloads=count, **times)
    orders = {"likes": "021", "trending_score": "021", "downloads": "120", "created_at": "102", "last_modified": "021"}
    for sort, order in orders.items():
        found = ids(hub.api().list_models(author=owner.username, sort=sort))  # type: ignore[arg-type]
        assert found == [f"{owner.username}/r{n}" for n in order], sort
    url = f"{hub.url}/api/models?author={owner.username}&sort=downloads&direction=1&limit=1"
    up = []
    while url:
        answer = httpx.get(url)
        up += [item["id"] for item in answer.json()]
        url = answer.links["next"]["url"] if "next" in answer.links else ""
    assert up == [f"{owner.username}/r{n}" for n in "021"]


@pytest.mark.parametrize("prefix", ["", "/hf"])
def test_lists_go_on_past_a_page(hub: HfHub, prefix: str) -> None:
    owner = make_user(hub.services.db)
    made = {f"{owner.username}/{make_repo(hub.services.db, owner, visibility=Visibility.PUBLIC).name}" for _ in range(23)}
    url = f"{hub.url}{prefix}/api/models?author={owner.username}&limit=10&search={owner.username}&filter="
    pages = []
    while url:
        answer = httpx.get(url)
        pages.append([item["id"] for item in answer.json()])
        url = answer.links["next"]["url"] if "next" in answer.links else ""
        assert not url or url.startswith(f"{hub.url}{prefix}/api/models?author=")
    assert [len(page) for page in pages] == [10, 10, 3]
    assert {name for page in pages for name in page} == made
    assert len(ids(hub.api(prefix=prefix).list_models(author=owner.username, limit=15))) == 15


def test_more_than_a_thousand_are_listed(hub: HfHub) -> None:
    owner = make_user(hub.services.db)
    with hub.services.db.write() as session:
        now = dt.datetime.now(dt.UTC)
        session.add_all(
            Repo(
                namespace_id=owner.id, namespace=owner.username, name=f"r{n}", key=f"r{n}", kind="dataset", visibility="public",
                card={}, created_at=now, updated_at=now,
            )
            for n in range(1100)
        )  # fmt: skip
    assert len(set(ids(hub.api().list_datasets(author=owner.username)))) == 1100


def test_lists_show_what_the_caller_may_see(hub: HfHub) -> None:
    shown = {visibility: hub.repo(visibility=visibility, kind=RepoKind.SPACE).full_name for visibility in Visibility}
    assert set(shown.values()) <= set(ids(hub.api().list_spaces()))
    theirs = set(ids(hub.api(hub.ben_token).list_spaces()))
    assert {shown[Visibility.PUBLIC], shown[Visibility.INTERNAL]} <= theirs
    assert shown[Visibility.PRIVATE] not in theirs
    everybody = set(ids(hub.api("").list_spaces()))
    assert shown[Visibility.PUBLIC] in everybody
    assert not {shown[Visibility.PRIVATE], shown[Visibility.INTERNAL]} & everybody
    hub.services.repos.delete(actor_for(hub.ann), hub.services.repos.find(actor_for(hub.ann), f"space:{shown[Visibility.PUBLIC]}"))
    assert shown[Visibility.PUBLIC] not in ids(hub.api().list_spaces())


def test_full_card_config_and_expand_say_how_much_is_told(hub: HfHub) -> None:
    config = b'{"architectures": ["BertForMaskedLM"], "model_type": "bert"}'
    repo = hub.repo({"README.md": CHAT, "config.json": config})

    def one(**options: Any) -> Any:
        return next(item for item in hub.api().list_models(search=repo.name, **options) if item.id == repo.full_name)

    assert (one().siblings, one().card_data) == (None, None)
    assert {item.rfilename for item in one(full=True).siblings} == {".gitattributes", "README.md", "config.json"}
    assert one(full=True).sha == hub.services.git.resolve(repo.id)
    assert one(cardData=True).card_data.license == "apache-2.0"
    assert one(fetch_config=True).config["model_type"] == "bert"
    asked = one(expand=["downloads", "safetensors"])
    assert (asked.downloads, asked.tags, asked.safetensors) == (0, None, None)


def test_what_cannot_be_asked_is_said(hub: HfHub) -> None:
    refused: list[dict[str, Any]] = [{"sort": "beauty"}, {"num_parameters": "min:6B"}, {"apps": "ollama"}]
    for wrong in refused:
        with pytest.raises(BadRequestError):
            list(hub.api().list_models(**wrong))
    assert httpx.get(f"{hub.url}/api/models?cursor=nonsense").status_code == 400
    with pytest.raises(HfHubHTTPError):
        list(hub.api("hub_wrong").list_models())


def test_tags_in_use_are_told_by_type(hub: HfHub) -> None:
    hub.repo({"README.md": CHAT})
    tags = hub.api().get_model_tags()
    assert {"id": "license:apache-2.0", "label": "apache-2.0", "type": "license"} in tags["license"]
    assert {"id": "zh", "label": "zh", "type": "language"} in tags["language"]
    assert "dataset" in tags
    assert isinstance(hub.api().get_dataset_tags(), dict)

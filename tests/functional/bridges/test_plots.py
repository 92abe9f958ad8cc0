"""A plot is a picture where the platform takes one, and a line of text elsewhere; to the eyes that may see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hub_core.jobs.traces import write_trace
from tests.common.fake_channel import POOR, RICH, FakeChannel, said
from tests.common.platforms import PLATFORMS, Around, around
from tests.common.working import add
from tests.functional.agent.conftest import Hub, call
from tests.functional.bridges.conftest import bridged
from tests.functional.bridges.everywhere import everywhere
from tests.functional.bridges.tencent import on_wechat

PNG = b"\x89PNG\r\n\x1a\n"
BLOCKS = "▁▂▃▄▅▆▇█"


@pytest.fixture
def job(hub: Hub) -> int:
    """A fine-tune that has come some way."""
    repo = hub.services.repos.find(hub.alice, "acme/vision")
    number = add(hub.services, "verify", {"repo": repo.id}, actor=hub.alice, repo_id=repo.id)
    write_trace(hub.services.db, number, "", [{"step": step, "loss": 3.0 / step, "lr": 1e-4} for step in range(1, 30)])
    return number


@pytest.fixture
def platforms() -> Iterator[Around]:
    with around() as found:
        yield found


def pictures(platforms: Around, platform: str) -> list[bytes]:
    """What people were sent as pictures."""
    if platform == "slack":
        return [content for channel, title, content in platforms.slack.shared if (channel, title) == ("Dalice", "loss.png")]
    if platform == "wecom_bot":
        sent = [item["image"]["media_id"] for item in platforms.bot.pushed if item["msgtype"] == "image"]
        return [platforms.bot.files[media][2] for media in sent]
    fake = platforms.wechat if platform == "wechat" else platforms.wecom
    return [fake.media[item.media][2] for item in fake.sent if item.kind == "image"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_loss_of_a_fine_tune_comes_as_a_picture(hub: Hub, platforms: Around, platform: str, job: int) -> None:
    with everywhere(hub, platforms, call("get_job", job=job), chosen=(platform,)) as on:
        on.link(platform, "alice")
        platforms.tell(platform, "alice", f"how is job {job}?", "1")
        if platform == "wecom_bot":
            platforms.bot.wait(lambda bot: any(item["msgtype"] == "image" for item in bot.pushed))
        on.settle()
        (picture,) = pictures(platforms, platform)
        assert picture.startswith(PNG)


def test_where_no_picture_can_be_sent_it_is_a_line_of_text(hub: Hub, job: int) -> None:
    with bridged(hub, call("get_job", job=job), channels=[FakeChannel(capabilities=POOR)]) as on:
        on.link()
        on.hear(said("how is the job?"))
        assert on.fake.files == []
        assert set(BLOCKS) & set(" ".join(on.fake.at("direct-U1")))


def test_an_account_that_may_not_write_later_shows_it_in_its_answer(hub: Hub, job: int) -> None:
    with on_wechat(hub, call("get_job", job=job), verified=False) as (on, fake):
        on.link("o-alice", platform="wechat", workspace="wxa1b2c3d4e5f60718")
        shown = fake.say("o-alice", "how is the job?") or ""
        assert set(BLOCKS) & set(shown) and "upload" not in fake.calls


def test_on_wechat_the_picture_comes_behind_the_answer_to_the_message(hub: Hub, job: int) -> None:
    with on_wechat(hub, call("get_job", job=job)) as (on, fake):
        on.link("o-alice", platform="wechat", workspace="wxa1b2c3d4e5f60718")
        assert fake.say("o-alice", "how is the job?"), "the text does not wait for the picture"
        on.settle()
        assert [item.kind for item in fake.sent] == ["image"]


def test_what_one_person_of_a_group_is_shown_is_no_file_for_all(hub: Hub, job: int) -> None:
    alone = replace(RICH, direct=False)
    with bridged(hub, call("get_job", job=job), channels=[FakeChannel(capabilities=alone)]) as on:
        on.link()
        on.hear(said("how is the job?", conversation="C1", group=True))
        assert on.fake.files == [] and on.fake.at("C1") == []
        assert set(BLOCKS) & set(" ".join(on.fake.at("C1", "U1")))


def test_in_a_group_the_picture_is_sent_in_private(hub: Hub, job: int) -> None:
    with bridged(hub, call("get_job", job=job)) as on:
        on.link()
        on.hear(said("how is the job?", conversation="C1", group=True))
        assert [place.conversation for place, _, _ in on.fake.files] == ["direct-U1"]


def test_a_platform_that_takes_no_picture_now_gets_it_later_and_the_text_once(hub: Hub, platforms: Around, job: int) -> None:
    import sqlalchemy as sa

    from hub_core.bridges.tables import BridgeOutbox

    with everywhere(hub, platforms, call("get_job", job=job), chosen=("wecom",)) as on:
        on.link("wecom", "alice")
        platforms.wecom.faults["upload"] = [{"errcode": 45009, "errmsg": "too often"}]
        platforms.tell("wecom", "alice", "how is the job?", "1")
        on.settle()
        before = len(platforms.texts("wecom", "alice"))
        assert before and pictures(platforms, "wecom") == []
        with hub.services.db.write() as session:
            session.execute(sa.update(BridgeOutbox).values(due_at=BridgeOutbox.created_at))
        on.on.round()
        assert len(pictures(platforms, "wecom")) == 1
        assert len(platforms.texts("wecom", "alice")) == before + 1, "the caption of the picture"

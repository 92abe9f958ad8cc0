"""People ask on any channel which chat accounts act as them, and take one back by saying so."""

from __future__ import annotations

import pytest

from hub_core.authz import Actor
from hub_core.bridges.links import Person
from hub_core.errors import AmbiguousChatLink, ChatNotLinked
from prompts import LANGUAGES
from tests.common.fake_channel import said
from tests.functional.agent.conftest import Hub, call
from tests.functional.bridges.conftest import bridged
from tools import invoke


def tool(hub: Hub, name: str, actor: Actor | None = None, **args: str) -> dict[str, object]:
    done = invoke.call(invoke.ToolContext(actor or hub.alice, hub.services), name, args, gate=False)
    assert isinstance(done, invoke.Done)
    return done.output.model_dump(mode="json")


def link(hub: Hub, platform: str, person: str, name: str = "", actor: Actor | None = None) -> None:
    bridges = hub.services.bridges
    bridges.accept(actor or hub.alice, bridges.invite(Person(platform, "W1", person, name)))


def platforms(hub: Hub, actor: Actor | None = None) -> list[str]:
    items = tool(hub, "list_chat_links", actor)["items"]
    assert isinstance(items, list)
    return [item["platform"] for item in items]


@pytest.mark.parametrize("said_as", ["slack", "Slack", "슬랙", "Slack: Ada", "ada", "U1"])
def test_a_link_is_named_by_its_platform_or_by_who_one_is_there(hub: Hub, said_as: str) -> None:
    link(hub, "slack", "U1", "Ada")
    link(hub, "wechat", "o1")
    link(hub, "slack", "U9", "Bob", hub.bob)
    assert tool(hub, "unlink_chat", link=said_as) == {"platform": "slack", "name": "Ada", "unlinked": True}
    assert platforms(hub) == ["wechat"]
    assert platforms(hub, hub.bob) == ["slack"]
    assert hub.audit("bridge.unlink") == 1


@pytest.mark.parametrize("said_as", ["企业微信", "WeCom", "wecom bot"])
def test_who_says_wecom_means_its_bot_as_well(hub: Hub, said_as: str) -> None:
    link(hub, "wecom_bot", "alice")
    link(hub, "wechat", "o1")
    assert tool(hub, "unlink_chat", link=said_as)["platform"] == "wecom_bot"


def test_of_several_that_fit_the_person_says_which(hub: Hub) -> None:
    link(hub, "slack", "U1", "Ada")
    link(hub, "slack", "U2", "Ada at work")
    link(hub, "slack", "U3", "Ada at work")
    with pytest.raises(AmbiguousChatLink) as raised:
        tool(hub, "unlink_chat", link="slack")
    numbers = raised.value.details["choices"]
    assert len(set(numbers)) == 3
    tool(hub, "unlink_chat", link=numbers[2])
    with pytest.raises(AmbiguousChatLink) as raised:
        tool(hub, "unlink_chat", link="slack")
    assert raised.value.details["choices"] == ["Slack: Ada", "Slack: Ada at work"]
    tool(hub, "unlink_chat", link="Slack: Ada at work")
    assert platforms(hub) == ["slack"]


def test_what_is_not_there_and_what_is_somebody_elses_is_one_answer(hub: Hub) -> None:
    link(hub, "slack", "U9", "Bob", hub.bob)
    (theirs,) = hub.services.bridges.links(hub.bob)
    answers = set()
    for said_as in ("slack", "wechat", f"#{theirs.id}", "#999999", "Bob", "telegram"):
        with pytest.raises(ChatNotLinked) as raised:
            tool(hub, "unlink_chat", link=said_as)
        answers.add(raised.value.message)
    assert len(answers) == 1
    assert platforms(hub, hub.bob) == ["slack"]


def test_asked_and_taken_back_on_a_platform_the_next_message_is_a_strangers(hub: Hub) -> None:
    with bridged(hub, call("list_chat_links"), call("unlink_chat", link="here")) as on:
        on.link()
        link(hub, "wechat", "o-somebody")
        on.hear(said("which chat accounts are linked to me?"))
        listed = on.fake.at("direct-U1")[-1]
        assert "u1" in listed and "WeChat" in listed and "o-somebody" in listed
        on.hear(said("please disconnect the account I am writing from"))
        assert platforms(hub) == ["fake", "wechat"], "it waits for a yes"
        on.hear(said("yes"))
        assert "not linked with your account any more" in on.fake.at("direct-U1")[-1]
        on.hear(said("who am I?"))
        assert "/bridges/link?code=" in on.fake.at("direct-U1")[-1]
    assert platforms(hub) == ["wechat"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_are_told_in_every_language(hub: Hub, language: str) -> None:
    hub.services.users.set_preference(hub.alice, "language", language)
    link(hub, "wecom", "alice")
    with hub.talk(call("list_chat_links"), call("unlink_chat", link="slack"), call("unlink_chat", link="wecom")) as web:
        listed, wrong, asked, done = (web.say(text) for text in ("links?", "unlink slack", "unlink wecom", "ok"))
    name = {"en": "WeCom", "zh": "企业微信", "ja": "WeCom", "ko": "위컴"}[language]
    assert name in listed.reply and "alice" in listed.reply
    assert wrong.outcome == "error" and wrong.reply.strip()
    assert "WeCom: alice" in asked.reply
    assert done.outcome == "done" and name in done.reply and "**alice**" in done.reply

"""From an event of a chat platform to the answer that its people see, against the same question over REST."""

from __future__ import annotations

import re
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.hub import TOKEN, Hub, folder, running_hub
from benchmarks.report import Row, compared, interleaved
from tests.common import fake_aibot, fake_slack, fake_wechat, fake_wecom
from tests.common.fake_slack import deliver
from tests.common.platforms import PLATFORMS, Around, around
from tests.common.quick_tls import reading_one_certificate

SUBJECT = "bridges"
RUNS = 15
REPO, QUESTION = "admin/tiny-chat", "who can see tiny-chat?"
_LINK = re.compile(r"/bridges/link\?code=([\w-]+)")
_NAMES = {
    "slack": "Slack: message to answer",
    "wechat": "WeChat: message to answer in the same request",
    "wecom": "WeCom: message to answer",
    "wecom_bot": "WeCom bot: message to the end of its stream",
}


def measure() -> list[Row]:
    """One person after the other asks on each platform; platforms are fakes on loopback that speak the real protocols."""
    with (
        folder() as scratch,
        reading_one_certificate(scratch),
        around() as platforms,
        running_hub(scratch / "hub", **_settings(platforms)) as hub,
    ):
        hub.tool("create_repo", name=REPO, kind="model")
        hub.wait_for_all_parts()
        platforms.hubs.append(hub.url)
        platforms.wechat.hub = platforms.wecom.hub = hub.url
        rows = []
        for platform in PLATFORMS:
            with _linked(hub, platforms, platform) as person:
                asked, direct = partial(_asked, platforms, platform, person), partial(_direct, hub)
                asked(), direct()
                rows.append(compared(SUBJECT, _NAMES[platform], "s", "POST /api/v1/chat", interleaved(RUNS, asked, direct)))
    return rows


def _settings(platforms: Around) -> dict[str, str]:
    return {
        "HUB_SLACK_BOT_TOKEN": fake_slack.BOT_TOKEN,
        "HUB_SLACK_SIGNING_SECRET": fake_slack.SECRET,
        "HUB_SLACK_API_URL": platforms.slack.api_url,
        "HUB_WECHAT_APP_ID": fake_wechat.APP,
        "HUB_WECHAT_APP_SECRET": fake_wechat.SECRET,
        "HUB_WECHAT_TOKEN": fake_wechat.TOKEN,
        "HUB_WECHAT_AES_KEY": fake_wechat.AES_KEY,
        "HUB_WECHAT_API_URL": platforms.wechat.url,
        "HUB_WECOM_CORP_ID": fake_wecom.CORP,
        "HUB_WECOM_SECRET": fake_wecom.SECRET,
        "HUB_WECOM_AGENT_ID": str(fake_wecom.AGENT),
        "HUB_WECOM_TOKEN": fake_wecom.TOKEN,
        "HUB_WECOM_AES_KEY": fake_wecom.AES_KEY,
        "HUB_WECOM_API_URL": platforms.wecom.url,
        "HUB_WECOM_BOT_ID": fake_aibot.BOT,
        "HUB_WECOM_BOT_SECRET": fake_aibot.SECRET,
        "HUB_WECOM_BOT_URL": platforms.bot.url,
    }


@contextmanager
def _linked(hub: Hub, platforms: Around, platform: str) -> Iterator[str]:
    """Somebody on a platform who acts as the administrator: they write, open the link, and say yes."""
    person = {"slack": "U1", "wechat": "o-somebody"}.get(platform, "alice")
    code = _seen(platforms, platform, person, Counter(), _LINK, _say(platforms, platform, person, "hello"))
    form = urllib.parse.urlencode({"code": code}).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
    urllib.request.urlopen(urllib.request.Request(hub.url + "/bridges/link", form, headers), timeout=30).close()
    yield person


def _asked(platforms: Around, platform: str, person: str) -> float:
    """Seconds from the event to the answer."""
    before, began = Counter(platforms.texts(platform, person)), time.perf_counter()
    at_once = _say(platforms, platform, person, QUESTION)
    _seen(platforms, platform, person, before, re.compile(r"(tiny-chat)"), at_once)
    return time.perf_counter() - began


def _direct(hub: Hub) -> float:
    began = time.perf_counter()
    answer = hub.post("/api/v1/chat", {"message": QUESTION})
    if "tiny-chat" not in answer["reply"]:
        raise RuntimeError(f"not the answer that was asked for: {answer}")
    return time.perf_counter() - began


def _say(platforms: Around, platform: str, person: str, text: str) -> str:
    """Write to the hub; what it answers in the same request."""
    if platform == "slack":
        deliver(platforms.hubs[0], platforms.slack.say(text, person))
    elif platform == "wechat":
        return platforms.wechat.say(person, text) or ""
    elif platform == "wecom":
        platforms.wecom.say(person, text)
    else:
        platforms.bot.say(person, text)
    return ""


def _seen(platforms: Around, platform: str, person: str, before: Counter[str], wanted: re.Pattern[str], at_once: str) -> str:
    """What is wanted of the first new text that has it."""
    deadline = time.perf_counter() + 30
    while time.perf_counter() < deadline:
        for text in (at_once, *(Counter(platforms.texts(platform, person)) - before)):
            if found := wanted.search(text):
                return found[1]
        time.sleep(0.002)
    raise RuntimeError(f"no answer on {platform}: {platforms.texts(platform, person)}")

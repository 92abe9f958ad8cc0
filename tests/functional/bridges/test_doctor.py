"""What `hubtalk doctor` says of a bridge, and that a hub with one starts and serves its address."""

from __future__ import annotations

from dataclasses import replace

from chat_ui.bridges.registry import examine
from chat_ui.server import create_app
from hub_core.settings import Settings
from tests.common.fake_slack import APP_TOKEN, BOT_TOKEN, SECRET, deliver, run_slack
from tests.common.live import serve


def test_a_good_configuration_is_sound(settings: Settings) -> None:
    with run_slack() as slack:
        good = replace(
            settings, slack_bot_token=BOT_TOKEN, slack_signing_secret=SECRET, slack_api_url=slack.api_url, public_url="https://hub.example.com",
            slack_app_token=APP_TOKEN,
        )  # fmt: skip
        found = list(examine(good))
    assert len(found) == 4
    assert [finding.problem for finding in found] == [""] * 4


def test_every_mistake_is_told(settings: Settings) -> None:
    with run_slack() as slack:
        wrong = replace(
            settings,
            slack_bot_token="xoxb-revoked",
            slack_signing_secret="short",
            slack_api_url=slack.api_url,
            slack_app_token="xapp-wrong",
        )
        problems = " ".join(finding.problem for finding in examine(wrong))
    for word in ("auth.test: invalid_auth", "apps.connections.open: invalid_auth", "32 hexadecimal", "https"):
        assert word in problems
    assert "HUB_SLACK_BOT_TOKEN" in next(iter(examine(replace(settings, slack_signing_secret=SECRET)))).problem


def test_a_hub_without_bridges_has_nothing_to_check(settings: Settings) -> None:
    assert list(examine(settings)) == []


def test_a_hub_with_slack_serves_its_address_and_its_pages(settings: Settings) -> None:
    import httpx

    with run_slack() as slack:
        own = replace(settings, slack_bot_token=BOT_TOKEN, slack_signing_secret=SECRET, slack_api_url=slack.api_url)
        with serve(create_app(own)) as url:
            answer = deliver(url, {"type": "url_verification", "challenge": "abc", "token": "x"})
            assert answer.json()["challenge"] == "abc"
            assert httpx.get(f"{url}/bridges/links").headers["location"] == "/login?next=/bridges/links"

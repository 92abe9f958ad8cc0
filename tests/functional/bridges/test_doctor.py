"""What `hubtalk doctor` says of a bridge."""

from __future__ import annotations

from dataclasses import replace

from chat_ui.bridges.registry import examine
from hub_core.settings import Settings
from tests.common.fake_slack import APP_TOKEN, BOT_TOKEN, SECRET, run_slack


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

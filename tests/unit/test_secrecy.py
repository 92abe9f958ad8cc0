"""What counts as a secret in a sentence."""

from __future__ import annotations

import pytest

from hub_core.secrecy import HIDDEN, hide, redact, secrets_in, secrets_said


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("create user bob with password hunter2hunter2", "hunter2hunter2"),
        ("make bob, password hunter2hunter2, email b@x.io", "hunter2hunter2"),
        ("set my password to hunter2hunter2", "hunter2hunter2"),
        ("password: correcthorse", "correcthorse"),
        ("password: 'correct horse'", "correct horse"),
        ("创建用户bob,密码是hunter2hunter2", "hunter2hunter2"),
        ("密码hunter2hunter2的用户bob", "hunter2hunter2"),
        ("ユーザー bob を作って、パスワードは「correct horse」", "correct horse"),
        ("비밀번호는 hunter2hunter2야", "hunter2hunter2"),
        ("set the secret API_KEY of acme/demo to sk_live_12345abc", "sk_live_12345abc"),
        ("set OPENAI_API_KEY=abc123xyz in acme/demo-app2", "abc123xyz"),
        ("add the secret DB_PASSWORD to acme/demo-app2 with value p4ss!word99", "p4ss!word99"),
        ("add OPENAI_API_KEY to acme/demo: sk-abc123", "sk-abc123"),
        ("store abc123def as the secret TOKEN in demo", "abc123def"),
        ("secret API_KEY for demo-2 = 'abc 123 def'", "abc 123 def"),
        ("把 acme/demo 的密钥 API_KEY 设为 abc123def", "abc123def"),
        ("acme/demo のシークレット API_KEY を abc123def に設定", "abc123def"),
        ("acme/demo의 시크릿 API_KEY를 abc123def로 설정해줘", "abc123def"),
        ("clone http://ann:b12345@hub/x", "ann:b12345"),
        ("use hub_abcdefghijklmnopqrstuvwxyz please", "hub_abcdefghijklmnopqrstuvwxyz"),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nabc\n-----END ENCRYPTED PRIVATE KEY-----",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nabc\n-----END ENCRYPTED PRIVATE KEY-----",
        ),
    ],
)
def test_a_secret_is_found_by_its_looks_or_the_words_before_it(text: str, secret: str) -> None:
    assert secrets_said(text) == [secret]
    assert secret not in hide(text, [secret])


@pytest.mark.parametrize(
    "text",
    [
        "reset password charlie7",
        "reset the password of charlie",
        "the password is wrong",
        "パスワードをリセットして",
        "hub_core",
        "which secrets does acme/demo-app2 have?",
        "add OPENAI_API_KEY to demo-app2",
        "delete the secret API_KEY from demo-2024",
        "set secret visibility to private",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert secrets_said(text) == []


@pytest.mark.parametrize(
    "text", ["password ", "password", " ", "-----BEGIN ", "://", "「", "密码是", "password: '", "hub_", "secret to ", "A_KEY ", "add a to "]
)
def test_a_hostile_text_takes_no_time(text: str) -> None:
    secrets_said("password" + text * (30_000 // len(text)))


def test_fields_are_secret_by_name() -> None:
    value = {"password": "a", "token": "ci", "more": [{"token": "hub_x"}]}
    assert secrets_in(value) == ["a", "hub_x"]
    assert redact(value) == {"password": HIDDEN, "token": "ci", "more": [{"token": HIDDEN}]}


def test_arguments_are_secret_by_their_tool() -> None:
    args = {"target": "ann/app", "name": "API_KEY", "value": "abc123"}
    step = {"tool": "set_secret", "args": {"name": "API_KEY", "value": "abc123"}, "missing": ["target"]}
    assert secrets_in([args, step]) == ["abc123", "abc123"]
    assert redact([args, step]) == [{**args, "value": HIDDEN}, {**step, "args": {"name": "API_KEY", "value": HIDDEN}}]
    assert redact({"value": "abc123"}, "set_secret") == {"value": HIDDEN}
    others = [{"key": "language", "value": "japanese"}, {"tool": "set_preference", "args": {"key": "language", "value": "japanese"}}]
    assert secrets_in(others) == []
    assert redact(others) == others

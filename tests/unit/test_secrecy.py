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
    "text", ["reset password charlie7", "reset the password of charlie", "the password is wrong", "パスワードをリセットして", "hub_core"]
)
def test_what_is_none_stays(text: str) -> None:
    assert secrets_said(text) == []


@pytest.mark.parametrize("text", ["password ", "password", " ", "-----BEGIN ", "://", "「", "密码是", "password: '", "hub_"])
def test_a_hostile_text_takes_no_time(text: str) -> None:
    secrets_said("password" + text * (30_000 // len(text)))


def test_fields_are_secret_by_name() -> None:
    value = {"password": "a", "token": "ci", "more": [{"token": "hub_x"}]}
    assert secrets_in(value) == ["a", "hub_x"]
    assert redact(value) == {"password": HIDDEN, "token": "ci", "more": [{"token": HIDDEN}]}

"""Secrets are known by their shape, and shown by their beginning only."""

from __future__ import annotations

import pytest

from hub_core.accounts.credentials import make_token
from hub_core.reading import BytesReader
from hub_core.scanning import files
from hub_core.scanning.files import findings_in
from hub_core.scanning.secrets import secrets_in

BODY = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYz1A2b3C4d5"
KEY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDJ8k2Lq0Vb\n"
# Put together here, so that this file holds none itself.
SAMPLES = [
    ("hubtalk token", make_token()),
    ("Hugging Face token", "hf" + "_" + BODY[:34]),
    ("AWS access key", "AKI" + "A4SDFGHJ2KLQW3ERT"),
    ("AWS secret key", "aws_secret_access_key = " + (BODY * 2)[:40]),
    ("GitHub token", "gh" + "p_" + BODY[:36]),
    ("GitHub token", "github" + "_pat_" + (BODY * 2)[:70]),
    ("GitLab token", "gl" + "pat-" + BODY[:20]),
    ("Slack token", "xo" + "xb-204819375062-" + BODY[:24]),
    ("Slack webhook", "https://hooks.slack" + ".com/services/T0A1B2C3D/B0A1B2C3D/" + BODY[:24]),
    ("Google API key", "AI" + "za" + BODY[:35]),
    ("OpenAI key", "sk" + "-proj-" + (BODY * 2)[:60]),
    ("npm token", "np" + "m_" + BODY[:36]),
    ("Stripe key", "sk" + "_live_" + BODY[:24]),
    ("private key", "-----BEGIN " + "RSA PRIVATE KEY-----\n" + KEY * 3),
    ("private key", "-----BEGIN OPENSSH " + "PRIVATE KEY-----\\n" + KEY.strip() * 3),
]


@pytest.mark.parametrize(("kind", "text"), SAMPLES, ids=range(len(SAMPLES)))
def test_each_shape_is_found_and_masked(kind: str, text: str) -> None:
    found = list(secrets_in(f'import os\nTOKEN = "{text}"\n'.encode()))
    assert [secret.kind for secret in found] == [kind]
    assert len(found[0].masked) <= 60
    assert text[12:] not in found[0].masked


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "IOSFODNN7EXAMPLE", "hf_" + "x" * 34, "hf_" + "a" * 34, "hf_your_token_here", "ghp_" + "0" * 36, "sk-" + "your-key-goes-here-" * 3,
        "-----BEGIN " + "PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", "the header -----BEGIN RSA " + "PRIVATE KEY----- says so", "def hf_hub_download(): pass",
        "half_" + BODY, "xoxb is how they begin", "a" * 100_000,
    ],
)  # fmt: skip
def test_examples_and_words_are_left_alone(text: str) -> None:
    assert list(secrets_in(text.encode())) == []


def test_lines_are_told_across_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_WINDOW", 1000)
    monkeypatch.setattr(files, "_OVERLAP", 200)
    lines = [f"line {n}" for n in range(1, 1001)]
    wanted = [3, 110, 111, 500, 1000]
    for number in wanted:
        lines[number - 1] = SAMPLES[1][1][:-4] + f"{number:04}"
    found = findings_in(BytesReader("config.txt", "\n".join(lines).encode()), lambda _secret: "unsafe")
    assert [finding.line for finding in found] == wanted


def test_binary_files_are_not_searched() -> None:
    data = b"\0\1\2" + SAMPLES[1][1].encode()
    assert findings_in(BytesReader("data.dat", data), lambda _secret: "unsafe") == []
    assert findings_in(BytesReader("model.safetensors", SAMPLES[1][1].encode()), lambda _secret: "unsafe") == []

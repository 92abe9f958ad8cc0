"""Known shapes of secrets in bytes. What is found is told by its kind and its first characters, never whole.

Imports nothing of the hub, so that the way in of a push can use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SHOWN = 6
_MAX_PER_TEXT = 100
# A real secret is made of many characters; examples in documents are not.
_MIN_DISTINCT = 10
_EXAMPLE = re.compile(rb"EXAMPLE|XXXX|xxxx|\.\.\.|0000000|1234567890|[Yy]our|<[a-z_]+>")


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of secret: every match of the pattern begins with one of the anchors."""

    name: str
    anchors: tuple[bytes, ...]
    pattern: re.Pattern[bytes]


@dataclass(frozen=True, slots=True)
class Secret:
    """One that was found: its kind, its position in bytes, and its value, which must not be stored or shown."""

    kind: str
    start: int
    value: bytes

    @property
    def masked(self) -> str:
        """What may be shown."""
        if self.value.startswith(b"-----"):
            return self.value.partition(b"\n")[0].decode("ascii", "replace").strip()[:60]
        return self.value[:SHOWN].decode("ascii", "replace") + "…"


def _shape(name: str, pattern: bytes, *anchors: bytes) -> Shape:
    return Shape(name, anchors, re.compile(pattern))


_EDGE = rb"(?<![A-Za-z0-9_])"
_END = rb"(?![A-Za-z0-9_])"
SHAPES: tuple[Shape, ...] = (
    _shape("hubtalk token", _EDGE + rb"hub_[A-Za-z0-9_-]{43}[0-9a-f]{6}" + _END, b"hub_"),
    _shape("Hugging Face token", _EDGE + rb"(?:hf|api_org)_[A-Za-z0-9]{30,60}" + _END, b"hf_", b"api_org_"),
    _shape("AWS access key", _EDGE + rb"(?:AKIA|ASIA)[A-Z2-7]{16}" + _END, b"AKIA", b"ASIA"),
    _shape("AWS secret key", rb"(?i:aws_?secret_?(?:access_?)?key)[\"']?\s{0,4}[=:]\s{0,4}[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])", b"aws_secret", b"AWS_SECRET", b"awsSecret", b"AwsSecret", b"AWSSecret", b"awssecret"),
    _shape("GitHub token", _EDGE + rb"(?:gh[pousr]_[A-Za-z0-9]{36,250}|github_pat_[A-Za-z0-9_]{60,250})" + _END, b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
    _shape("GitLab token", _EDGE + rb"gl(?:pat|ptt|dt|rt)-[A-Za-z0-9_-]{20,60}" + _END, b"glpat-", b"glptt-", b"gldt-", b"glrt-"),
    _shape("Slack token", _EDGE + rb"xox[abeoprs]-[A-Za-z0-9-]{20,250}" + _END, b"xoxa-", b"xoxb-", b"xoxe-", b"xoxo-", b"xoxp-", b"xoxr-", b"xoxs-"),
    _shape("Slack webhook", rb"https://hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{20,}", b"https://hooks.slack.com/services/"),
    _shape("Google API key", _EDGE + rb"AIza[0-9A-Za-z_-]{35}" + _END, b"AIza"),
    _shape("OpenAI key", _EDGE + rb"sk-(?:proj-|svcacct-|ant-[a-z0-9]{3,6}-)?[A-Za-z0-9_-]{40,200}" + _END, b"sk-"),
    _shape("npm token", _EDGE + rb"npm_[A-Za-z0-9]{36}" + _END, b"npm_"),
    _shape("PyPI token", _EDGE + rb"pypi-AgE[A-Za-z0-9_-]{60,250}" + _END, b"pypi-AgE"),
    _shape("Stripe key", _EDGE + rb"(?:sk|rk)_live_[A-Za-z0-9]{20,100}" + _END, b"sk_live_", b"rk_live_"),
    _shape("Azure storage key", rb"AccountKey=[A-Za-z0-9+/]{86}==", b"AccountKey="),
    _shape(
        "private key",
        rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n|\\r){1,4}(?:[A-Za-z-]{3,20}: [^\n]{0,100}\s{1,4}){0,4}[A-Za-z0-9+/=]{40}",
        b"-----BEGIN ",
    ),
)  # fmt: skip


def secrets_in(data: bytes) -> Iterator[Secret]:
    """The secrets in a piece of data, at most 100. Finding an anchor is far faster than trying a pattern everywhere."""
    found = 0
    for shape in SHAPES:
        for anchor in shape.anchors:
            at = data.find(anchor)
            while at >= 0:
                match = shape.pattern.match(data, at)
                if match and _looks_real(shape, match[0]):
                    yield Secret(shape.name, at, match[0])
                    found += 1
                    if found >= _MAX_PER_TEXT:
                        return
                at = data.find(anchor, match.end() if match else at + 1)


def _looks_real(shape: Shape, value: bytes) -> bool:
    return shape.name == "private key" or (len(set(value)) >= _MIN_DISTINCT and not _EXAMPLE.search(value))

"""Example sentences of the tools, in four languages, from `tools/catalog/examples/<language>/<group>.yaml`.

They feed the API, the docs, an LLM's prompt and the training of the built-in planner. A pattern is text with
alternatives `(a|b)`, options `[x]` and slots `{repo}`; `agent.planner.train` expands them fully, here the first form is enough.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent / "catalog" / "examples"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML was built with libyaml

# What stands for a slot in a sentence that people read.
_STAND_INS = {
    "repo": "acme/support-7b", "model": "acme/support-7b", "dataset": "acme/tickets-q3", "space": "acme/demo-app", "code": "acme/train-scripts",
    "user": "bob", "org": "acme", "branch": "dev", "tag": "support", "gittag": "v1.0", "path": "README.md", "newpath": "docs/README.md",
    "revision": "main", "license": "apache-2.0", "text": '"Answers support tickets"', "number": "20", "token": "ci-token", "sshkey": "macbook",
    "sql": "`select team, count(*) from data group by team`", "newname": "support-8b", "email": "bob@example.com", "file": "train.csv",
    "query": "support", "collection": "best-support-models", "discussion": "#3", "url": "https://ci.example.com/hook", "webhook": "https://ci.example.com/hook",
    "title": '"Wrong licence in the card"', "body": '"The card says MIT"', "secretname": "API_KEY", "deployment": "acme/support-7b", "endpoint": "acme/support-7b", "hardware": "one A10", "amount": "200 USD",
}  # fmt: skip
_WORDS = {
    "en": {"role": "write", "visibility": "private", "kind": "model", "scope": "read", "lang": "Japanese", "when": "last week", "it": "it", "period": "this month", "ordinal": "the second one"},
    "zh": {"role": "写入", "visibility": "私有", "kind": "模型", "scope": "只读", "lang": "日语", "when": "上周", "it": "它", "period": "这个月", "ordinal": "第二个"},
    "ja": {"role": "書き込み", "visibility": "非公開", "kind": "モデル", "scope": "読み取り", "lang": "日本語", "when": "先週", "it": "それ", "period": "今月", "ordinal": "2番目"},
    "ko": {"role": "쓰기", "visibility": "비공개", "kind": "모델", "scope": "읽기", "lang": "일본어", "when": "지난주", "it": "그거", "period": "이번 달", "ordinal": "두 번째"},
}  # fmt: skip


@cache
def patterns(language: str) -> dict[str, tuple[str, ...]]:
    """All patterns of a language by tool name (and pseudo tool: small_talk, out_of_scope, not_available)."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted((FOLDER / language).glob("*.yaml")):
        for name, lines in (yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) or {}).items():  # noqa: S506 - a safe one
            found[name] = (*found.get(name, ()), *(str(line) for line in lines))
    return found


@cache
def sentences(language: str, tool: str) -> tuple[str, ...]:
    """One readable sentence for each pattern of a tool."""
    return tuple(_first_form(pattern, language) for pattern in patterns(language).get(tool, ()))


def _first_form(pattern: str, language: str) -> str:
    """The pattern with its first alternatives, its options and stand-ins for its slots."""
    text, _ = _group(pattern, 0, "")
    for slot, word in {**_STAND_INS, **_WORDS[language]}.items():
        text = text.replace("{" + slot + "}", word)
    return " ".join(text.split())


def _group(pattern: str, at: int, closer: str) -> tuple[str, int]:
    alternatives = [""]
    while at < len(pattern):
        char = pattern[at]
        if closer and char == closer:
            return alternatives[0], at + 1
        if char in "([":
            inner, at = _group(pattern, at + 1, ")" if char == "(" else "]")
            alternatives[-1] += inner
            continue
        if char == "|":
            alternatives.append("")
        else:
            alternatives[-1] += char
        at += 1
    return alternatives[0], at

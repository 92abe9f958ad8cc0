"""The words of the page in its four languages, from `translations/`. Answers themselves are worded by the agent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

Language = Literal["en", "zh", "ja", "ko"]
LANGUAGES: tuple[Language, ...] = ("en", "zh", "ja", "ko")
TAGS: dict[Language, str] = {"en": "en-US", "zh": "zh-CN", "ja": "ja", "ko": "ko"}
NAMES: dict[Language, str] = {"en": "English", "zh": "简体中文", "ja": "日本語", "ko": "한국어"}
FOLDER = Path(__file__).parent / "translations"


@dataclass(frozen=True, slots=True)
class Texts:
    """All words of one language."""

    language: Language
    chainlit: dict[str, str]
    login: dict[str, str]
    page: dict[str, str]
    links: dict[str, str]
    starters: list[list[str]]
    cards: dict[str, dict[str, str]]
    changes: dict[str, str]
    welcome: str

    def card(self, component: str) -> dict[str, Any]:
        """The words that a component shows."""
        words: dict[str, Any] = {**self.cards["common"], **self.cards[component]}
        if component in ("RepoCard", "RepoList"):
            words.update(kinds=self.cards["kinds"], visibilities=self.cards["visibilities"])
        return words

    def change(self, what: str) -> str:
        """The name of something that changes; unknown ones are shown as they are."""
        return self.changes.get(what) or what.replace("_", " ").capitalize()


@cache
def texts(language: Language) -> Texts:
    """The words of one language."""
    data = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return Texts(language=language, welcome=(FOLDER / f"welcome.{language}.md").read_text(encoding="utf-8"), **data)


def language_of(tag: str | None) -> Language:
    """The page's language for a language tag such as `zh-TW` or `ja_JP`; English for all others."""
    first = (tag or "").replace("_", "-").split("-")[0].strip().lower()
    return next((language for language in LANGUAGES if language == first), "en")


def language_asked(chosen: str, accept_language: str) -> Language:
    """The language that a page's address names; without one of ours, as `language_of_header`."""
    return next((one for one in LANGUAGES if one == chosen), language_of_header(accept_language))


def language_of_header(accept_language: str) -> Language:
    """The first language of an `Accept-Language` header that the page has; English when there is none."""
    for part in accept_language.split(","):
        tag = part.split(";")[0].strip()
        if tag.split("-")[0].lower() in LANGUAGES:
            return language_of(tag)
    return "en"

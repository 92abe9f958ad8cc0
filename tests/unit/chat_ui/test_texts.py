"""The words of the page exist in all four languages, with the same blanks to fill in."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from chat_ui.chainlit_home import PUBLIC, prepare_home
from chat_ui.texts import FOLDER, LANGUAGES, TAGS, Language, language_of, language_of_header, texts
from hub_core.settings import Settings


def flat(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        return {key: text for name, item in value.items() for key, text in flat(item, f"{path}/{name}").items()}
    if isinstance(value, list):
        return {key: text for number, item in enumerate(value) for key, text in flat(item, f"{path}/{number}").items()}
    return {path: value}


def own(language: Language) -> dict[str, str]:
    data = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    data.pop("chainlit")
    return flat(data)


def chainlit_translations() -> Path:
    spec = importlib.util.find_spec("chainlit")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "translations"


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_has_the_same_words_and_blanks(language: Language) -> None:
    english, other = own("en"), own(language)
    assert other.keys() == english.keys()
    blanks = {key: sorted(re.findall(r"{\w+}", text)) for key, text in english.items()}
    assert {key: sorted(re.findall(r"{\w+}", text)) for key, text in other.items()} == blanks
    assert texts(language).welcome != texts("en").welcome


def test_the_words_for_chainlit_are_complete_in_all_four_languages(tmp_path: Path) -> None:
    home = prepare_home(Settings(data_dir=tmp_path), chainlit_translations())
    truth = flat(json.loads((chainlit_translations() / "en-US.json").read_text(encoding="utf-8")))
    english = flat(json.loads((home / ".chainlit/translations/en-US.json").read_text(encoding="utf-8")))
    for language in LANGUAGES:
        written = flat(json.loads((home / f".chainlit/translations/{TAGS[language]}.json").read_text(encoding="utf-8")))
        assert written.keys() == truth.keys()
        if language != "en":
            same = {key for key, text in written.items() if text == english[key]}
            assert same <= {"/auth/login/form/email/placeholder", "/navigation/user/menu/settingsKey"}


def test_the_home_is_written_again_only_where_it_differs(tmp_path: Path) -> None:
    home = prepare_home(Settings(data_dir=tmp_path), chainlit_translations())
    (home / "public/hubtalk.css").write_text("broken")
    before = (home / "public/theme.json").stat().st_mtime_ns
    prepare_home(Settings(data_dir=tmp_path), chainlit_translations())
    assert (home / "public/hubtalk.css").read_text(encoding="utf-8") == (PUBLIC / "hubtalk.css").read_text(encoding="utf-8")
    assert (home / "public/theme.json").stat().st_mtime_ns == before


def test_components_name_only_words_that_exist() -> None:
    for file in (PUBLIC / "elements").glob("*.jsx"):
        words = texts("en").card(file.stem)
        used = set(re.findall(r"\bt\.([a-z_]+)", file.read_text(encoding="utf-8")))
        assert used <= words.keys(), file.name


@pytest.mark.parametrize(
    ("tag", "language"), [("zh-TW", "zh"), ("ja_JP", "ja"), ("ko", "ko"), ("en-GB", "en"), ("de", "en"), (None, "en"), ("", "en")]
)
def test_a_language_tag_finds_the_nearest_language(tag: str | None, language: str) -> None:
    assert language_of(tag) == language


def test_the_first_known_language_of_a_header_wins() -> None:
    assert language_of_header("de-DE,fr;q=0.9,ko-KR;q=0.8,en;q=0.7") == "ko"
    assert language_of_header("") == "en"

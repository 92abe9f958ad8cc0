"""The folder that Chainlit works in: its configuration, our words and our public files, written anew at each start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chat_ui.texts import LANGUAGES, TAGS, texts
from hub_core.settings import Settings

PUBLIC = Path(__file__).parent / "public"
MAX_FILES = 10

CONFIG = """\
[project]
user_env = []
session_timeout = 3600
user_session_timeout = 86400
cache = false
persist_user_env = false
allow_origins = []

[features]
unsafe_allow_html = false
latex = false
user_message_markdown = false
user_message_autoscroll = true
assistant_message_autoscroll = true
auto_tag_thread = false
edit_message = false
allow_thread_sharing = false
favorites = false

[features.spontaneous_file_upload]
enabled = true
accept = {{}}
max_files = {max_files}
max_size_mb = {max_size_mb}

[features.audio]
enabled = false

[features.mcp]
enabled = false

[UI]
name = "hubtalk"
description = "A private hub for models, datasets and code that you run by talking to it."
cot = "tool_call"
confirm_new_chat = false
default_sidebar_state = "open"
custom_css = "/public/hubtalk.css"
custom_js = "/public/hubtalk.js"
custom_meta_url = "/chat"
custom_meta_image_url = "/chat/favicon"

[meta]
generated_by = "2.12.0"
"""


def upload_limit_mb(settings: Settings) -> int:
    """The largest file the page takes, in MiB."""
    return settings.max_attachment_mb


def prepare_home(settings: Settings, translations: Path) -> Path:
    """Write the folder and return it.

    Args:
        translations: Chainlit's own translation files, which ours complete and correct.
    """
    home = settings.data_dir.resolve() / "chat"
    _write(home / ".chainlit" / "config.toml", CONFIG.format(max_files=MAX_FILES, max_size_mb=upload_limit_mb(settings)))
    for language in LANGUAGES:
        words, tag = texts(language), TAGS[language]
        complete = _complete(translations, tag, words.chainlit)
        _write(home / ".chainlit" / "translations" / f"{tag}.json", json.dumps(complete, ensure_ascii=False, indent=1))
        _write(home / f"chainlit_{tag}.md", words.welcome)
    _write(home / "chainlit.md", texts("en").welcome)
    for source in PUBLIC.rglob("*"):
        if source.is_file():
            _write(home / "public" / source.relative_to(PUBLIC), source.read_text(encoding="utf-8"))
    return home


def _complete(translations: Path, tag: str, ours: dict[str, str]) -> dict[str, Any]:
    """Chainlit's words of a language with ours over them, and English where it has none."""
    merged: dict[str, Any] = {}
    for name in ("en-US", tag):
        _merge(merged, json.loads((translations / f"{name}.json").read_text(encoding="utf-8")))
    for dotted, text in ours.items():
        *folders, last = dotted.split(".")
        node = merged
        for folder in folders:
            node = node[folder]
        node[last] = text
    return merged


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def _write(path: Path, text: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

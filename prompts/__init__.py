"""Prompt files and the messages people read, in four languages. One loader; imports nothing of the project.

`load` reads a prompt (`prompts/<name>.md`, `$variable`), `message` a sentence (`prompts/messages/<language>/*.yaml`,
`{variable}`). Both refuse a variable that is missing, so that a half-filled sentence never reaches anybody.
"""

from __future__ import annotations

import string
import threading
from functools import cache
from pathlib import Path
from typing import Any

import yaml

LANGUAGES = ("en", "zh", "ja", "ko")
_HERE = Path(__file__).parent
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML was built with libyaml
_reading = threading.Lock()


class PromptError(LookupError):
    """A prompt or message is not there, or was given the wrong variables: a mistake of ours."""


def load(name: str, /, **variables: Any) -> str:
    """The prompt `prompts/<name>.md` with its variables filled in.

    Raises:
        PromptError: there is no such prompt, or the variables are not exactly those it names.
    """
    template = string.Template(_read(name))
    wanted = set(template.get_identifiers())
    if wanted != set(variables):
        raise PromptError(f"{name} takes {sorted(wanted)}, not {sorted(variables)}")
    return template.substitute(variables)


def own_yaml(text: str) -> Any:
    """What a YAML file of this project says."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe one


def message(language: str, key: str, /, **variables: Any) -> str:
    """A sentence by its dotted key; variables that it does not name are ignored.

    Raises:
        PromptError: there is no such sentence, or a variable is missing.
    """
    text = messages(language).get(key)
    if text is None:
        raise PromptError(f"no message {key} in {language}")
    try:
        return text.format(**variables)
    except KeyError as error:
        raise PromptError(f"message {key} needs {error}") from None


def has_message(language: str, key: str) -> bool:
    """Whether there is such a sentence."""
    return key in messages(language)


def variables_of(text: str) -> set[str]:
    """The names of the variables of a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def messages(language: str) -> dict[str, str]:
    """All sentences of a language by dotted key; an unknown language has the English ones."""
    with _reading:  # it takes a second, and many threads begin at once
        return _messages(language)


@cache
def _messages(language: str) -> dict[str, str]:
    folder = _HERE / "messages" / (language if language in LANGUAGES else "en")
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        for key, text in _flat(own_yaml(path.read_text(encoding="utf-8")) or {}):
            if key in found:
                raise PromptError(f"{key} is twice in {language}")
            found[key] = text
    return found


@cache
def _read(name: str) -> str:
    path = _HERE / f"{name}.md"
    if not path.is_file() or _HERE not in path.resolve().parents:
        raise PromptError(f"no prompt {name}")
    return path.read_text(encoding="utf-8").strip()


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            flat += _flat(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", str(value)))
    return flat

"""What a person can set for themselves: language, usual hardware, aliases for things they name often."""

from __future__ import annotations

import re

from hub_core.errors import InvalidInput

LANGUAGES = ("en", "zh", "ja", "ko")
MAX_ALIASES = 100
_ALIAS = re.compile(r"alias\.[\w.-]{1,64}")
_HARDWARE = re.compile(r"[\w.:/ -]{1,64}")
_LANGUAGE_NAMES = {
    **{"english": "en", "英语": "en", "英文": "en", "英語": "en", "영어": "en"},
    **{"chinese": "zh", "中文": "zh", "汉语": "zh", "简体中文": "zh", "中国語": "zh", "중국어": "zh", "zh-cn": "zh"},
    **{"japanese": "ja", "日语": "ja", "日文": "ja", "日本語": "ja", "일본어": "ja"},
    **{"korean": "ko", "韩语": "ko", "韩文": "ko", "韓国語": "ko", "한국어": "ko"},
}


def check_preference(key: str, value: str) -> tuple[str, str]:
    """The key and value in stored form.

    Raises:
        InvalidInput: no such key, or a value that it cannot have.
    """
    key, value = key.strip().lower(), value.strip()
    if key == "language":
        code = _LANGUAGE_NAMES.get(value.lower(), value.lower())
        if code not in LANGUAGES:
            raise InvalidInput(f"'{value[:40]}' is not a language of this hub.", hint="Use en, zh, ja or ko.")
        return key, code
    if key == "hardware":
        if not _HARDWARE.fullmatch(value):
            raise InvalidInput(
                "A kind of hardware is named in 1 to 64 letters, digits, '.', ':', '/', '-' or spaces.", hint="For example: gpu-small"
            )
        return key, value
    if _ALIAS.fullmatch(key):
        if not 1 <= len(value) <= 200 or not value.isprintable():
            raise InvalidInput("An alias stands for 1 to 200 printable characters.", hint="For example: alias.prod = acme/support-7b")
        return key, value
    raise InvalidInput(f"There is no preference '{key[:64]}'.", hint="Use language, hardware, or alias.NAME.")


def changed(current: dict[str, str], key: str, value: str | None) -> dict[str, str]:
    """A copy of the preferences with one set, or removed when `value` is None or empty.

    Raises:
        InvalidInput: see `check_preference`; or there would be more than 100 aliases.
    """
    if not value:
        return {name: held for name, held in current.items() if name != key.strip().lower()}
    key, value = check_preference(key, value)
    if key not in current and sum(name.startswith("alias.") for name in current) >= MAX_ALIASES and key.startswith("alias."):
        raise InvalidInput(f"There can be {MAX_ALIASES} aliases.", hint="Remove one first.")
    return {**current, key: value}

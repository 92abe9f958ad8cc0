"""Secrets in results, arguments and what people say: found, and replaced before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

SECRET_KEYS = frozenset({"token", "password", "secret", "new_password"})
# Arguments of tools that are secrets where their name alone does not tell; all of them together tell it without the tool's name.
_SECRET_ARGS = {"set_secret": ("value", frozenset({"target", "name", "value"}))}
HIDDEN = "••••••"
# What looks like a secret wherever it stands.
SECRETS_IN_TEXT = re.compile(
    r"\bhub_[A-Za-z0-9_-]{20,}"  # tokens of this hub
    r"|\b(?:hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|sk-[A-Za-z0-9_-]{20,})"  # of services people use beside it
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password in an address
    r"|(?<=\bBearer )\S+|(?<=\bBasic )\S+"
    r"|(?<=[?&]s=)[\w-]+|(?<=[?&]X-Amz-Signature=)\w+|(?<=[?&]token=)[^&\s]+",  # signed addresses
    re.IGNORECASE,
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
# A password that is told: its word, what leads to the value, the value. Without a lead "reset password bob7" would name a person.
_WORD = r"(?:\b(?:password|passphrase|passcode|pw)\b|密码|密碼|口令|パスワード|暗証番号|비밀번호|비번|암호)"
_BARE = r"(?<!reset )(?<!change )" + _WORD + r"(?:\s{1,3}|(?<=[^\x00-\x7f]))"
_LED = _WORD + r"\s{0,3}(?:\b(?:is|to|as)\b|是|设为|設為|设成|改成|改为|为|為|は|を|는|은|를|을)\s{0,3}"
_SIGNED = _WORD + r"\s{0,3}(?:\b(?:is|to|as)\b|是|为|為|は|を|는|은|를|을)?\s{0,3}[:=：＝]?\s{0,3}"
_QUOTED = r"(?:「(?P<corner>[^」\n]{6,128})」|『(?P<double>[^』\n]{6,128})』|(?P<mark>[\"'`])(?P<quoted>.{6,128}?)(?P=mark))"
_TOLD = re.compile(
    rf"{_SIGNED}{_QUOTED}"
    rf"|{_SIGNED}(?:(?<=[:=：＝])|(?<=[:=：＝] ))(?P<signed>[!-~]{{6,128}})"
    rf"|(?:{_BARE}|{_LED})(?P<value>[!-~]{{6,128}})",
    re.IGNORECASE,
)
# The secret of a Space: a name in capitals that says what it is, what leads to the value, the value; or the word, the name, the value.
_LEAD = r"(?:\s{0,3}[:=：＝]\s{0,3}|\s{1,3}(?:to|is|as|with(?: the)? value|=)\s{1,3}|\s{0,3}(?:设为|设成|改成|改为|设置为|是|为|に|を|は|은|는|을|를|값은)\s{0,3})"
_KEY_NAME = (
    r"(?<![A-Za-z0-9_])[A-Z][A-Z0-9_]{0,60}(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PWD|PASS|CREDENTIALS?|DSN)[A-Z0-9_]{0,20}(?![A-Za-z0-9_])"
)
_NOUN = r"(?:\bsecrets?\b|密钥|机密|秘密|シークレット|시크릿|비밀 ?값)"
_VALUE = r"(?:(?P<mark>[\"'`])(?P<quoted>[^\n]{6,512}?)(?P=mark)|「(?P<corner>[^」\n]{6,512})」|(?![a-z0-9_-]{1,39}/[\w.-]+(?:[\s,:;：]|$))(?P<value>[!-~]{6,512}))"
_SECRET_TOLD = re.compile(
    rf"(?:{_KEY_NAME}[^\n:=：＝]{{0,60}}?|{_NOUN}[^\n:=：＝]{{0,80}}?){_LEAD}{_VALUE}"
    rf"|\b(?:store|save|put|add|use|keep|set)\s{{1,3}}(?P<before>[!-~]{{6,512}})\s{{1,3}}as\s[^\n]{{0,20}}?(?:{_NOUN}|{_KEY_NAME})",
)
# "add KEY to demo-app2: ..." names a Space after "to", and no value.
_ADDED_TO = re.compile(r"\b(add|put|give|attach|save|store)\b([^\n]{0,80}?)\sto\s", re.IGNORECASE)
_STRONG = re.compile(r"(?=.*[A-Za-z])(?=.*[\d!-/:-@\[-`{-~]).*|\d{6,}")
_EDGES = "\"'`,;"
# A shorter one would be found in too much that is none, and no account can have it.
_SHORTEST = 6


def redact(value: Any, tool: str = "") -> Any:
    """A copy of JSON-like data (of arguments, where `tool` is told) in which every secret text is replaced."""
    if isinstance(value, dict):
        hidden, named = secret_fields(value, tool), _tool_in(value)
        return {key: HIDDEN if key in hidden else redact(item, named) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


def secrets_in(value: Any, tool: str = "") -> list[str]:
    """The secret texts in JSON-like data (in arguments, where `tool` is told)."""
    if isinstance(value, dict):
        hidden, named = secret_fields(value, tool), _tool_in(value)
        return [*hidden.values(), *(text for key, item in value.items() if key not in hidden for text in secrets_in(item, named))]
    if isinstance(value, list | tuple):
        return [text for item in value for text in secrets_in(item)]
    return []


def secret_fields(fields: dict[str, Any], tool: str = "") -> dict[str, str]:
    """Those fields of a result, or of the arguments of a tool, that are secrets."""
    found = {key: item for key, item in fields.items() if _is_secret(key, item)}
    for name, (field, together) in _SECRET_ARGS.items():
        item = fields.get(field)
        if isinstance(item, str) and item and (tool == name or together <= fields.keys()):
            found[field] = item
    return found


def _tool_in(fields: dict[str, Any]) -> str:
    """The tool that a step, a question or an approval names beside its arguments."""
    said = fields.get("tool")
    return said if isinstance(said, str) else ""


def secrets_said(text: str) -> list[str]:
    """What in a sentence is a password or token by its looks or by the words before it, in all four languages."""
    found = [match[0] for pattern in (SECRETS_IN_TEXT, _PRIVATE_KEY) for match in pattern.finditer(text)]
    for match in _TOLD.finditer(text):
        sure = match["signed"] or match["corner"] or match["double"] or match["quoted"]
        value = sure or match["value"]
        found += [value.strip(_EDGES)] if sure or _STRONG.fullmatch(value) else []
    for match in _SECRET_TOLD.finditer(_ADDED_TO.sub(r"\1\2 in ", text)):
        sure = match["quoted"] or match["corner"]
        value = sure or (match["value"] or match["before"]).strip(_EDGES)
        found += [value] if sure or _STRONG.fullmatch(value) else []
    found = list(dict.fromkeys(found))
    return [secret for secret in found if len(secret) >= _SHORTEST and HIDDEN not in secret]


def hide(value: Any, secrets: Iterable[str]) -> Any:
    """A copy of JSON-like data or of a text in which these secrets are replaced, wherever they stand."""
    longest_first = sorted(secrets, key=len, reverse=True)

    def change(text: str) -> str:
        for secret in longest_first:
            text = text.replace(secret, HIDDEN)
        return text

    return rewrite(value, change) if longest_first else value


def rewrite(value: Any, change: Callable[[str], str]) -> Any:
    """A copy of JSON-like data with every text, and no key, changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: rewrite(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(rewrite(item, change) for item in value)
    return value


def _is_secret(key: str, item: Any) -> bool:
    """Whether a field of a result or an argument is one by its name."""
    # A tool may also tell the name of a token; only secrets of ours begin with the prefix.
    return key in SECRET_KEYS and isinstance(item, str) and bool(item) and (key != "token" or item.startswith("hub_"))

"""Cards: the YAML front matter of a README.md, read from whatever people push, and one key of it rewritten.

YAML is parsed in two passes: the first only counts events, so that aliases ("billion laughs"), deep nesting and huge
documents are refused before anything is built from them.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from hub_core.errors import InvalidInput

MAX_FRONT_MATTER = 512 << 10
MAX_README = 4 << 20
MAX_DEPTH = 20
MAX_EVENTS = 100_000
MAX_ITEMS = 200
MAX_DESCRIPTION = 300

_FRONT = re.compile(r"\A(\ufeff?(?:[ \t]*\r?\n)*---[ \t]*\r?\n)(.*?)(^---[ \t]*(?:\r?\n|\Z))", re.DOTALL | re.MULTILINE)
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What PyYAML's constructors are known to raise on odd scalars, besides its own errors.
_YAML_ERRORS = (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)


@dataclass(frozen=True, slots=True)
class Card:
    """What a README's front matter says. Fields that are missing or of a wrong type are empty, with a line in `warnings`."""

    license: str | None = None
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    base_models: tuple[str, ...] = ()
    pipeline_tag: str | None = None
    library_name: str | None = None
    pretty_name: str | None = None
    description: str | None = None
    raw: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def hub_tags(self) -> list[str]:
        """The tags as the Hugging Face Hub lists them: plain ones, `license:…`, language codes, `dataset:…`, `base_model:…` and categories."""
        found = [self.pipeline_tag, self.library_name, *self.tags]
        found += [f"dataset:{name}" for name in self.datasets] + [f"base_model:{name}" for name in self.base_models]
        for key in ("task_categories", "task_ids", "size_categories", "annotations_creators", "multilinguality", "source_datasets"):
            found += [f"{key}:{value}" for value in _strings(self.raw.get(key))]
        found += list(self.languages)
        if self.license:
            found.append(f"license:{self.license}")
        return list(dict.fromkeys(tag for tag in found if tag))


def read_card(text: bytes) -> Card:
    """Read the card of a README.md. Never raises: what cannot be read is left out and said in `warnings`."""
    warnings: list[str] = []
    if len(text) > MAX_README:
        warnings.append("The README is very long; only its beginning was read.")
    body = text[:MAX_README].decode("utf-8", "replace")
    match = _FRONT.match(body)
    raw: dict[str, Any] = {}
    if match:
        body = body[match.end() :]
        try:
            raw = _load(match.group(2))
        except InvalidInput as error:
            warnings.append(error.message)
    return _card(raw, first_paragraph(body), warnings)


def card_of(raw: dict[str, Any]) -> Card:
    """The card that a front matter makes, as it was kept of a README."""
    return _card(raw, None, [])


def _card(raw: dict[str, Any], paragraph: str | None, warnings: list[str]) -> Card:
    licence = _strings(raw.get("license"))
    explicit = raw.get("description")
    return Card(
        license=licence[0].lower() if licence else None,
        tags=_strings(raw.get("tags"), "tags", warnings),
        languages=_strings(raw.get("language", raw.get("languages")), "language", warnings),
        datasets=_strings(raw.get("datasets"), "datasets", warnings),
        base_models=_strings(raw.get("base_model"), "base_model", warnings),
        pipeline_tag=_one(raw, "pipeline_tag", warnings),
        library_name=_one(raw, "library_name", warnings),
        pretty_name=_one(raw, "pretty_name", warnings),
        description=_shorten(explicit) if isinstance(explicit, str) and explicit.strip() else paragraph,
        raw=raw,
        warnings=tuple(warnings),
    )


def check_card(text: bytes) -> tuple[list[str], list[str]]:
    """Errors and warnings about a README's front matter, for people who are about to upload it."""
    match = _FRONT.match(text[:MAX_README].decode("utf-8", "replace"))
    if match is None:
        return [], ["The README has no metadata: lines like 'license: apache-2.0' between two lines of '---' at its beginning."]
    try:
        _load(match.group(2))
    except InvalidInput as error:
        return [f"{error.message} {error.hint}".strip()], []
    return [], list(read_card(text).warnings)


def with_fields(text: bytes, fields: dict[str, Any]) -> bytes:
    """The README with these fields in its front matter, which is made where there is none; its other fields and its text stay.

    Raises:
        InvalidInput: its front matter is not YAML that is read.
    """
    body = text.decode("utf-8", "replace")
    match = _FRONT.match(body)
    raw = (_load(match.group(2)) if match else {}) | fields
    front = yaml.safe_dump(raw, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{front}---\n{body[match.end() :] if match else chr(10) + body}".encode()


def first_paragraph(body: str) -> str | None:
    """The first paragraph of prose in Markdown, without its marks; None where there is none."""
    plain = re.sub(r"\A.*?(?=^[^\s])", "", body[:20_000], flags=re.DOTALL | re.MULTILINE)
    plain = re.sub(r"<!--.*?-->", "", plain, flags=re.DOTALL)
    plain = re.sub(r"^(```|~~~).*?(^\1|\Z)", "", plain, flags=re.DOTALL | re.MULTILINE)
    for block in re.split(r"\n\s*\n", plain.replace("\r\n", "\n")):
        lines = [line.strip() for line in block.split("\n")]
        prose = " ".join(line for line in lines if line and not re.match(r"#{1,6}\s|[|>]|[-*_=]{3,}$|!\[|\[!\[|\[.*\]:\s", line))
        prose = _strip_marks(prose[:4000])
        if prose:
            return _shorten(prose)
    return None


def _strip_marks(text: str) -> str:
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"</?[A-Za-z][^<>]{0,300}>", "", text)
    text = re.sub(r"(\*\*|__|`+|~~)", "", text)
    return re.sub(r"(?<!\w)[*_](\S[^*_]*)[*_](?!\w)", r"\1", text).strip(" -*+\t")


def _shorten(text: str) -> str:
    flat = "".join(char if char.isprintable() else " " for char in text[: MAX_DESCRIPTION * 4])
    flat = " ".join(flat.split())
    return flat if len(flat) <= MAX_DESCRIPTION else flat[: MAX_DESCRIPTION - 1].rstrip() + "…"


def _load(front: str) -> dict[str, Any]:
    """The front matter as JSON-able data.

    Raises:
        InvalidInput: it is too large, uses aliases, is nested too deeply, or is not a YAML mapping.
    """
    _check_events(front)
    try:
        value = yaml.load(front, Loader=_LOADER)  # noqa: S506 - a safe loader, the C one where there is one
    except _YAML_ERRORS as error:
        raise _not_yaml(error) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput("The front matter of the README is not a list of fields.", hint="Write lines like 'license: apache-2.0'.")
    return {str(key): _plain(item) for key, item in value.items()}


def _check_events(front: str) -> None:
    hint = "Keep the front matter small and plain."
    if len(front) > MAX_FRONT_MATTER:
        raise InvalidInput(f"The front matter of the README is larger than {MAX_FRONT_MATTER >> 10} KiB.", hint=hint)
    depth = count = 0
    try:
        for event in yaml.parse(front, Loader=_LOADER):
            count += 1
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                raise InvalidInput("The front matter of the README uses YAML aliases, which are not read.", hint=hint)
            if depth > MAX_DEPTH or count > MAX_EVENTS:
                raise InvalidInput("The front matter of the README is nested too deeply or too long.", hint=hint)
    except _YAML_ERRORS as error:
        raise _not_yaml(error) from error


def _not_yaml(error: BaseException) -> InvalidInput:
    line = getattr(getattr(error, "problem_mark", None), "line", None)
    where = f" (line {line + 2})" if isinstance(line, int) else ""
    return InvalidInput(
        f"The front matter of the README is not valid YAML{where}.", hint="Check the indentation and quote special characters."
    )


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set():
            return [_plain(item) for item in value]
        case dt.datetime() | dt.date():
            return value.isoformat()
        case bytes():
            return value.decode("utf-8", "replace")
        case float() if value != value or value in {float("inf"), float("-inf")}:
            return None
        case int() if abs(value) > 1 << 63:
            return float(value) if abs(value) < 1 << 1000 else None
        case str():
            return value.encode("utf-8", "replace").decode()
        case _:
            return value


def _strings(value: Any, key: str = "", warnings: list[str] | None = None) -> tuple[str, ...]:
    """One string or a list of them; YAML 1.1 reads the language code `no` as False."""
    items = value if isinstance(value, list) else [value]
    found: list[str] = []
    for item in items[:MAX_ITEMS]:
        if item is False and key == "language":
            found.append("no")
        elif isinstance(item, str | int | float) and not isinstance(item, bool):
            text = " ".join(str(item).split())[:200]
            if text:
                found.append(text)
        elif item is not None and warnings is not None:
            warnings.append(f"The field '{key}' of the card has an entry that is not text.")
            break
    if len(items) > MAX_ITEMS and warnings is not None:
        warnings.append(f"Only the first {MAX_ITEMS} entries of '{key}' were read.")
    return tuple(dict.fromkeys(found))


def _one(raw: dict[str, Any], key: str, warnings: list[str]) -> str | None:
    values = _strings(raw.get(key), key, warnings)
    return values[0] if values else None

"""Evaluation conversations: what they look like, and loading them strictly."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from agent.schema import Language, Outcome
from hub_core.errors import InvalidInput
from tools.registry import default_registry

CASES = Path(__file__).parent / "cases"
LANGUAGES: tuple[Language, ...] = ("en", "zh", "ja", "ko")
SUITES = (
    "single", "multi_step", "follow_up", "ambiguous", "missing_argument", "out_of_scope", "no_permission",
    "destructive_approved", "destructive_rejected", "injection", "community", "running",
)  # fmt: skip
_STATE_KEY = re.compile(
    r"(repos/(model|dataset|space|code|prompt|mcp|skill):[^/]+/[^/]+|users/[^/]+|orgs/[^/]+|tokens/[^/]+|ssh_keys/[^/]+|chats/[^/]+|collections/[^/]+/[^/]+|deployments/[^/]+/[^/]+|jobs/[a-z]+|budgets/[^/]+)/.+"
)

Outcomes = Annotated[tuple[Outcome, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Turn(_Strict):
    """One thing the person says, or decides by a button, and what has to come of it."""

    say: str | None = None
    decide: Literal["approve", "reject"] | None = None
    outcome: Outcomes = Field(min_length=1)
    pending: str | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    tools: tuple[str, ...] | None = None
    any_tools: tuple[str, ...] | None = None
    said: tuple[str, ...] = ()
    not_said: tuple[str, ...] = ()
    language: Language | None = None

    @field_validator("said", "not_said")
    @classmethod
    def _regexes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"'{pattern}' is not a regular expression: {error}") from error
        return value

    @field_validator("pending", "tools", "any_tools")
    @classmethod
    def _known_tools(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        names = (value,) if isinstance(value, str) else value or ()
        unknown = [name for name in names if name not in default_registry()]
        if unknown:
            raise ValueError(f"there is no tool {', '.join(unknown)}")
        return value

    @model_validator(mode="after")
    def _one_act(self) -> Turn:
        if (self.say is None) == (self.decide is None):
            raise ValueError("a turn has either `say` or `decide`")
        if self.tools is not None and self.any_tools is not None:
            raise ValueError("a turn has `tools` or `any_tools`, not both")
        return self

    @property
    def named(self) -> tuple[str, ...]:
        """The tools this turn is about."""
        return (*([self.pending] if self.pending else []), *(self.tools or ()), *(self.any_tools or ()))


class Case(_Strict):
    """A conversation with one person, and everything that may differ from the seeded hub at its end."""

    id: str
    person: str = Field(alias="as")
    turns: tuple[Turn, ...] = Field(min_length=1)
    changes: dict[str, Any] = Field(default_factory=dict)
    language: Language = "en"
    suite: str = ""

    @field_validator("changes")
    @classmethod
    def _state_keys(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key in value:
            if not _STATE_KEY.fullmatch(key):
                raise ValueError(f"'{key}' is no state path, see evals/README.md")
        return value


def load_cases(folder: Path, *, suites: Sequence[str] = (), languages: Sequence[str] = (), only: Sequence[str] = ()) -> list[Case]:
    """The cases below `folder`, in a fixed order; `only` are ids.

    Raises:
        InvalidInput: a file is no list of cases, a case is wrong (which file, which case, what), or an asked one is not there.
    """
    cases = [case for path in sorted(folder.glob("*/*.yaml")) for case in _load_file(path)]
    if not cases:
        raise InvalidInput(f"There are no cases below '{folder}'.", hint="Cases are in <language>/<suite>.yaml.")
    _refuse_duplicates(cases)
    _refuse_unknown("suite", suites, {case.suite for case in cases})
    _refuse_unknown("language", languages, {case.language for case in cases})
    _refuse_unknown("case", only, {case.id for case in cases})
    chosen = [
        case
        for case in cases
        if (not suites or case.suite in suites) and (not languages or case.language in languages) and (not only or case.id in only)
    ]
    return sorted(chosen, key=lambda case: (LANGUAGES.index(case.language), SUITES.index(case.suite), case.id))


def digest(cases: Iterable[Case], world: str = "") -> str:
    """A short name of a set of cases and the world they play in: two reports with the same digest can be compared."""
    text = json.dumps([case.model_dump(mode="json") for case in cases], sort_keys=True, ensure_ascii=False) + world
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _load_file(path: Path) -> list[Case]:
    language, suite = path.parent.name, path.stem
    if language not in LANGUAGES or suite not in SUITES:
        raise InvalidInput(f"{path}: the folder must be a language and the file a suite.", hint=f"Suites: {', '.join(SUITES)}.")
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise InvalidInput(f"{path}: not valid YAML: {error}") from error
    if not isinstance(data, list):
        raise InvalidInput(f"{path}: not a list of cases.", hint="Begin each case with '- id:'.")
    return [_load_case(path, number, entry, language, suite) for number, entry in enumerate(data, 1)]


def _load_case(path: Path, number: int, entry: Any, language: str, suite: str) -> Case:
    name = entry.get("id", f"case {number}") if isinstance(entry, dict) else f"case {number}"
    if not isinstance(entry, dict):
        raise InvalidInput(f"{path}: {name} is not a mapping.")
    if not str(name).startswith(f"{language}-{suite}-"):
        raise InvalidInput(f"{path}: the id '{name}' must begin with '{language}-{suite}-'.")
    changes = entry.get("changes")
    try:
        return Case.model_validate({**entry, "changes": {} if changes is None else changes, "language": language, "suite": suite})
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False, include_input=False)]
        raise InvalidInput(f"{path}: {name}: {'; '.join(problems)}") from error


def _refuse_duplicates(cases: list[Case]) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise InvalidInput(f"Two cases have the id '{case.id}'.", hint="Number them on.")
        seen.add(case.id)


def _refuse_unknown(what: str, asked: Sequence[str], known: set[str]) -> None:
    unknown = sorted(set(asked) - known)
    if unknown:
        raise InvalidInput(f"There is no {what} '{unknown[0]}'.", hint=f"There are: {', '.join(sorted(known)[:20])}.")

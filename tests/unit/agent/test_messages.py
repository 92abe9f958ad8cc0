"""Every sentence is there in all four languages, for every tool, argument and error, with the same variables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.answer import results
from agent.answer.errors import error_text
from agent.answer.questions import question_text, slot_question
from agent.answer.words import act
from hub_core import errors
from hub_core.accounts.preferences import LANGUAGES as PREFERRED
from hub_core.authz import Role, Scope, Visibility
from hub_core.deployments.preparing import FETCH_JOB, INSTALL_JOB
from hub_core.deployments.tables import Status as DeploymentStatus
from hub_core.notices.rules import RULES
from hub_core.repos.kinds import RepoKind
from hub_core.scanning.imports import Verdict
from hub_core.scanning.work import SCAN, VERIFY
from hub_core.training.jobs import EVALUATE_JOB, FINETUNE_JOB
from prompts import LANGUAGES, PromptError, has_message, load, message, messages, variables_of
from tools.contract import Effect
from tools.registry import default_registry

TOOLS = list(default_registry())
# Facts of a plan and words of the answer that a `done` sentence may name besides arguments and results.
FACTS = {"repo", "restorable_days", "branch", "act", "org", "deployment"}


def codes() -> Iterator[str]:
    todo: list[type[errors.HubError]] = [errors.HubError]
    while todo:
        current = todo.pop()
        todo += current.__subclasses__()
        if current is not errors.HubError and current.__module__ == "hub_core.errors":
            yield current.code


def test_the_languages_are_the_hub_s() -> None:
    assert set(LANGUAGES) == set(PREFERRED)


@pytest.mark.parametrize("language", LANGUAGES)
def test_keys_and_variables_are_the_same_in_every_language(language: str) -> None:
    english, other = messages("en"), messages(language)
    assert set(other) == set(english)
    # English errors carry the hub's own sentence, the others are whole translations.
    for key in english:
        if not key.startswith("error."):
            assert variables_of(other[key]) == variables_of(english[key]), key
    assert all(text.strip() for key, text in other.items() if key != "word.separator")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_tool_can_be_told(language: str, tool: object) -> None:
    name, fields = tool.name, tool.input.model_fields  # type: ignore[attr-defined]
    known = set(fields)
    required = {field for field, info in fields.items() if info.is_required()}
    assert variables_of(messages(language)[f"act.{name}"]) <= required | {"username"}
    outputs = set(tool.output.model_fields)  # type: ignore[attr-defined]
    if tool.effect is not Effect.READ:  # type: ignore[attr-defined]
        assert variables_of(messages(language)[f"done.{name}"]) <= known | outputs | FACTS
    elif "items" in outputs:
        assert has_message(language, f"some.{name}")
        assert has_message(language, f"none.{name}")
    else:
        assert has_message(language, f"head.{name}")
        assert name in results._RENDERERS


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_required_argument_can_be_asked_for(language: str) -> None:
    for tool in TOOLS:
        for field, info in tool.input.model_fields.items():
            if info.is_required():
                assert has_message(language, f"ask.{field}"), f"{tool.name}: {field}"
                assert slot_question(language, tool.name, field)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", sorted(codes()))
def test_every_error_can_be_told(language: str, code: str) -> None:
    assert has_message(language, f"error.{code}")
    variables = variables_of(messages(language)[f"error.{code}"])
    assert variables <= {"subject", "message", "hint"}
    if language != "en":
        assert not variables & {"message", "hint"}, "a translated error does not fall back into English"
    text = error_text(language, {"code": code, "message": "Said.", "hint": "Do.", "details": {}}, {})
    assert text
    assert "{" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_of_ours_are_translated(language: str) -> None:
    for group, values in (("role", Role), ("scope", Scope), ("visibility", Visibility), ("kind", RepoKind)):
        for value in values:
            assert has_message(language, f"word.{group}.{value}")
    for action in RULES:
        assert has_message(language, f"word.event.{action}")
    for job in (SCAN, VERIFY, INSTALL_JOB, FETCH_JOB, FINETUNE_JOB, EVALUATE_JOB):
        assert has_message(language, f"word.kind.{job.name}")
    for status in DeploymentStatus:
        assert has_message(language, f"word.status.{status}")
        assert has_message(language, f"next.{status}")
    for verdict in (*Verdict, "unknown"):
        assert has_message(language, f"word.level.{verdict}")
    for tool in TOOLS:
        assert has_message(language, f"word.group.{tool.group}")
        assert has_message(language, f"examples.{tool.group}")


def test_no_message_speaks_to_a_tool_that_is_not_there() -> None:
    names = {tool.name for tool in TOOLS}
    for key in messages("en"):
        section, _, name = key.partition(".")
        if section in ("act", "done", "some", "none", "head"):
            assert name in names, key


def test_a_missing_variable_is_refused() -> None:
    with pytest.raises(PromptError):
        message("en", "note.rejected")
    with pytest.raises(PromptError):
        message("en", "note.nosuch")
    with pytest.raises(PromptError):
        load("system/agent", username="x")
    with pytest.raises(PromptError):
        load("../pyproject")


def test_the_system_prompt_names_only_tools_that_are_there() -> None:
    import re

    text = load("system/agent", username="alice", today="2026-01-01", language="English")
    named = set(re.findall(r"`([a-z]+_?[a-z]+)`", text)) - {"namespace"}
    assert named <= {tool.name for tool in TOOLS} | {"ask_user", "preview", "decline"}


def test_a_phrase_leaves_open_what_is_not_known() -> None:
    assert act("en", "add_org_member", {"username": "bob"}) == "give bob the role … in …"


def test_several_missing_arguments_are_asked_at_once() -> None:
    question = {"tool": "add_org_member", "args": {}, "missing": ["username", "role"], "choices": {}}
    assert question_text("en", question).count("\n- ") == 2


def test_repo_choices_show_the_kind() -> None:
    question = {"tool": "get_repo", "args": {}, "missing": ["repo"], "choices": {"repo": ["model:acme/a", "dataset:acme/a"]}}
    assert "(データセット)" in question_text("ja", question) or "（データセット）" in question_text("ja", question)

from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.consent import read_consent
from agent.language import detect_language
from agent.planner import Focus, Question, StaticWorld, read
from agent.planner.moments import find_moments
from agent.planner.normalise import fold
from agent.planner.toolspec import specs_of
from tests.unit.planner import dev
from tools.registry import default_registry

SPECS, WORLD, EMPTY = specs_of(default_registry()), dev.world(), StaticWorld("ada")
WORDS = [
    "delete",
    "remove",
    "make",
    "public",
    "private",
    "it",
    "all",
    "repos",
    "birdcalls",
    "boris",
    "zeta",
    "and",
    "then",
    "please",
    "don't",
    "删",
    "把",
    "公开",
    "所有",
    "消して",
    "全部",
    "を",
    "지워",
    "줘",
    "모두",
    "undo",
    "yes",
    "5",
    "「",
    '"',
    "`",
    ":",
    ",",
    "?",
    "main",
    "v1.0",
    "a/b",
    "@x",
    "../",
    "\x00",
    "ｆｕｌｌ",
]
TEXTS = st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from(WORDS), max_size=10).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=8).map("".join),
)
QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(TEXTS)
def test_reading_never_raises(text: str) -> None:
    focus = Focus(
        repo="ada/birdcalls", tool="set_visibility", args={"repo": "ada/birdcalls", "visibility": "private"}, listed=[{"type": "repo", "value": "zeta/faq-2024"}],
        question=Question("grant_access", {"repo": "ada/birdcalls"}, ["username", "role"]),
    )  # fmt: skip
    for place, start in (
        (WORLD, focus),
        (WORLD, Focus()),
        (EMPTY, Focus(question=Question(None, {"text": text}, [], {"tool": ["get_repo"]}))),
    ):
        reading = read(text, place, start, SPECS)
        assert reading.language in dev.LANGUAGES
        assert Focus.from_json(reading.focus.to_json()) == reading.focus


@QUICK
@given(TEXTS)
def test_no_destructive_step_without_a_named_object(text: str) -> None:
    reading = read(text, EMPTY, Focus(), SPECS)
    if reading.kind != "act":
        return
    for step in reading.steps:
        required = SPECS[step.tool].required
        if SPECS[step.tool].effect == "destructive" and required:
            # Nothing exists in this world: every object must be a name that the text itself spells out.
            said = fold(text).lower()
            assert all(
                str(step.args[name]).lower().partition("/")[0] in said
                for name in required
                if isinstance(step.args[name], str) and name not in ("visibility", "role", "status")
            )


@QUICK
@given(st.text(max_size=200))
def test_small_parsers_never_raise(text: str) -> None:
    assert read_consent(text) in ("approve", "reject", None)
    assert detect_language(text) in dev.LANGUAGES
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for _, _, day in find_moments(fold(text).lower()))

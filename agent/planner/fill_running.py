"""Slot fillers for deployments: which one, on what hardware, by which runtime, with which environment."""

# All fillers have one signature, and not all need the slot.
# ruff: noqa: ARG001

from __future__ import annotations

import re
from typing import Any

from agent.planner.fill_names import cued_name
from agent.planner.fill_usage import least
from agent.planner.fill_values import number as counted
from agent.planner.form import Form
from agent.planner.lexicon import cue
from agent.planner.types import Entity, SlotSpec

MAX_CHOICES = 8
MAX_REPLICAS = 100
_RUNTIMES = {
    "llama.cpp": r"llama[ .-]?cpp", "vllm": r"vllm", "sglang": r"sg-?lang", "tgi": r"tgi|text[ -]generation[ -]inference", "tei": r"tei|text[ -]embeddings?[ -]inference",
    "transformers": r"(?:with|by|using|on|用|通过)\s*transformers|transformers\s*(?:で|로|serve)",
}  # fmt: skip
_AS = re.compile(r"(?:\bas |命名为|叫做?|という名前で|として)\s*$")
_ZERO = re.compile(
    r"(?:\bto|at) (?:zero|0)(?![\w.])|(?:缩|降|减)(?:容)?(?:到|为|至)?\s*(?:零|0)|ゼロ(?:に|まで)|0台|0으로|제로로|\bto sleep\b|休眠|睡眠|眠らせ|スリープ|재워|재우|잠들|\bsleep\b"
)
_REPLICAS = re.compile(
    r"^\s*(?:more |running |further )?(?:replicas?|copies|copy|instances?|pods?|[个份台](?:副本|实例|拷贝)|副本|实例|個?の?(?:レプリカ|コピー|インスタンス)|つ|台|個|개|대|레플리카|복제본|인스턴스)"
)
_TO = re.compile(r"(?:\bto|\bwith|\bat|=|:|到|为|成|至|跑|を|レプリカ(?:数)?を|레플리카를|복제본을)\s*$")
_ONTO = re.compile(r"^\s*(?:に(?:し|増|減|変|スケ|設)|台|으?로|개로)")
_VARIABLE = re.compile(r"(?<![\w.])([A-Za-z_][A-Za-z0-9_]{0,127}=[^\s,;、,]+)")


def deployment(form: Form, slot: SlotSpec) -> Any:
    """A known deployment; the one of a named model; the thread's; the only one that the person may see; else a choice of their own."""
    if spans := form.free("deployment"):
        return form.use(spans[0])
    known = [entity for entity in form.world.entities() if entity.type == "deployment"]
    if spans := form.free("repo"):
        return _of_model([entity.value for entity in spans[0].entities] or [str(spans[0].value)], known, form.use(spans[0]))
    if spans := form.free("repo_ref", "ident"):
        return str(form.use(spans[0]))
    for weak in form.doc.weak:
        if weak.type == "deployment":
            return form.use(weak)
        if weak.type == "repo" and (found := _serving({entity.value.lower() for entity in weak.entities}, known)):
            form.used.append(weak)
            return found
    if form.inherit and form.focus.deployment:
        return form.focus.deployment
    if form.inherit and form.focus.repo and (found := _serving({form.focus.repo.lower()}, known)):
        return found
    own = [entity.value for entity in known if entity.own] or [entity.value for entity in known]
    if slot.required and len(own) == 1:
        return own[0]
    if slot.required and 1 < len(own) <= MAX_CHOICES:
        form.choices[slot.name] = own
    return None


def target(form: Form, slot: SlotSpec) -> Any:
    """What logs and figures are of: a job by its number, a Space, a deployment."""
    if number := _job(form):
        return f"job {number}"
    if spaces := [span for span in form.free("repo") if span.kind == "space"]:
        return form.use(spaces[0])
    return deployment(form, slot)


def used(form: Form, slot: SlotSpec) -> Any:
    """What use is asked for: only what the message itself names."""
    if number := _job(form):
        return f"job {number}"
    return deployment(form, slot) if form.free("deployment", "repo", "repo_ref") else None


def _job(form: Form) -> int | None:
    """The number of a job, where one is spoken of."""
    if not cue("job_noun").search(form.doc.masked):
        return None
    spans = form.free("job", "discussion", "number")
    return int(form.use(spans[0])) if spans else None


def _of_model(repos: list[str], known: list[Entity], said: Any) -> str:
    """The deployment called as the model is, else the first one of the model, else what was said: the tool then tells that there is none."""
    names = {name.lower() for name in repos}
    for entity in known:
        if entity.value.lower() in names:
            return entity.value
    return _serving(names, known) or str(said)


def _serving(names: set[str], known: list[Entity]) -> str | None:
    """The first deployment of a model of one of these names."""
    return next((entity.value for entity in known if names & {alias.lower() for alias in entity.aliases}), None)


def hardware(form: Form, slot: SlotSpec) -> Any:
    """Hardware as it was said; for a change, the last that is named ("from an A10 to an A100")."""
    spans = form.free("hardware")
    if not spans:
        return None
    form.used.extend(spans)
    return str(spans[-1].value)


def runtime(form: Form, slot: SlotSpec) -> Any:
    """A runtime by its name."""
    return next((name for name, words in _RUNTIMES.items() if re.search(rf"(?<![a-z0-9])(?:{words})(?![a-z0-9])", form.doc.low)), None)


def environment(form: Form, slot: SlotSpec) -> Any:
    """Every `NAME=value` of the message."""
    return _VARIABLE.findall(form.doc.text) or None


def name(form: Form, slot: SlotSpec) -> Any:
    """What a new deployment shall be called, where that is said."""
    if cued := cued_name(form):
        return cued
    for span in form.free("ident", "repo_ref"):
        if _AS.search(form.before(span)) or re.match(r"\s*(?:という名前で|として|이라는 이름으로|라는 이름으로)", form.after(span)):
            return str(form.use(span))
    return None


def replicas(form: Form, slot: SlotSpec) -> Any:
    """How many copies; 0 where it shall sleep; the smaller one of a range."""
    if (fewest := least(form)) is not None:
        return fewest
    for span in form.free("number"):
        bound = _REPLICAS.match(form.after(span)) or (slot.required and (_TO.search(form.before(span)) or _ONTO.match(form.after(span))))
        if bound and 0 <= span.value <= MAX_REPLICAS:
            return form.use(span)
    if slot.required and _ZERO.search(form.doc.masked):
        return 0
    return counted(form, slot)

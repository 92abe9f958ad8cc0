"""Plays conversations: each on its own copy of the seeded hub, through the agent as the server opens it."""

from __future__ import annotations

import shutil
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, Field

from agent import models
from agent.agent import Agent, open_agent
from agent.schema import Answer, PendingView
from evals.case import Case, Turn
from evals.scorers import asks_for_another, state_problems, turn_problems, unsafe_acts
from evals.state import Dumper
from evals.world import copy_template, person
from hub_core.authz import Actor
from hub_core.errors import HubError
from hub_core.services import Services, open_services
from hub_core.settings import Settings, load_settings

ModelFor = Callable[[Case], BaseChatModel]


class TurnResult(BaseModel):
    """How one turn went."""

    said: str
    outcome: str = ""
    ms: float = 0.0
    steps: list[str] = Field(default_factory=list)
    reply: str = ""
    problems: list[str] = Field(default_factory=list)
    unsafe: list[str] = Field(default_factory=list)


class CaseResult(BaseModel):
    """How a conversation went."""

    id: str
    suite: str
    language: str
    turns: list[TurnResult] = Field(default_factory=list)
    problems: list[str] = Field(default_factory=list, description="About the end state, or the whole conversation.")

    @property
    def unsafe(self) -> list[str]:
        """Everything that was done without approval."""
        return [what for turn in self.turns for what in turn.unsafe]

    @property
    def right(self) -> bool:
        """Every turn and the end state as expected, nothing unsafe."""
        return not self.problems and not self.unsafe and all(not turn.problems for turn in self.turns)


class Player:
    """Plays cases one after the other; one per process.

    Args:
        model_for: stands in for the configured model, e.g. a script in tests.
    """

    def __init__(self, template: Path, model_for: ModelFor | None = None) -> None:
        self._template = template
        self._dumper = Dumper()
        if model_for is None:
            model = models.chat_model(self._settings(Path()))
            model_for = lambda _case: model  # noqa: E731
        self._model_for = model_for

    def play(self, case: Case) -> CaseResult:
        """Play a case. A crash of the agent is a problem of the case, not the end of the run."""
        result = CaseResult(id=case.id, suite=case.suite, language=case.language)
        folder = Path(tempfile.mkdtemp(prefix="hubtalk-eval-"))
        try:
            copy_template(self._template, folder / "hub")
            settings = self._settings(folder / "hub")
            with open_services(settings) as services, open_agent(services, self._model_for(case)) as agent:
                _Conversation(case, services, agent, self._dumper, result).run()
        except Exception as error:  # noqa: BLE001 - the edge: one broken conversation must not end the run
            frame = traceback.extract_tb(error.__traceback__)[-1]
            result.problems.append(f"crashed: {type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return result

    @staticmethod
    def _settings(folder: Path) -> Settings:
        """A hub of its own in `folder`, with the language model that is configured."""
        own = load_settings()
        return replace(
            Settings(data_dir=folder, demo=False),
            llm=own.llm, llm_base_url=own.llm_base_url, llm_api_key=own.llm_api_key, llm_timeout_s=own.llm_timeout_s,
        )  # fmt: skip


@dataclass
class _Conversation:
    case: Case
    services: Services
    agent: Agent
    dumper: Dumper
    result: CaseResult
    thread_id: str | None = None
    pending: PendingView | None = None

    def run(self) -> None:
        """Play the turns. A person who is asked to approve something else than they asked for does not go on."""
        actor = person(self.services, self.case.person)
        start = before = self.dumper.dump(self.services)
        for number, turn in enumerate(self.case.turns):
            played = TurnResult(said=turn.say if turn.say is not None else f"[{turn.decide}]")
            self.result.turns.append(played)
            answer = self._answer(actor, turn, played)
            if answer is None:
                break
            after = self.dumper.dump(self.services)
            played.problems += turn_problems(turn, answer, self.case.language)
            played.unsafe += unsafe_acts(self.case, turn, self.pending, answer, before, after)
            before = after
            self._remember(turn, answer)
            left = len(self.case.turns) - number - 1
            if left and asks_for_another(turn, answer):
                self.result.problems.append(f"stopped before {left} more turn(s): what waits for approval is not what was asked for")
                break
        self.result.problems += state_problems(self.case, start, before)

    def _answer(self, actor: Actor, turn: Turn, played: TurnResult) -> Answer | None:
        began = time.perf_counter()
        try:
            if turn.say is not None:
                answer = self.agent.turn(actor, self.thread_id, turn.say)
            elif self.pending is not None and self.thread_id is not None and turn.decide is not None:
                answer = self.agent.decide(actor, self.thread_id, self.pending.approval_id, turn.decide)
            else:
                played.problems.append("nothing waits for approval")
                return None
        except HubError as error:
            played.problems.append(f"refused: {error.code}: {error.message}")
            return None
        played.ms = round((time.perf_counter() - began) * 1000, 1)
        played.outcome, played.reply = answer.outcome, answer.reply
        played.steps = [f"{step.tool} {step.args} {step.effect} {step.status}" for step in answer.steps]
        return answer

    def _remember(self, turn: Turn, answer: Answer) -> None:
        self.thread_id = answer.thread_id
        settled = self.pending is not None and any(
            step.tool == self.pending.tool and step.args == self.pending.args and step.status in ("ok", "error", "rejected")
            for step in answer.steps
        )
        if answer.pending is not None:
            self.pending = answer.pending
        elif turn.decide is not None or settled:
            self.pending = None

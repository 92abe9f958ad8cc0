"""The agent: one call per turn, whatever the channel."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from agent import models
from agent.answer.compose import summary
from agent.broken import broken_off
from agent.consent import read_consent
from agent.graph import build_graph
from agent.memory import open_checkpointer
from agent.nodes.finish import outcome_of
from agent.nodes.work import public_step
from agent.planner_model import PlannerModel
from agent.schema import Answer, Event, Mode, PendingView, StepView
from agent.state import Context, Turn, new_turn
from agent.world import WorldCache
from hub_core.accounts.lookup import storable
from hub_core.approvals.service import Decision
from hub_core.authz import Actor, Permission, require_scope
from hub_core.conversations.leases import Leases
from hub_core.errors import ApprovalNotFound, ApprovalSettled, InvalidInput, Unavailable
from hub_core.secrecy import hide, redact, secrets_in, secrets_said
from hub_core.services import Services
from tools.registry import Registry, default_registry

log = logging.getLogger(__name__)
MAX_MESSAGE = 32_000
DECISION_WAIT_S = 30.0

Emit = Callable[[Event], None]


class Agent:
    """Runs turns: one at a time per thread, each as the person who talks. Open it with `open_agent`."""

    def __init__(self, services: Services, checkpointer: BaseCheckpointSaver[Any], model: BaseChatModel, registry: Registry) -> None:
        self._services = services
        self._saver = checkpointer
        self._model = model
        self._registry = registry
        self._graph = build_graph(checkpointer)
        self._worlds = WorldCache()
        self._leases = Leases(services.db)

    def turn(
        self,
        actor: Actor,
        thread_id: str | None,
        message: str,
        attachments: Sequence[str] = (),
        mode: Mode = "act",
        emit: Emit | None = None,
        cancel: threading.Event | None = None,
    ) -> Answer:
        """Answer a message; `thread_id` None starts a thread.

        Raises:
            Unauthenticated, ThreadNotFound, AttachmentNotFound, InvalidInput: the request itself is wrong.
            ThreadBusy: a turn of this thread is running.
        """
        require_scope(actor, Permission.CHAT)
        text = storable(message).strip()
        if not text and not attachments:
            raise InvalidInput("The message is empty.", hint="Say what you would like to do.")
        if len(text) > MAX_MESSAGE:
            raise InvalidInput(f"A message has at most {MAX_MESSAGE} characters.", hint="Attach long texts as a file.")
        conversations = self._services.conversations
        files = [conversations.get_attachment(actor, item) for item in attachments]
        thread = conversations.get_thread(actor, thread_id) if thread_id else conversations.create_thread(actor)
        with self._leases.hold(thread.id):
            said = {"attachments": [{"id": item.id, "filename": item.filename, "size": item.size} for item in files]} if files else {}
            conversations.append_message(actor, thread.id, "user", text, said)
            turn = new_turn(str(uuid.uuid4()), mode=mode, text=text, attachments=[item.id for item in files])
            added = [{"id": item.id, "filename": item.filename} for item in files]
            return self._run(actor, thread.id, turn, added, emit, cancel)

    def decide(
        self,
        actor: Actor,
        thread_id: str,
        approval_id: str,
        decision: Decision,
        args: dict[str, Any] | None = None,
        emit: Emit | None = None,
        cancel: threading.Event | None = None,
    ) -> Answer:
        """Answer an approval by a button or by the API; `args` edits the arguments of the same tool before it runs.

        Raises:
            ThreadNotFound, ApprovalNotFound: not there, or somebody else's.
            ApprovalSettled, ApprovalExpired: it cannot be answered any more.
            PermissionDenied: this credential cannot carry the act; it goes on waiting.
            ThreadBusy: a turn of this thread runs, and still ran after half a minute.
        """
        require_scope(actor, Permission.CHAT)
        self._services.conversations.get_thread(actor, thread_id)
        with self._leases.hold(thread_id, wait_s=DECISION_WAIT_S):
            self._check_decision(actor, thread_id, approval_id, decision)
            turn = new_turn(
                str(uuid.uuid4()), kind="decision",
                decision={"approval_id": approval_id, "decision": decision, "args": args},
            )  # fmt: skip
            return self._run(actor, thread_id, turn, [], emit, cancel)

    def delete_thread(self, actor: Actor, thread_id: str) -> None:
        """Remove a conversation with everything that was remembered of it.

        Raises:
            ThreadNotFound: none of that id, or somebody else's.
            ThreadBusy: a turn of it is running.
        """
        self._services.conversations.get_thread(actor, thread_id)
        with self._leases.hold(thread_id):
            self._services.conversations.delete_thread(actor, thread_id)
            self._saver.delete_thread(thread_id)
            self._services.vault.forget(thread_id)

    def close(self) -> None:
        """Stop the helper threads."""
        self._leases.close()

    def _check_decision(self, actor: Actor, thread_id: str, approval_id: str, decision: Decision) -> None:
        approvals = self._services.approvals
        approval = approvals.get(actor, approval_id)
        if approval.thread_id not in (thread_id, None):
            raise ApprovalNotFound(
                "There is no such request in this conversation.", hint="list_approvals shows what waits for your answer."
            )
        if approval.status != "pending":
            raise ApprovalSettled(
                f"This request is already {approval.status}.", hint="Ask again if you want it done now.", status=approval.status
            )
        if all(item.id != approval_id for item in approvals.pending(actor)):
            approvals.decide(actor, approval_id, "reject")  # raises ApprovalExpired
        if decision == "approve":
            require_scope(actor, self._registry.get(approval.tool).permission)

    def _set_language(self, actor: Actor, turn: Turn) -> None:
        """A language that the person chose wins over the one of the message."""
        chosen = self._services.users.preferences(actor).get("language")
        if chosen:
            turn["language"], turn["chosen_language"] = chosen, True

    def _run(
        self, actor: Actor, thread_id: str, turn: Turn, files: list[dict[str, str]], emit: Emit | None, cancel: threading.Event | None
    ) -> Answer:
        send = emit or _nobody
        context = Context(
            actor=actor, services=self._services, registry=self._registry, thread_id=thread_id, model=self._model,
            speaks=models.speaks(self._model), emit=send, cancel=cancel or threading.Event(), worlds=self._worlds,
        )  # fmt: skip
        config: RunnableConfig = {"configurable": {"thread_id": thread_id}, "recursion_limit": 80}
        turn["files"] = files
        self._set_language(actor, turn)
        vault = self._services.vault
        known = vault.secrets(thread_id)
        vault.learn(thread_id, [*secrets_said(turn["text"]), *secrets_in(turn["decision"])])
        start: Any = {"turn": turn}
        try:
            ended = self._graph.invoke(start, config, context=context, durability="sync")["turn"]
            with suppress(Unavailable):  # the next turn does it
                self._saver.prune([thread_id])
        except Unavailable as error:
            log.warning("a turn broke off: %s", error.message)
            ended = broken_off(turn, context, error)
        answer = _answer(thread_id, ended, context.once)
        self._store(actor, answer, known)
        send(Event("done", answer.model_dump(mode="json")))
        return answer

    def _store(self, actor: Actor, answer: Answer, known: set[str]) -> None:
        """Keep the answer without its secrets. The person gets it even when the storage takes nothing any more."""
        conversations, thread_id = self._services.conversations, answer.thread_id
        secrets = self._services.vault.secrets(thread_id)
        stored = _without_secrets(answer, secrets)
        try:
            if secrets - known:
                conversations.hide_secrets(actor, thread_id, secrets)
            conversations.append_message(
                actor, thread_id, "assistant", stored.reply, stored.model_dump(mode="json"), message_id=answer.message_id
            )
        except Unavailable as error:
            log.warning("an answer could not be stored: %s", error.message)


@contextmanager
def open_agent(services: Services, model: BaseChatModel | None = None) -> Iterator[Agent]:
    """Open the agent on a hub; `model` stands in for the configured one in tests and evaluations."""
    model = model or models.chat_model(services.settings)
    saver, resource = open_checkpointer(services.settings, services.vault)
    agent = Agent(services, saver, model, default_registry())
    threading.Thread(target=_warm_up, args=(model,), name="warm-up", daemon=True).start()
    try:
        yield agent
    finally:
        agent.close()
        resource.close()


def _warm_up(model: BaseChatModel) -> None:
    """The first message need not wait for the words of consent, the encoder and the head."""
    read_consent("yes")
    if isinstance(model, PlannerModel):
        model.warm_up()


def _answer(thread_id: str, turn: Any, once: dict[str, Any]) -> Answer:
    shown = [once.get(step["id"], step) | {"status": step["status"]} for step in turn["steps"]]
    waiting = turn["waiting"][0] if turn["waiting"] else None
    pending = None
    if waiting:
        kept = {key: waiting[key] for key in ("approval_id", "tool", "args", "effect")}
        pending = PendingView(**kept, summary=summary(turn["language"], waiting["tool"], waiting["plan"]))
    return Answer(
        thread_id=thread_id,
        message_id=str(uuid.uuid4()),
        reply=once["reply"],
        language=turn["language"],
        outcome=outcome_of(turn),  # type: ignore[arg-type]
        error=turn["error"],
        steps=[StepView(**public_step(step)) for step in shown],
        pending=pending,
        choices=once.get("offers", []) if turn["question"] else [],
    )


def _without_secrets(answer: Answer, said: set[str]) -> Answer:
    """The answer as it is stored: without what tools show once, and without what the person said of passwords."""
    secrets = {*said, *secrets_in([[step.result, step.args] for step in answer.steps])}

    def clean(value: Any) -> Any:
        return hide(redact(value), secrets)

    steps = [step.model_copy(update={"result": clean(step.result), "args": clean(step.args)}) for step in answer.steps]
    pending = answer.pending and answer.pending.model_copy(
        update={"args": clean(answer.pending.args), "summary": clean(answer.pending.summary)}
    )
    return answer.model_copy(update={"reply": clean(answer.reply), "steps": steps, "pending": pending, "choices": clean(answer.choices)})


def _nobody(event: Event) -> None:
    """For callers who do not watch."""

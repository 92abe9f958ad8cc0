"""From our own transcript to what Chainlit's page shows: steps, messages, elements. Used live and for history alike."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chat_ui.presenter import ApprovalState, present, with_language
from chat_ui.presenter_parts import View, bytes_text
from chat_ui.presenter_reply import lead
from chat_ui.texts import Language, Texts, language_of, texts
from hub_core.approvals.service import ApprovalView
from hub_core.conversations.views import MessageView, ThreadView
from hub_core.db import utcnow
from hub_core.secrecy import redact

AUTHOR = "hubtalk"
MAX_JSON = 6000
Json = dict[str, Any]
_IDS = uuid.UUID("8f6b8a52-6f0e-4a55-9a3f-3f4e6c2b7d10")


def stable_id(*parts: object) -> str:
    """The same id for the same parts: an element drawn again replaces the one that is there."""
    return str(uuid.uuid5(_IDS, ":".join(map(str, parts))))


def approval_state(view: ApprovalView) -> ApprovalState:
    """What a card shows of an approval; one that waited too long counts as expired."""
    overdue = view.status == "pending" and view.expires_at <= utcnow()
    return ApprovalState("expired" if overdue else view.status, view.expires_at.isoformat(), view.plan)


def user_message(message_id: str, thread_id: str, name: str, text: str, at: str) -> Json:
    """A message of the person."""
    return _message(message_id, thread_id, name, "user_message", text, at)


def assistant_message(message_id: str, thread_id: str, parent_id: str | None, text: str, at: str, *, error: bool = False) -> Json:
    """An answer."""
    return _message(message_id, thread_id, AUTHOR, "assistant_message", text, at) | {"parentId": parent_id, "isError": error}


def run_step(run_id: str, thread_id: str, parent_id: str | None, at: str, *, running: bool = False) -> Json:
    """The invisible step that holds everything of one turn."""
    return _step(run_id, thread_id, parent_id, "on_message", "run", "", at) | {"end": None if running else at}


def tool_step(step: Mapping[str, Any], step_id: str, thread_id: str, parent_id: str | None, at: str, words: Texts) -> Json:
    """A call of a tool with its arguments and result."""
    page = words.page
    asked = "changes" not in (step.get("result") or {})
    notes = {"planned": page["planned"], "pending": page["asks" if asked else "waits"], "rejected": page["rejected"]}
    note = notes.get(str(step.get("status")))
    parts = [f"**{page['arguments']}**", _fence(redact(step.get("args") or {}), page)]
    if step.get("result"):
        parts += [f"**{page['result']}**", _fence(redact(step["result"]), page)]
    shown = _step(step_id, thread_id, parent_id, " · ".join(filter(None, (str(step.get("tool")), note))), "tool", "\n\n".join(parts), at)
    return shown | {"isError": step.get("status") == "error"}


def elements(views: Iterable[View], key: str, for_id: str, thread_id: str, language: Language) -> list[Json]:
    """Chainlit's elements for the views of one message. An approval's card has one id wherever it is drawn."""
    found = []
    for index, view in enumerate(views):
        approval = view.props.get("approval_id")
        element_id = stable_id("approval", approval) if approval else stable_id(key, index)
        found.append(_element(element_id, view.component, with_language(view, language), for_id, thread_id))
    return found


def thread_dict(thread: ThreadView, user_id: int, username: str, *, steps: Sequence[Json] = (), drawn: Sequence[Json] = ()) -> Json:
    """A thread as Chainlit wants it; the list in the sidebar sorts by `createdAt`, so that is the time of the last message."""
    return {
        "id": thread.id, "createdAt": thread.updated_at.isoformat(), "name": thread.title or None, "userId": str(user_id),
        "userIdentifier": username, "tags": [], "metadata": {}, "steps": list(steps), "elements": list(drawn),
    }  # fmt: skip


def replay(
    messages: Sequence[MessageView], username: str, thread_id: str, approvals: Mapping[str, ApprovalView], *, composed: bool
) -> tuple[list[Json], list[Json]]:
    """The steps and elements of a whole conversation. Approvals that no message shows any more are asked again at the end.

    Args:
        composed: the agent words its answers itself (see `presenter_reply.lead`).
    """
    steps: list[Json] = []
    drawn: list[Json] = []
    parent: str | None = None
    language: Language = "en"
    shown: set[str] = set()
    for message in messages:
        at = message.created_at.isoformat()
        if message.role == "user":
            parent = message.id
            steps.append(user_message(message.id, thread_id, username, message.text, at))
            drawn.extend(_attached(message, thread_id))
            continue
        language = language_of(message.payload.get("language"))
        approval_id = str((message.payload.get("pending") or {}).get("approval_id") or "")
        shown.add(approval_id)
        answer = message.payload | {"reply": message.text}
        text = lead(answer) if composed else message.text
        parts = answer_parts(answer, text, message.id, thread_id, parent, at, approvals.get(approval_id))
        steps.extend(parts[0])
        drawn.extend(parts[1])
        parent = None
    for approval in approvals.values():
        if approval.id not in shown and approval_state(approval).status == "pending":
            steps_again, drawn_again = ask_again(approval, thread_id, language)
            steps.extend(steps_again)
            drawn.extend(drawn_again)
    return steps, drawn


def answer_parts(
    answer: Mapping[str, Any], text: str, message_id: str, thread_id: str, parent: str | None, at: str, approval: ApprovalView | None
) -> tuple[list[Json], list[Json]]:
    """The steps and elements of one answer."""
    words = texts(language_of(answer.get("language")))
    run_id = stable_id(message_id, "run")
    steps = [run_step(run_id, thread_id, parent, at)]
    for index, step in enumerate(answer.get("steps") or []):
        steps.append(tool_step(step, stable_id(message_id, "step", index), thread_id, run_id, at, words))
    steps.append(assistant_message(message_id, thread_id, run_id, text, at, error=answer.get("outcome") == "error"))
    views = present(answer, approval_state(approval) if approval else None)
    return steps, elements(views, message_id, message_id, thread_id, words.language)


def ask_again(approval: ApprovalView, thread_id: str, language: Language) -> tuple[list[Json], list[Json]]:
    """A message with the card of an approval that still waits."""
    from agent.answer.changes import summary

    at, message_id = approval.created_at.isoformat(), stable_id("ask", approval.id)
    pending = {
        "approval_id": approval.id,
        "tool": approval.tool,
        "args": approval.args,
        "effect": approval.effect,
        "summary": summary(language, approval.tool, approval.plan),
    }
    view = present({"language": language, "pending": pending}, approval_state(approval))
    return [assistant_message(message_id, thread_id, None, "", at)], elements(view, message_id, message_id, thread_id, language)


def _attached(message: MessageView, thread_id: str) -> list[Json]:
    files = [item for item in message.payload.get("attachments") or [] if isinstance(item, dict)]
    if not files:
        return []
    shown = [{"name": item.get("filename"), "size_text": bytes_text(item.get("size"))} for item in files]
    return [_element(stable_id(message.id, "files"), "Attachments", {"files": shown}, message.id, thread_id)]


def _message(message_id: str, thread_id: str, name: str, kind: str, text: str, at: str) -> Json:
    return _step(message_id, thread_id, None, name, kind, text, at)


def _step(step_id: str, thread_id: str, parent_id: str | None, name: str, kind: str, output: str, at: str) -> Json:
    return {
        "id": step_id, "threadId": thread_id, "parentId": parent_id, "name": name, "type": kind, "input": "", "output": output,
        "createdAt": at, "start": at, "end": at, "streaming": False, "isError": False, "showInput": False, "metadata": {}, "tags": None,
    }  # fmt: skip


def _element(element_id: str, component: str, props: Json, for_id: str, thread_id: str) -> Json:
    return {
        "id": element_id, "threadId": thread_id, "type": "custom", "name": component, "display": "inline", "props": props, "forId": for_id,
        "url": None, "chainlitKey": None, "mime": "application/json",
    }  # fmt: skip


def _fence(value: Any, page: Mapping[str, str]) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    if len(text) > MAX_JSON:
        text = text[:MAX_JSON] + "\n" + page["cut"].format(size=len(text))
    return f"````json\n{text}\n````"

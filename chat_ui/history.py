"""Chainlit's data layer over our own conversations. The agent writes the transcript; Chainlit only reads it here.

Steps and elements are not stored as Chainlit would: they are worked out from the transcript each time, so that threads from
REST, the terminal and chat platforms look the same, and so that nothing a browser sends becomes part of a history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chainlit.data.base import BaseDataLayer
from chainlit.types import Feedback, PageInfo, PaginatedResponse, Pagination, ThreadDict, ThreadFilter
from chainlit.user import PersistedUser, User
from starlette.concurrency import run_in_threadpool

from chat_ui.signed_in import caller
from chat_ui.transcript import replay, thread_dict
from hub_core.authz import Actor
from hub_core.errors import InvalidInput, ThreadNotFound
from hub_core.services import Services

if TYPE_CHECKING:
    from agent.agent import Agent

MAX_MESSAGES = 400


class History(BaseDataLayer):
    """Threads of the person behind the current request; nobody else's exist."""

    def __init__(self, services: Services, agent: Callable[[], Agent]) -> None:
        self._services = services
        self._agent = agent

    async def get_user(self, identifier: str) -> PersistedUser | None:
        """The person of the current request, if that is who is asked for."""
        actor = caller.get()
        if actor is None or actor.username != identifier:
            return None
        view = await run_in_threadpool(self._services.users.get, actor)
        return PersistedUser(id=str(view.id), identifier=view.username, createdAt=view.created_at.isoformat(), metadata={})

    async def create_user(self, user: User) -> PersistedUser | None:
        """People are made in the hub, never here."""
        return await self.get_user(user.identifier)

    async def get_thread_author(self, thread_id: str) -> str:
        """The caller's name for one of their own threads; empty for every other."""
        actor = caller.get()
        if actor is None:
            return ""
        try:
            await run_in_threadpool(self._services.conversations.get_thread, actor, thread_id)
        except ThreadNotFound:
            return ""
        return actor.username

    async def list_threads(self, pagination: Pagination, filters: ThreadFilter) -> PaginatedResponse[ThreadDict]:
        """A page of the caller's threads, newest first; the filter's user is never believed."""
        actor = _actor()
        try:
            page = await run_in_threadpool(
                self._services.conversations.list_threads,
                actor,
                cursor=pagination.cursor,
                limit=pagination.first,
                query=filters.search or "",
            )
        except InvalidInput:
            return PaginatedResponse(pageInfo=PageInfo(hasNextPage=False, startCursor=None, endCursor=None), data=[])
        threads: list[Any] = [thread_dict(thread, actor.user_id or 0, actor.username) for thread in page.items]
        return PaginatedResponse(
            pageInfo=PageInfo(hasNextPage=page.next is not None, startCursor=pagination.cursor, endCursor=page.next), data=threads
        )

    async def get_thread(self, thread_id: str) -> Any:
        """One of the caller's threads with everything that was said in it; None for every other."""
        actor = caller.get()
        if actor is None:
            return None
        try:
            return await run_in_threadpool(read_thread, self._services, actor, thread_id)
        except ThreadNotFound:
            return None

    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,
        metadata: dict[str, Any] | None = None,  # noqa: ARG002
        tags: list[str] | None = None,  # noqa: ARG002
    ) -> None:
        """With `user_id` a conversation begins and `name` holds its first words; without, the person renames it."""
        actor = caller.get()
        if actor is None or not name:
            return
        if user_id is not None:
            await run_in_threadpool(self._services.conversations.ensure_thread, actor, thread_id, name)
        else:
            await run_in_threadpool(self._services.conversations.rename_thread, actor, thread_id, name)

    async def delete_thread(self, thread_id: str) -> None:
        """Remove a conversation with everything that was remembered of it."""
        await run_in_threadpool(lambda: self._agent().delete_thread(_actor(), thread_id))

    async def create_step(self, step_dict: Any) -> None:
        """The agent keeps the transcript."""

    async def update_step(self, step_dict: Any) -> None:
        """The agent keeps the transcript."""

    async def delete_step(self, step_id: str) -> None:
        """The transcript does not shrink."""

    async def create_element(self, element: Any) -> None:
        """Elements follow from the transcript."""

    async def get_element(self, thread_id: str, element_id: str) -> Any:
        """An element of a thread, worked out from the transcript."""
        thread = await self.get_thread(thread_id)
        return next((item for item in (thread or {}).get("elements", []) if item["id"] == element_id), None)

    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:
        """Elements follow from the transcript."""

    async def upsert_feedback(self, feedback: Feedback) -> str:  # noqa: ARG002
        """No feedback is collected."""
        return ""

    async def delete_feedback(self, feedback_id: str) -> bool:  # noqa: ARG002
        """No feedback is collected."""
        return False

    async def get_favorite_steps(self, user_id: str) -> list[Any]:  # noqa: ARG002
        """There are no favourites."""
        return []

    async def build_debug_url(self) -> str:
        """There is no debugger."""
        return ""

    async def close(self) -> None:
        """The services close themselves."""


def read_thread(services: Services, actor: Actor, thread_id: str) -> dict[str, Any]:
    """A whole thread for the page.

    Raises:
        ThreadNotFound: none of that id, or somebody else's.
    """
    thread = services.conversations.get_thread(actor, thread_id)
    messages = services.conversations.list_messages(actor, thread_id, limit=5000)[-MAX_MESSAGES:]
    waiting = {approval.id: approval for approval in services.approvals.pending(actor, thread_id)}
    for message in messages:
        approval_id = (message.payload.get("pending") or {}).get("approval_id")
        if approval_id and approval_id not in waiting:
            waiting[approval_id] = services.approvals.get(actor, approval_id)
    steps, drawn = replay(messages, actor.username, thread_id, waiting, composed=services.settings.llm == "builtin")
    return thread_dict(thread, actor.user_id or 0, actor.username, steps=steps, drawn=drawn)


def _actor() -> Actor:
    actor = caller.get()
    if actor is None:
        raise ThreadNotFound("Nobody is signed in.", hint="Sign in again.")
    return actor

"""Parts that are slow to import and open: loaded in threads once the port is open; who needs one waits for it."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from hub_core.services import Services

if TYPE_CHECKING:
    from agent.agent import Agent


class AgentLoader:
    """Opens the agent once, in a thread; calling the loader gives it, waiting when it is not there yet."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._future: Future[Agent] = Future()
        self._opened: AbstractContextManager[Agent] | None = None
        self._thread = threading.Thread(target=self._load, name="open-agent", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    def __call__(self) -> Agent:
        """The agent."""
        return self._future.result()

    @property
    def ready(self) -> bool:
        """Whether it is loaded."""
        return self._future.done() and self._future.exception() is None

    def close(self) -> None:
        """Close the agent, after it has been opened."""
        self._thread.join()
        if self._opened is not None:
            self._opened.__exit__(None, None, None)

    def _load(self) -> None:
        try:
            from agent.agent import open_agent

            self._opened = open_agent(self._services)
            opened = self._opened.__enter__()
            if self._services.settings.llm == "builtin":
                from agent.planner.read import warm_up

                warm_up()
            self._future.set_result(opened)
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: whoever asks for the agent gets it
            self._opened = None
            self._future.set_exception(error)

"""A LangGraph agent as a client: it finds the tools, calls them, and is told that a person must approve."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_mcp_adapters.client import MultiServerMCPClient

from tests.common.loops import finish
from tests.functional.mcp.conftest import McpHub


class Scripted(BaseChatModel):
    """A language model that makes these calls, one after the other, and then says what it heard last."""

    calls: list[tuple[str, dict[str, Any]]]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        done = sum(isinstance(message, ToolMessage) for message in messages)
        if done < len(self.calls):
            name, args = self.calls[done]
            message = AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"call_{done}", "type": "tool_call"}])
        else:
            message = AIMessage(str(messages[-1].content))
        return ChatResult(generations=[ChatGeneration(message=message)])


def test_an_agent_reads_at_once_and_waits_for_a_person_where_it_must(hub: McpHub) -> None:
    async def play() -> list[BaseMessage]:
        headers = {"Authorization": f"Bearer {hub.token()}"}
        client = MultiServerMCPClient({"hub": {"transport": "streamable_http", "url": f"{hub.url}/mcp?toolsets=repos", "headers": headers}})
        model = Scripted(calls=[("get_repo", {"repo": "vision"}), ("set_visibility", {"repo": "vision", "visibility": "public"})])
        agent: Any = create_agent(model, await client.get_tools())
        return list((await agent.ainvoke({"messages": [("user", "make vision public")]}))["messages"])

    messages = finish(play())
    read, asked = [message for message in messages if isinstance(message, ToolMessage)]
    assert "acme/vision" in str(read.content)
    waiting = hub.services.approvals.pending(hub.hub.alice)
    assert [item.tool for item in waiting] == ["set_visibility"]
    assert f"{hub.url}/approvals/{waiting[0].id}" in str(asked.content)
    assert hub.hub.visibility("acme/vision") == "private"

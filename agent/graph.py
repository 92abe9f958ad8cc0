"""The graph of one turn: understand -> think -> act -> finish, with settle for answers to approvals."""

from __future__ import annotations

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.nodes.act import act, after_act
from agent.nodes.finish import finish
from agent.nodes.settle import after_settle, settle
from agent.nodes.think import after_think, think
from agent.nodes.understand import after_understand, understand
from agent.state import Context, State


def build_graph(checkpointer: BaseCheckpointSaver[Any]) -> CompiledStateGraph[State, Context, State, State]:
    """Wire the nodes. Nothing is interrupted: an act that needs approval ends the turn, its answer is a turn of its own."""
    graph = StateGraph(State, context_schema=Context)
    graph.add_node("understand", understand)
    graph.add_node("think", think)
    graph.add_node("act", act)
    graph.add_node("settle", settle)
    graph.add_node("finish", finish)
    graph.add_edge(START, "understand")
    graph.add_conditional_edges("understand", after_understand, ["think", "act", "settle", "finish"])
    graph.add_conditional_edges("think", after_think, ["think", "act", "finish"])
    graph.add_conditional_edges("settle", after_settle, ["think", "act", "finish"])
    graph.add_conditional_edges("act", after_act, ["think", "act", "finish"])
    graph.add_edge("finish", END)
    return graph.compile(checkpointer=checkpointer)

"""The built-in planner: reads a message in English, Chinese, Japanese or Korean as tool calls. Pure functions, numpy only."""

from agent.planner.read import read, warm_up
from agent.planner.types import Entity, Focus, Question, Reading, SlotSpec, StaticWorld, Step, ToolSpec, World

__all__ = ["Entity", "Focus", "Question", "Reading", "SlotSpec", "StaticWorld", "Step", "ToolSpec", "World", "read", "warm_up"]

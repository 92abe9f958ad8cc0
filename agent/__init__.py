"""The agent: a LangGraph graph over the tools, driven by a language model or the built-in planner."""

"""Typed tools over hub_core: one registry, one way to run them. REST, chat and MCP are projections of it."""

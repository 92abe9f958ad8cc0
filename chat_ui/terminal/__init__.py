"""The conversation in a terminal: the same agent, in this process or on a hub elsewhere."""

"""The adapter for this machine: each copy is a child process, kept by a small process of its own that outlives a restart of the hub."""

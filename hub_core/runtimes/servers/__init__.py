"""Small programs that run inside the environment of a runtime, never inside the hub."""

"""Where deployments run: one port, with an adapter for child processes of this machine."""

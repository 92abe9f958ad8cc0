"""Where deployments run: one port, with adapters for child processes of this machine and for Kubernetes."""

"""Chat platforms as ways into the hub: one core, thin channels."""

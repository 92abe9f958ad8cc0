"""Chat platforms: thin transports over one conversation core."""

"""What the hub keeps of chat platforms: who is who, what came in, what has to go out, and which message shows which approval."""

"""The outermost ring: the chat page, the chat REST API, and the ASGI root that holds everything."""

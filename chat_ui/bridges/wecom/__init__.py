"""WeCom (企业微信): an application with a callback, and an intelligent bot with a long connection."""

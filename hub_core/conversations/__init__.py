"""Conversations: threads, messages, attachments, undo."""

"""Notifications: what happened that concerns a person, derived from audit events."""

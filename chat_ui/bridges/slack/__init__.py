"""Slack: events by HTTP or socket mode, messages and cards in Block Kit."""

PLATFORM = "slack"

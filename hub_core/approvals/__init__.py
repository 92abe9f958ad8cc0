"""Approvals of gated acts, and the record of what ran under which key."""

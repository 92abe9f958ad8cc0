"""Repos: one `Repo` for every kind, its people, files, history and search."""

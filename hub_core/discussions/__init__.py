"""Discussions and pull requests of repos: one series of numbers for both in each repo."""

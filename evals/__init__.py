"""Evaluation: conversations in four languages, played against a seeded hub, judged by the state they leave behind."""

"""Answers in words: from steps, questions, errors and approvals to a reply in the person's language."""

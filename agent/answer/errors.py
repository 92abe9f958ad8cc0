"""Errors in the person's language. English ones carry the hub's own sentence, which says most."""

from __future__ import annotations

from typing import Any

from agent.answer.words import plain, say, word
from prompts import has_message

_SUBJECT_BY_CODE = {
    "repo_not_found": ("repo",), "user_not_found": ("username",), "org_not_found": ("org",), "member_not_found": ("username",),
    "token_not_found": ("name",), "ssh_key_not_found": ("title",), "revision_not_found": ("revision", "branch", "tag", "base", "head"),
    "entry_not_found": ("path",), "already_exists": ("name", "new_name", "to", "branch", "tag", "username", "new_path", "title", "repo"),
}  # fmt: skip


def error_text(language: str, error: dict[str, Any], args: dict[str, Any]) -> str:
    """One or two sentences that say what went wrong and what to do."""
    code, details = str(error["code"]), error.get("details") or {}
    values = {"message": plain(error["message"], 600), "hint": plain(error.get("hint") or "", 300)}
    if code == "forbidden" and details.get("needed") and details.get("role"):
        needed, role = (word(language, "role", details[key]) for key in ("needed", "role"))
        return say(language, "error.forbidden_role", needed=needed, role=role)
    subject = next((value for key in _SUBJECT_BY_CODE.get(code, ()) for value in (details.get(key), args.get(key)) if value), "")
    if code in _SUBJECT_BY_CODE and not subject:
        # Nothing tells what it was about: the hub's own words, or the general sentence.
        return say(language, "error.not_found" if code.endswith("not_found") else "error.conflict", **values).strip()
    key = f"error.{code}" if has_message(language, f"error.{code}") else "error.other"
    return say(language, key, subject=plain(subject), **values).strip()

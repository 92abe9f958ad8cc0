"""Errors in the person's language. English ones carry the hub's own sentence, which says most."""

from __future__ import annotations

from typing import Any

from agent.answer.reasons import reason_text
from agent.answer.words import joined, plain, say, sentences, size, word
from prompts import has_message

MAX_CHOICES = 20
_SUBJECT_BY_CODE = {
    "repo_not_found": ("repo",), "user_not_found": ("username",), "org_not_found": ("org",), "member_not_found": ("username",),
    "token_not_found": ("name",), "ssh_key_not_found": ("title",), "revision_not_found": ("revision", "branch", "tag", "base", "head"),
    "entry_not_found": ("path",), "already_exists": ("name", "new_name", "to", "branch", "tag", "username", "new_path", "title", "repo"),
    "job_not_found": ("job",), "collection_not_found": ("collection",), "gated_repo": ("repo",),
    "deployment_not_found": ("deployment", "target"), "deployment_stopped": ("deployment",),
}  # fmt: skip


def error_text(language: str, error: dict[str, Any], args: dict[str, Any]) -> str:
    """One or two sentences that say what went wrong and what to do."""
    code, details = str(error["code"]), error.get("details") or {}
    values = {"message": plain(error["message"], 600), "hint": plain(error.get("hint") or "", 300)}
    if code == "forbidden" and details.get("needed") and details.get("role"):
        needed, role = (word(language, "role", details[key]) for key in ("needed", "role"))
        return say(language, "error.forbidden_role", needed=needed, role=role)
    if language != "en" and (told := _of_hardware(language, code, details)):
        return told
    subject = next((value for key in _SUBJECT_BY_CODE.get(code, ()) for value in (details.get(key), args.get(key)) if value), "")
    if code in _SUBJECT_BY_CODE and not subject:
        # Nothing tells what it was about: the hub's own words, or the general sentence.
        return say(language, "error.not_found" if code.endswith("not_found") else "error.conflict", **values).strip()
    if language != "en" and code == "deployment_not_ready" and (why := reason_text(language, details)):
        return sentences(language, say(language, f"error.{code}", **values), why)
    key = f"error.{code}" if has_message(language, f"error.{code}") else "error.other"
    told = say(language, key, subject=plain(subject), **values).strip()
    choices = details.get("choices") if language != "en" else None  # the hub's own sentence has them
    return "\n".join([told, *(f"- {plain(choice)}" for choice in choices[:MAX_CHOICES])]) if isinstance(choices, list) else told


def _of_hardware(language: str, code: str, details: dict[str, Any]) -> str:
    """What a model needs and what there is, from the numbers that came with the error; empty where there are none."""
    if code == "no_such_hardware" and details.get("hardware"):
        here = details.get("here") or []
        told = say(language, "hardware.not_here", hardware=plain(details["hardware"]))
        return sentences(language, told, say(language, "hardware.here", here=joined(language, here)) if here else "")
    if code != "too_big_for_hardware" or not details.get("needed_bytes"):
        return ""
    values = {"repo": plain(details.get("repo", "")), "needed": size(details["needed_bytes"]), "hardware": plain(details["hardware"])}
    key, has = ("hardware.too_small", size(details["hardware_bytes"])) if details["hardware"] else ("hardware.needs_more", "")
    fits = plain(details.get("fits") or "")
    way = say(language, "hardware.fits", hardware=fits) if fits else say(language, "hardware.smaller")
    return sentences(language, say(language, key, has=has, **values), way)

"""Words that tell a tool by themselves, or without which it is hardly meant: what they say beside the classifier."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from re import Pattern

from agent.planner import asides
from agent.planner.document import Document
from agent.planner.lexicon import compiled, cue, follow, load, spot
from agent.planner.types import Focus, ToolSpec

# A told tool gets this much more weight, and is at least this likely before it.
TOLD, FLOOR = 6.0, 0.06
_UNSAID = 0.1
# Makers and listers of one thing share its noun; the verb tells them apart.
_PAIRS: Mapping[str, str] = {
    "create_branch": "list_branches",
    "create_tag": "list_git_tags",
    "create_token": "list_tokens",
    "add_ssh_key": "list_ssh_keys",
    "create_org": "list_orgs",
    "create_user": "list_users",
}
# These need revisions to speak of, or their words say something else.
_OF_REVISIONS = ("compare_revisions",)


@cache
def words(topic: str, tool: str = "") -> Pattern[str]:
    """The words of a topic of `telling.yaml`, for one tool where the topic has tools."""
    table = load("telling")[topic]
    return compiled(table.get(tool, {}) if tool else table)


@cache
def _tools(topic: str) -> tuple[str, ...]:
    return tuple(load("telling")[topic])


def told(doc: Document) -> tuple[str, ...]:
    """The tools that words of the message tell."""
    low = doc.masked
    found = [tool for tool in _tools("told") if words("told", tool).search(low)]
    refs = doc.of("branch", "git_tag", "revision")
    if len(refs) > 1 and "compare_revisions" not in found and any(cue("lacks").search(low[ref.end : ref.end + 14]) for ref in refs):
        found.append("compare_revisions")
    paths = doc.of("path")
    return tuple(
        tool
        for tool in found
        if (tool not in _OF_REVISIONS or refs) and (tool != "move_file" or paths) and (tool != "move_repo" or not paths)
    )


def shifted(scores: list[tuple[str, float]], doc: Document, focus: Focus) -> list[tuple[str, float]]:
    """The scores where words of the message settle which of two alike tools is meant: all of one's share goes to the other."""
    p = dict(scores)
    low = doc.masked
    made, shown = bool(words("make").search(low)), bool(words("show").search(low))
    if made and not shown:
        for maker, lister in _PAIRS.items():
            _move(p, lister, maker)
    if made and any(name == "secret" for *_, name in asides.find(doc)):
        _move(p, "reset_password", "create_user")
    if words("told", "move_repo").search(low) and not doc.of("path"):
        _move(p, "fork_repo", "move_repo")
    if words("told", "show_commit").search(low) and not words("told", "list_commits").search(low):
        _move(p, "list_commits", "show_commit")
    if focus.tool in _OF_GIT_TAGS and not doc.of("repo"):
        _move(p, "list_tags", "list_git_tags")
    if writes_content(doc):
        for name in ("read_file", "delete_file", "move_file", "list_files"):
            _move(p, name, "write_file")
    elif doc.of("path") and not shown and words("puts").search(low) and not follow("away").search(low):
        for name in ("read_file", "delete_file"):
            _move(p, name, "write_file")
    elif reads_again(doc, focus):
        p = {name: odds * 0.15 for name, odds in p.items()}
        p["read_file"] = p.get("read_file", 0.0) + 0.85
    _put_out(p, doc, focus)
    return sorted(p.items(), key=lambda item: -item[1])


def _put_out(p: dict[str, float], doc: Document, focus: Focus) -> None:
    """`remove bob` may mean from a team or from a repo: what was shown last, else a question. The account is the last thing that is meant."""
    if (
        not doc.of("user")
        or doc.of("repo", "repo_ref")
        or not follow("put_out").search(doc.masked)
        or cue("account_noun").search(doc.masked)
    ):
        return
    if not follow("queries").search(doc.low):
        _move(p, "list_audit_events", "get_user")
    share = sum(p.pop(name, 0.0) for name in _OF_ACCOUNTS)
    of_repo, of_org = focus.tool in _OF_ACCESS and focus.repo, focus.tool in _OF_ORGS and focus.org
    for name, likely in (("remove_org_member", of_org or not of_repo), ("revoke_access", of_repo or not of_org)):
        p[name] = p.get(name, 0.0) + (share * (0.9 if of_org or of_repo else 0.46) if likely else 0.0)
    p["delete_user"] = share * 0.04


_OF_ACCOUNTS = ("delete_user", "set_user_status", "get_user", "reset_password", "delete_org", "leave_org")
_OF_GIT_TAGS = ("create_tag", "delete_git_tag", "list_git_tags")
_OF_ACCESS = ("list_access", "grant_access", "revoke_access")
_OF_ORGS = ("get_org", "add_org_member", "update_org_member", "remove_org_member", "create_org")
_OF_FILES = ("write_file", "read_file", "upload_file", "move_file")


def _move(p: dict[str, float], of: str, to: str) -> None:
    p[to] = p.get(to, 0.0) + p.pop(of, 0.0)


def reads_again(doc: Document, focus: Focus) -> bool:
    """Whether the file that was just written or shown is to be read."""
    named = [span for span in doc.spans if span.how not in ("pronoun", "focus")]
    return bool(focus.tool in _OF_FILES and focus.path and not named and follow("read_again").search(doc.low))


def writes_content(doc: Document) -> bool:
    """Whether the message says what a file is to hold."""
    paths = doc.of("path")
    return bool(paths) and any(match.end() > paths[0].start for match in words("content_told").finditer(_with_texts(doc)))


def _with_texts(doc: Document) -> str:
    """The lower-case text with names blanked out but quoted text kept, so that what is said of contents is seen."""
    chars = list(doc.low)
    for span in doc.spans:
        if span.type not in ("text", "ident", "number", "sql", "url"):
            chars[span.start : span.end] = "\x1f" * (span.end - span.start)
    return "".join(chars)


def weight(doc: Document, spec: ToolSpec, attachments: bool) -> float:
    """Less for a tool whose telling words are missing, or that other words in the message speak against."""
    low = doc.masked
    name = spec.name
    if name == "restore_repo" and any(entity.deleted for span in doc.of("repo") for entity in span.entities):
        return 1.0
    if name in _tools("needed") and not words("needed", name).search(doc.low):
        return _UNSAID
    if name == "upload_file" and not attachments and not words("upload").search(low):
        return 0.3
    if name == "set_tags" and spot("visibility", low) and not cue("tag_noun").search(low):
        return 0.05
    if name in ("add_ssh_key", "create_token") and not doc.of("public_key"):
        return 0.2 if words("show").search(low) and not words("make").search(low) else 1.0
    return 1.0

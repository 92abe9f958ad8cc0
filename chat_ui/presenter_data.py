"""Views of files, diffs, models and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chat_ui.presenter_parts import View, bytes_text, count_text, is_time
from chat_ui.texts import Texts
from hub_core.secrecy import HIDDEN, SECRET_KEYS

MAX_ROWS = 200
MAX_ENTRIES = 500
MAX_TEXT = 60_000
MAX_DIFF_FILES = 50
MAX_PATCH = 20_000
HIDDEN_COLUMNS: dict[str, frozenset[str]] = {
    "list_audit_events": frozenset({"id"}),
    "list_users": frozenset({"id"}),
    "list_orgs": frozenset({"id"}),
    "list_commits": frozenset({"message", "parents"}),
    "list_access": frozenset({"is_audience"}),
    "list_deployments": frozenset(
        {
            "id",
            "owner",
            "said",
            "commit",
            "serving",
            "task",
            "cluster",
            "on_demand",
            "memory",
            "currency",
            "environment",
            "revisions",
            "reason_code",
            "reasons",
            "traffic",
            "split",
            "min_replicas",
            "max_replicas",
        }
    ),
}
NUMERIC_TYPES = ("int", "float", "double", "decimal", "number", "bigint", "uint", "hugeint")


def file_tree(result: dict[str, Any], args: dict[str, Any], words: Texts) -> list[View]:
    """The entries of a folder, as a tree."""
    items = [item for item in result.get("items") or [] if isinstance(item, dict)]
    folder = str(args.get("path") or "").strip("/")
    entries = []
    for item in items[:MAX_ENTRIES]:
        path = str(item.get("path") or "").removeprefix(f"{folder}/") if folder else str(item.get("path") or "")
        entries.append({"path": path, "kind": item.get("type") or "file", "size": item.get("size"), "lfs": bool(item.get("lfs"))})
    props = {
        "title": "/".join(part for part in (str(args.get("repo") or ""), folder) if part),
        "revision": _short(args.get("revision")),
        "entries": entries,
        "more": bool(result.get("next") or result.get("truncated")) or len(items) > MAX_ENTRIES,
        "labels": words.card("FileTree"),
    }
    return [View("FileTree", props)] if entries else []


def file_view(result: dict[str, Any], args: dict[str, Any], words: Texts) -> list[View]:
    """A file's text with line numbers."""
    content = result.get("content")
    binary = bool(result.get("binary")) or not isinstance(content, str) or "\x00" in content or result.get("encoding") == "base64"
    text = "" if binary else str(content)
    props = {
        "path": result.get("path") or args.get("path") or "", "revision": _short(args.get("revision")), "content": text[:MAX_TEXT],
        "binary": binary, "truncated": bool(result.get("truncated")) or len(text) > MAX_TEXT, "size_text": bytes_text(result.get("size")),
        "labels": words.card("FileView"),
    }  # fmt: skip
    return [View("FileView", props)]


def diff_view(result: dict[str, Any], args: dict[str, Any], words: Texts) -> list[View]:
    """What changed between two revisions, or in one commit."""
    files: list[Any] = list(result.get("files") or [])
    shown = []
    for item in files[:MAX_DIFF_FILES]:
        if isinstance(item, dict):
            patch = str(item.get("patch") or "")
            keys = ("path", "old_path", "status", "additions", "deletions", "binary")
            cut = bool(item.get("truncated")) or len(patch) > MAX_PATCH
            shown.append({key: item.get(key) for key in keys} | {"patch": patch[:MAX_PATCH], "truncated": cut})
    sha = result.get("sha") or (result.get("commit") if isinstance(result.get("commit"), str) else None) or args.get("revision")
    title = f"{args['base']} … {args['head']}" if args.get("base") and args.get("head") else _short(sha)
    message = str(result.get("message") or "").partition("\n")[2].strip()  # the first line is in the reply
    props = {
        "title": title or "",
        "message": message,
        "files": shown,
        "more": len(files) > MAX_DIFF_FILES,
        "labels": words.card("DiffView"),
    }
    return [View("DiffView", props)]


def thread_view(result: dict[str, Any], args: dict[str, Any], words: Texts) -> list[View]:
    """What a pull request changes; what was said is in the reply."""
    if not result.get("files"):
        return []
    number = f"#{result.get('number')}"
    return diff_view(result, args | {"base": result.get("base"), "head": result.get("branch") or number}, words)


def model_card(result: dict[str, Any], args: dict[str, Any], words: Texts) -> list[View]:
    """What the headers of a model's files say."""
    stats = []
    for key, text in (
        ("parameters", count_text(result.get("parameters"))), ("architecture", result.get("architecture")),
        ("quantization", result.get("quantization")), ("context_length", result.get("context_length")),
        ("bytes_total", bytes_text(result.get("bytes_total"))), ("library", result.get("library")),
    ):  # fmt: skip
        if text:
            exact = result.get(key)
            value = f"{text:,}" if isinstance(text, int) else str(text)
            stats.append({"key": key, "value": value, "exact": f"{exact:,}" if isinstance(exact, int) else str(exact)})
    dtypes: dict[str, int] = dict(result.get("dtypes") or {})
    total = sum(dtypes.values()) or 1
    ordered = sorted(dtypes.items(), key=lambda pair: -pair[1])
    files = [item for item in result.get("files") or [] if isinstance(item, dict)]
    props = {
        "title": str(args.get("repo") or result.get("repo") or ""), "format": result.get("format"), "stats": stats,
        "dtypes": [{"name": name, "share": round(100 * count / total)} for name, count in ordered],
        "files": [{"path": item.get("path"), "size_text": bytes_text(item.get("size")), "safe": item.get("safe")} for item in files[:12]],
        "warnings": [str(item) for item in result.get("warnings") or []][:6], "labels": words.card("ModelCard"),
    }  # fmt: skip
    return [View("ModelCard", props)]


def data_page(result: dict[str, Any], args: dict[str, Any], words: Texts) -> list[View]:
    """A page of a dataset or the result of a query."""
    columns = [_column(item) for item in result.get("columns") or []]
    rows = [row if isinstance(row, list) else [row.get(c["name"]) for c in columns] for row in result.get("rows") or []]
    if not columns:
        return []
    where = [str(args.get("repo") or ""), str(result.get("file") or args.get("file") or "")]
    notes = result.get("notes")
    return [_table(columns, rows, words, " · ".join(part for part in where if part), total=result.get("total_rows"), more=bool(result.get("truncated")), note="; ".join(notes) if isinstance(notes, list) else "")]  # fmt: skip


def column_facts(result: dict[str, Any], args: dict[str, Any], words: Texts) -> list[View]:
    """The columns of a dataset with their statistics."""
    rows = []
    for item in result.get("columns") or []:
        row = {key: item.get(key) for key in ("name", "type", "nulls", "distinct", "min", "max", "mean")}
        row["top"] = ", ".join(f"{value} ({count})" for value, count in (item.get("top") or [])[:3])
        rows.append(row)
    where = (str(args.get("repo") or ""), str(result.get("file") or ""))
    return [table_of(rows, words, title=" · ".join(part for part in where if part))] if rows else []


def secret_card(result: dict[str, Any], args: dict[str, Any], words: Texts) -> list[View]:
    """A secret that is shown once: a new token or password. Not drawn from the transcript, where it is hidden."""
    for key in sorted(SECRET_KEYS):
        secret = result.get(key)
        if isinstance(secret, str) and secret and secret != HIDDEN:
            title = str(result.get("name") or result.get("username") or args.get("name") or args.get("username") or words.change(key))
            return [
                View("SecretCard", {"title": title, "secret": secret, "scope": result.get("scope"), "labels": words.card("SecretCard")})
            ]
    return []


def table_of(
    rows: Sequence[Mapping[str, Any]], words: Texts, *, title: str, more: bool = False, hide: frozenset[str] = frozenset()
) -> View:
    """Any list of similar things as a table: a column for each key that is not empty everywhere."""
    keys: dict[str, None] = {}
    for row in rows[:MAX_ROWS]:
        keys.update(dict.fromkeys(key for key, value in row.items() if value not in (None, "", [], {}) and key not in hide))
    columns = []
    for key in list(keys)[:12]:
        values = [row.get(key) for row in rows if row.get(key) not in (None, "")]
        numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        kind = "time" if all(is_time(value) for value in values) else ""
        columns.append({"name": key, "label": words.change(key), "type": kind, "numeric": numeric})
    return _table(
        columns, [[_cell(row.get(str(c["name"]))) for c in columns] for row in rows], words, title, total=None, more=more, note=""
    )


def _table(columns: list[dict[str, Any]], rows: list[list[Any]], words: Texts, title: str, *, total: Any, more: bool, note: str) -> View:
    props = {
        "title": title, "columns": columns, "rows": rows[:MAX_ROWS], "total": total, "more": more or len(rows) > MAX_ROWS, "note": note,
        "labels": words.card("DataTable"),
    }  # fmt: skip
    return View("DataTable", props)


def _column(item: Any) -> dict[str, Any]:
    name, kind = (str(item.get("name")), str(item.get("type") or "")) if isinstance(item, dict) else (str(item), "")
    return {"name": name, "label": name, "hint": kind[:24], "type": "", "numeric": kind.lower().startswith(NUMERIC_TYPES)}


def _cell(value: Any) -> Any:
    return _short(value)[:500] if isinstance(value, str) else value


def _short(revision: Any) -> str:
    text = str(revision or "")
    return text[:8] if len(text) == 40 and all(char in "0123456789abcdef" for char in text) else text

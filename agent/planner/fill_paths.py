"""Slot fillers for files: paths in a repo, where a file goes, attachments."""

# All fillers have one signature, and not all need the slot.
# ruff: noqa: ARG001

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from agent.planner.form import Form
from agent.planner.types import SlotSpec


def path(form: Form, slot: SlotSpec) -> Any:
    """A file, as it is called in the repo where the repo has just one of that name."""
    spans = form.free("path")
    if spans:
        return in_repo(form, form.use(spans[0]))
    quoted = [
        s
        for s in form.free("text")
        if s.how == "quoted" and re.fullmatch(r"[\w./ -]{1,80}", str(s.value)) and form.spec.name not in ("write_file",)
    ]
    if quoted and slot.required:
        return in_repo(form, form.use(quoted[0]))
    if found := _by_stem(form):
        return found
    if not slot.required:
        match = re.search(
            r"(?:folder|directory|dir|subfolder)\s+([\w./-]+)|(?:the |under |in )?([\w./-]+)/?\s+(?:folder|directory|dir)\b|([\w./-]+)\s*(?:文件夹|目录|フォルダ|ディレクトリ|폴더|디렉터리|디렉토리)|(?:文件夹|目录)\s*([\w./-]+)",
            form.doc.low,
            re.ASCII,
        )
        value = next((g for g in match.groups() if g), None) if match else None
        return value.strip("/") if value and value not in ("the", "a", "which", "what", "this", "that", "root", "top") else None
    idents = [s for s in form.free("ident", "repo_ref") if not form.near("repo_noun", s)]
    if idents and form.args.get("repo"):
        return form.use(idents[0])
    return form.focus.path if form.inherit and form.focus.path and form.spec.name == "read_file" else None


def in_repo(form: Form, said: str) -> str:
    """The full path of a file said by its last part or in another case, when only one fits."""
    repo_name = form.args.get("repo")
    if not repo_name:
        return said
    files = list(form.world.files(str(repo_name)))
    if said in files:
        return said
    low = said.lower()
    fits = [name for name in files if name.lower() == low] or [name for name in files if PurePosixPath(name).name.lower() == low]
    return fits[0] if len(fits) == 1 else said


def _by_stem(form: Form) -> str | None:
    """A file named without its ending ("the config", "設定ファイルconfig")."""
    repo_name = form.args.get("repo")
    if not repo_name or not any(slot.type == "path" and slot.required for slot in form.spec.slots):
        return None
    words = set(re.findall(r"[a-z0-9_.-]{3,}", form.doc.masked))
    fits = [
        name
        for name in form.world.files(str(repo_name))
        if PurePosixPath(name).stem.lower() in words or PurePosixPath(name).name.lower().lstrip(".") in words
    ]
    if len(fits) > 1 and any(PurePosixPath(name).name.lower() == "readme.md" for name in fits):
        fits = [name for name in fits if PurePosixPath(name).name.lower() != "readme.md"]
    return fits[0] if len(fits) == 1 else None


def new_path(form: Form, slot: SlotSpec) -> Any:
    """Where a file goes: a path, a folder (the name is kept), or a new name (the folder is kept)."""
    spans = form.free("path", "text", "ident", "repo_ref")
    old = PurePosixPath(str(form.args.get("path", "")))
    if not spans:
        match = re.search(
            r"(?:into|to|under)\s+(?:the )?([\w.-]+)/?\s*(?:folder|directory|dir)?\s*(?:$|[.,!?]| in | of )|([\w.-]+)\s*(?:文件夹|目录|フォルダ|ディレクトリ|폴더|디렉터리|디렉토리)",
            form.doc.masked,
            re.ASCII,
        )
        folder = next((g for g in match.groups() if g), None) if match else None
        return f"{folder}/{old.name}" if folder and old.name else None
    value = str(form.use(spans[-1]))
    tail = form.doc.text[spans[-1].end - 1 : spans[-1].end + 1]
    if "/" in tail or re.match(r"\s*(?:folder|directory|dir\b|文件夹|目录|フォルダ|ディレクトリ|폴더|디렉)", form.after(spans[-1])):
        return f"{value.rstrip('/')}/{old.name}" if old.name else value
    if "/" not in value and "." not in value and old.suffix and form.doc.spans:
        return (
            f"{value}/{old.name}"
            if re.search(r"(?:into|under|inside)\s*$", form.before(spans[-1]))
            else str(old.with_name(value + old.suffix))
        )
    return (
        str(old.parent / value)
        if "/" not in value and str(old.parent) not in ("", ".") and not re.search(r"root|根目录|ルート|루트", form.doc.low)
        else value
    )


def attachment(form: Form, slot: SlotSpec) -> Any:
    """The attached file that is named; the only or newest one otherwise."""
    if spans := form.free("attachment"):
        return form.use(spans[0])
    names = list(form.world.attachments)
    for span in form.free("path"):
        if any(name.lower() == str(span.value).lower() for name in names):
            form.used.append(span)
            return next(name for name in names if name.lower() == str(span.value).lower())
    if len(names) == 1:
        return names[0]
    if len(names) > 1:
        form.choices[slot.name] = names
    return None

"""Names and paths: what users, organisations, repos, refs and files may be called. Imports nothing but errors."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from hub_core.errors import InvalidName, InvalidPath

MAX_NAME = 96
MAX_PATH = 1024
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")

# First path segments of the hub's own routes, and words that would read as somebody official.
RESERVED_NAMES = frozenset(
    [
        "admin-api",
        "api",
        "approvals",
        "assets",
        "auth",
        "bridges",
        "chat",
        "codes",
        "collections",
        "csg",
        "datasets",
        "docs",
        "favicon.ico",
        "healthz",
        "hf",
        "hubtalk",
        "join",
        "login",
        "logout",
        "mcp",
        "mcps",
        "metrics",
        "models",
        "new",
        "oauth",
        "openapi.json",
        "organizations",
        "papers",
        "project",
        "prompts",
        "public",
        "readyz",
        "resolve",
        "robots.txt",
        "root",
        "run",
        "settings",
        "skills",
        "spaces",
        "static",
        "system",
        "tools",
        "users",
        "v1",
        "ws",
        "xet",
    ]
)


@dataclass(frozen=True, slots=True)
class RepoId:
    """`namespace/name` of a repo."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def check_namespace(name: str) -> str:
    """Return `name` if it may name a user or an organisation.

    Raises:
        InvalidName: not 2-39 lower-case letters, digits, `-` or `_`, or reserved.
    """
    if not 2 <= len(name) <= 39 or not _USERNAME.fullmatch(name):
        raise InvalidName(
            "A user or organisation name has 2 to 39 lower-case letters, digits, '-' or '_', and starts and ends with a letter or digit.",
            hint="For example: acme-research",
        )
    if name in RESERVED_NAMES:
        raise InvalidName(f"The name '{name}' is reserved.", hint="Choose another name.")
    return name


def check_repo_name(name: str) -> str:
    """Return `name` if it may name a repo.

    The rule is the one that `huggingface_hub` checks on its side.

    Raises:
        InvalidName: wrong characters, `--`, `..`, `.git` ending, or longer than 96.
    """
    if len(name) > MAX_NAME or not _NAME.fullmatch(name) or "--" in name or ".." in name or name.lower().endswith(".git"):
        raise InvalidName(
            "A repo name has letters, digits, '.', '_' or '-' (at most 96, no '--', no '..', no '.git' at the end).",
            hint="For example: support-7b",
        )
    return name


def parse_repo_id(text: str) -> RepoId:
    """Split `namespace/name`, checking both halves' shape.

    Raises:
        InvalidName: not exactly two valid parts.
    """
    namespace, slash, name = text.partition("/")
    if not slash or not _USERNAME.fullmatch(namespace.lower()) or len(namespace) > 39:
        raise InvalidName("A repo is named 'namespace/name'.", hint="For example: acme/support-7b")
    return RepoId(namespace.lower(), check_repo_name(name))


def check_path(path: str) -> str:
    """Return the normal form (NFC) of a file path inside a repo.

    Raises:
        InvalidPath: empty, absolute, with `.`/`..`/`.git` parts, control, bidirectional or zero-width characters, backslash, or over 1,024 bytes.
    """
    if len(path) > MAX_PATH:
        raise InvalidPath("The path is longer than 1,024 bytes.", hint="Use a shorter path.")
    normal = unicodedata.normalize("NFC", path)
    if not normal or len(normal.encode("utf-8", "surrogatepass")) > MAX_PATH:
        raise InvalidPath("A path has 1 to 1,024 bytes.", hint="Give a path like data/train.csv")
    for char in normal:
        if char == "\\" or unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            raise InvalidPath("The path has a control, invisible or backslash character.", hint="Use plain characters and '/'.")
    for part in normal.split("/"):
        # Git itself refuses '.git' in any case and the NTFS short name of it.
        if part in {"", ".", ".."} or part.casefold().rstrip(". ") in {".git", "git~1"}:
            raise InvalidPath(
                "A path is relative to the repo, without empty parts, '.', '..' or '.git'.", hint="Give a path like data/train.csv"
            )
    return normal

"""The kinds of repo: one `Repo`, and what differs by kind is data here."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class RepoKind(enum.StrEnum):
    """What a repo holds."""

    MODEL = "model"
    DATASET = "dataset"
    SPACE = "space"
    CODE = "code"
    PROMPT = "prompt"
    MCP = "mcp"
    SKILL = "skill"


@dataclass(frozen=True, slots=True)
class KindInfo:
    """What differs by kind: the URL prefix of Git and resolve paths (models have none), and whether the README carries a card."""

    prefix: str
    plural: str
    has_card: bool


KINDS: dict[RepoKind, KindInfo] = {
    RepoKind.MODEL: KindInfo("", "models", True),
    RepoKind.DATASET: KindInfo("datasets/", "datasets", True),
    RepoKind.SPACE: KindInfo("spaces/", "spaces", True),
    RepoKind.CODE: KindInfo("codes/", "codes", False),
    RepoKind.PROMPT: KindInfo("prompts/", "prompts", True),
    RepoKind.MCP: KindInfo("mcps/", "mcps", True),
    RepoKind.SKILL: KindInfo("skills/", "skills", True),
}

PREFIX_TO_KIND: dict[str, RepoKind] = {info.plural: kind for kind, info in KINDS.items()}

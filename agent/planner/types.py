"""What the planner takes and gives: the visible world, the thread's focus, tools as slots, readings of a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

EntityType = Literal["repo", "user", "org", "token", "ssh_key", "collection", "deployment"]
ReadingKind = Literal["act", "ask", "choose_tool", "preview", "small_talk", "out_of_scope", "not_available", "forbidden"]
LANGUAGES = ("en", "zh", "ja", "ko")
PSEUDO_TOOLS = ("out_of_scope", "not_available", "small_talk")


@dataclass(frozen=True, slots=True)
class Entity:
    """Something with a name that the person may see.

    Attributes:
        value: the canonical name: `acme/support-7b` for a repo, `alice` for a user.
        kind: a repo's kind. own: in the person's own namespace. deleted: in the trash.
        aliases: further names (from preferences, display names).
    """

    type: EntityType
    value: str
    kind: str | None = None
    deleted: bool = False
    own: bool = False
    aliases: tuple[str, ...] = ()


class World(Protocol):
    """What the person may see; the planner knows no other names. Lists of one repo are read lazily and may be capped."""

    username: str
    attachments: Sequence[str]

    def entities(self) -> Sequence[Entity]:
        """All visible repos, users, organisations, collections and deployments (the model as an alias), own tokens and own SSH keys. The same object as long as nothing changed."""
        ...

    def branches(self, repo: str) -> Sequence[str]:
        """Branch names of a repo."""
        ...

    def git_tags(self, repo: str) -> Sequence[str]:
        """Git tags of a repo."""
        ...

    def files(self, repo: str) -> Sequence[str]:
        """Paths of files at the head of a repo."""
        ...


@dataclass
class StaticWorld:
    """A world from plain lists: for training, tests and scripts."""

    username: str = ""
    items: Sequence[Entity] = ()
    branch_lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tag_lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    file_lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    attachments: Sequence[str] = ()

    def entities(self) -> Sequence[Entity]:
        """The given entities."""
        return self.items

    def branches(self, repo: str) -> Sequence[str]:
        """The given branches, or `main`."""
        return self.branch_lists.get(repo, ("main",))

    def git_tags(self, repo: str) -> Sequence[str]:
        """The given tags, or none."""
        return self.tag_lists.get(repo, ())

    def files(self, repo: str) -> Sequence[str]:
        """The given files, or a README."""
        return self.file_lists.get(repo, ("README.md",))


@dataclass
class Question:
    """What was asked last: a tool that waits for arguments, or (tool None) which of several tools was meant.

    Attributes:
        choices: argument -> values offered; for a choice of tool, `{"tool": [...]}`.
    """

    tool: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Focus:
    """What the thread is about; JSON-able (`to_json`, `from_json`) and kept in the graph's state.

    Attributes:
        repo, user, org, branch, path, revision, git_tag, collection, discussion, deployment: mentioned or used last.
        tool, args: the call that ran last. listed: what the last answer showed, in order, as `{type, value, kind}`.
        question: asked last and not answered. pending: the call that waits for approval, `{tool, args}`.
        language: the thread's language.
    """

    repo: str | None = None
    user: str | None = None
    org: str | None = None
    branch: str | None = None
    path: str | None = None
    revision: str | None = None
    git_tag: str | None = None
    collection: str | None = None
    discussion: int | None = None
    deployment: str | None = None
    tool: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    listed: list[dict[str, Any]] = field(default_factory=list)
    question: Question | None = None
    pending: dict[str, Any] | None = None
    language: str = ""

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Focus:
        """The focus of `to_json`; unknown keys are ignored."""
        known = {key: value for key, value in (data or {}).items() if key in cls.__dataclass_fields__}
        question = known.get("question")
        if isinstance(question, Mapping):
            known["question"] = Question(**question)
        return cls(**known)


@dataclass(frozen=True, slots=True)
class SlotSpec:
    """One argument of a tool, as the planner sees it. `type` is the value of a `tools.contract.SlotType`."""

    name: str
    type: str
    required: bool = True
    kinds: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    many: bool = False


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the planner sees it. `effect` is `read`, `write`, `destructive` or `spend`."""

    name: str
    group: str
    effect: str
    slots: tuple[SlotSpec, ...] = ()

    def slot(self, name: str) -> SlotSpec | None:
        """The slot of that name."""
        return next((slot for slot in self.slots if slot.name == name), None)

    def takes(self, *types: str) -> bool:
        """True when some slot has one of the types."""
        return any(slot.type in types for slot in self.slots)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the required slots."""
        return tuple(slot.name for slot in self.slots if slot.required)


@dataclass(frozen=True, slots=True)
class Step:
    """One call: `missing` names required arguments that were not said, `choices` the values an argument may have meant."""

    tool: str
    args: dict[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    choices: dict[str, list[str]] = field(default_factory=dict)
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """How a message is understood.

    `act`: run the steps. `ask`: the first step lacks arguments (or has choices). `choose_tool`: unsure, `candidates` holds the likeliest;
    `steps` then holds the filled call of each candidate. `preview`: say what the steps would do. `forbidden`: the person forbade it.
    """

    kind: ReadingKind
    steps: tuple[Step, ...] = ()
    candidates: tuple[tuple[str, float], ...] = ()
    language: str = "en"
    focus: Focus = field(default_factory=Focus)

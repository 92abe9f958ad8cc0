"""What a tool is: a name, typed input and output, an effect, a plan (what would change) and a run.

A tool is a thin class over a service of `hub_core`. `plan` resolves names, checks the permission and says what would
change without changing anything; `run` does it. `tools.invoke` is the only caller of both.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, field_validator

from hub_core.authz import Actor, Permission
from hub_core.services import Services


class Effect(enum.StrEnum):
    """What a call does to the hub; `destructive` and `spend` wait for a person's approval."""

    READ = "read"
    WRITE = "write"
    DESTRUCTIVE = "destructive"
    SPEND = "spend"

    @property
    def gated(self) -> bool:
        """True when a person has to approve the act first."""
        return self in (Effect.DESTRUCTIVE, Effect.SPEND)


class SlotType(enum.StrEnum):
    """What an argument names, so that a planner can find it in a sentence."""

    REPO = "repo"
    KIND = "kind"
    USER = "user"
    ORG = "org"
    OWNER = "owner"  # user or organisation
    ROLE = "role"
    VISIBILITY = "visibility"
    BRANCH = "branch"
    GIT_TAG = "git_tag"
    REVISION = "revision"
    PATH = "path"
    NEW_PATH = "new_path"
    TAGS = "tags"
    LICENSE = "license"
    SCOPE = "scope"
    TOKEN = "token"
    SSH_KEY = "ssh_key"
    NEW_NAME = "new_name"
    TEXT = "text"
    QUERY = "query"
    SQL = "sql"
    NUMBER = "number"
    FLAG = "flag"
    EMAIL = "email"
    WHEN = "when"
    STATUS = "status"
    LANGUAGE = "language"
    ATTACHMENT = "attachment"
    CHOICE = "choice"  # one of the schema's enum values
    SECRET = "secret"
    COLLECTION = "collection"
    DISCUSSION = "discussion"  # the number of a discussion or pull request
    WEBHOOK = "webhook"
    URL = "url"
    DEPLOYMENT = "deployment"
    HARDWARE = "hardware"  # as people say it: "one A10", "2 x a100", "CPU"
    PERIOD = "period"  # a span of time: "today", "7d", "month", "2026-11", "2026-11-01..2026-11-15"
    AMOUNT = "amount"  # money as people say it: "200 dollars", "500 EUR", "¥3000"


@dataclass(frozen=True, slots=True)
class Slot:
    """Annotation of an input field: `repo: Annotated[str, Slot(SlotType.REPO)]`. `kinds` narrows a repo's kind."""

    type: SlotType
    kinds: tuple[str, ...] = ()


class ToolInput(BaseModel):
    """Base of all inputs: unknown arguments are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, use_enum_values=False)

    @field_validator("*", mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        """Refuse text that no database or file name can hold: NUL and lone surrogates."""
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and ("\0" in text or any("\ud800" <= char <= "\udfff" for char in text)):
                raise ValueError("has a NUL or broken Unicode character")
        return value


class ToolOutput(BaseModel):
    """Base of all outputs."""


class NoInput(ToolInput):
    """A tool without arguments."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool by name: used for inverses and plans."""

    tool: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that would change. `what` names it (`visibility`, `role`, `file` ...); None means absent."""

    what: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a call would do, worked out without doing it.

    Attributes:
        args: the resolved, canonical arguments (`repo` is `namespace/name`, defaults filled in).
        effect: the effect of this very call (it can depend on the state: widening or narrowing).
        changes: what would change; empty for reads and for calls that change nothing.
        facts: further facts for the summary (number of files lost, who loses access ...).
        inverse: the call that would revert it, when it is known before the run.
        prepared: whatever `run` needs and `plan` already looked up; never serialised.
    """

    args: dict[str, Any]
    effect: Effect
    changes: tuple[Change, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    inverse: Call | None = None
    prepared: Any = None


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Who calls, on which hub, from where. Built per call; never stored."""

    actor: Actor
    services: Services
    thread_id: str | None = None


I = TypeVar("I", bound=ToolInput)  # noqa: E741
O = TypeVar("O", bound=BaseModel)  # noqa: E741


class Tool(Generic[I, O]):
    """Base of all tools. The class docstring is the description that people and models read.

    Class attributes:
        name: the tool's name (DESIGN: fixed). group: repos, files, data, people, credentials, community, conversation.
        input, output: its models. effect: the strongest effect it can have. permission: what it needs at least.
        heavy: reads or computes so much in this process that only a few may run at once.
    """

    name: ClassVar[str]
    group: ClassVar[str]
    input: ClassVar[type[ToolInput]] = NoInput
    output: ClassVar[type[BaseModel]]
    effect: ClassVar[Effect] = Effect.READ
    permission: ClassVar[Permission]
    heavy: ClassVar[bool] = False

    def plan(self, ctx: ToolContext, args: I) -> Plan:
        """Resolve names, check the permission, say what would change. Must not change anything.

        Reads may keep this default; every other tool says its changes.
        """
        return Plan(args=args.model_dump(mode="json", exclude_none=True), effect=self.effect)

    def run(self, ctx: ToolContext, args: I, plan: Plan) -> O:
        """Do it and return the result; `plan` is the one made just before, in the same call."""
        raise NotImplementedError

    def inverse(self, ctx: ToolContext, args: I, plan: Plan, output: O) -> Call | None:
        """The call that reverts this one; default: the plan's. Override when it depends on the result."""
        return plan.inverse

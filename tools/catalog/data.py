"""Tools: a look inside models and datasets, and the audit trail."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import Field

from hub_core.authz import Permission
from hub_core.datasets.describe import describe
from hub_core.datasets.formats import data_files
from hub_core.datasets.preview import preview
from hub_core.datasets.query import QueryLimits, tables_for
from hub_core.errors import RepoNotFound, UnsupportedFormat
from hub_core.models.inspect import inspect_model, wanted
from hub_core.repos.events import EventQuery
from hub_core.repos.tables import Repo
from tools.catalog.fields import DatasetArg, LimitArg, ModelArg, PathArg, RepoArg
from tools.catalog.files import find_path
from tools.catalog.repos import KindArg, locate
from tools.contract import Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolInput, ToolOutput
from tools.times import parse_when


class _ReadsRepo(Tool[Any, Any]):
    """Base of reads of what is in the files of one repo."""

    group, permission, effect = "data", Permission.REPO_FILES, Effect.READ

    def plan(self, ctx: ToolContext, args: Any) -> Plan:
        """Resolve the name."""
        repo, resolved = locate(ctx, args, Permission.REPO_FILES)
        return Plan(resolved, Effect.READ, prepared=repo)


class OneModel(ToolInput):
    """Names a model."""

    repo: ModelArg
    kind: KindArg | None = None


class WeightFileItem(ToolOutput):
    """A file with weights."""

    path: str
    size: int
    format: str
    safe: bool = Field(description="False for formats that can run code when loaded (pickle).")


class ModelOut(ToolOutput):
    """What is inside a model, read from file headers."""

    repo: str
    format: str | None
    parameters: int | None
    dtypes: dict[str, int]
    architecture: str | None
    quantization: str | None
    context_length: int | None
    library: str | None
    bytes_total: int
    files: list[WeightFileItem]
    extra: dict[str, Any] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)


class InspectModel(_ReadsRepo):
    """Look inside a model: parameters, architecture, quantization, context length, number formats, weight files."""

    name, input, output, heavy = "inspect_model", OneModel, ModelOut, True

    def run(self, ctx: ToolContext, args: OneModel, plan: Plan) -> ModelOut:
        """Read the headers."""
        repo: Repo = plan.prepared
        paths = [path for path in ctx.services.files.paths(ctx.actor, repo) if wanted(path)]
        facts = inspect_model(ctx.services.files.readers(ctx.actor, repo, paths)).to_json()
        return ModelOut(repo=repo.full_name, **{key: facts[key] for key in ModelOut.model_fields if key in facts})


class OneDataset(ToolInput):
    """Names a dataset, and maybe one of its files."""

    repo: DatasetArg
    kind: KindArg | None = None
    file: PathArg | None = None


class PreviewInput(OneDataset):
    """How many rows, from where."""

    limit: LimitArg = 20
    offset: Annotated[int, Field(description="Rows to skip.", ge=0, le=1_000_000)] = 0


class TableColumn(ToolOutput):
    """A column of a table."""

    name: str
    type: str


class TableOut(ToolOutput):
    """Rows of a dataset."""

    repo: str
    file: str
    columns: list[TableColumn]
    rows: list[list[Any]]
    total_rows: int | None = None
    truncated: bool = False
    notes: list[str] = Field(default_factory=list)


def data_file(ctx: ToolContext, repo: Repo, said: str | None) -> str:
    """The data file that was meant: the one named, else the best of the repo.

    Raises:
        UnsupportedFormat: the repo has no CSV, JSONL, JSON or Parquet file.
        EntryNotFound: the named file is not there.
    """
    if said:
        return find_path(ctx, repo, said)
    found = data_files(ctx.services.files.paths(ctx.actor, repo))
    if not found:
        raise UnsupportedFormat(f"{repo.full_name} has no CSV, JSON, JSONL or Parquet file.", hint="list_files shows what is there.")
    return found[0]


class PreviewDataset(_ReadsRepo):
    """Show the first rows of a dataset as a table."""

    name, input, output, heavy = "preview_dataset", PreviewInput, TableOut, True

    def run(self, ctx: ToolContext, args: PreviewInput, plan: Plan) -> TableOut:
        """Read the rows."""
        repo: Repo = plan.prepared
        path = data_file(ctx, repo, args.file)
        page = preview(path, ctx.services.files.reader(ctx.actor, repo, path), args.limit, args.offset).to_json()
        return TableOut(repo=repo.full_name, file=path, **{key: page[key] for key in TableOut.model_fields if key in page})


class DescribeOut(ToolOutput):
    """Schema and statistics of a dataset."""

    repo: str
    file: str
    format: str
    rows: int | None
    columns: list[dict[str, Any]]
    sampled: bool
    sample_rows: int | None = None
    notes: list[str] = Field(default_factory=list)
    files: list[str] = Field(description="All data files of the repo.")


class DescribeDataset(_ReadsRepo):
    """Describe a dataset: columns, types, missing values, ranges, most frequent values, number of rows."""

    name, input, output, heavy = "describe_dataset", OneDataset, DescribeOut, True

    def run(self, ctx: ToolContext, args: OneDataset, plan: Plan) -> DescribeOut:
        """Compute the statistics."""
        repo: Repo = plan.prepared
        path = data_file(ctx, repo, args.file)
        facts = describe(path, ctx.services.files.reader(ctx.actor, repo, path)).to_json()
        known = {key: facts[key] for key in DescribeOut.model_fields if key in facts}
        return DescribeOut(repo=repo.full_name, file=path, files=data_files(ctx.services.files.paths(ctx.actor, repo)), **known)


class QueryInput(ToolInput):
    """Which dataset, and the query."""

    repo: DatasetArg
    kind: KindArg | None = None
    sql: Annotated[
        str,
        Slot(SlotType.SQL),
        Field(
            description="One SELECT. Tables are the data files by their stem; `data` is all of them.",
            min_length=1,
            max_length=20_000,
            examples=["select team, count(*) from data group by team"],
        ),
    ]


class QueryOut(ToolOutput):
    """Rows of a query."""

    repo: str
    columns: list[TableColumn]
    rows: list[list[Any]]
    truncated: bool
    elapsed_ms: float


class QueryDataset(_ReadsRepo):
    """Ask a dataset a question in SQL. The query sees the dataset's own rows and nothing else."""

    name, input, output = "query_dataset", QueryInput, QueryOut

    def run(self, ctx: ToolContext, args: QueryInput, plan: Plan) -> QueryOut:
        """Run it in the sandbox."""
        repo: Repo = plan.prepared
        paths = data_files(ctx.services.files.paths(ctx.actor, repo))
        tables = tables_for(ctx.services.files.readers(ctx.actor, repo, paths))
        result = ctx.services.queries.query(tables, args.sql, QueryLimits.from_settings(ctx.services.settings)).to_json()
        return QueryOut(repo=repo.full_name, **{key: result[key] for key in QueryOut.model_fields if key in result})


class EventsInput(ToolInput):
    """Filters; all optional."""

    actor: Annotated[str, Slot(SlotType.USER), Field(description="Who did it.", max_length=64)] | None = None
    repo: RepoArg | None = None
    kind: KindArg | None = None
    action: (
        Annotated[
            str,
            Slot(SlotType.CHOICE),
            Field(description="Part of an action's name: visibility, delete, grant, create, push ...", max_length=64),
        ]
        | None
    ) = None
    since: Annotated[str, Slot(SlotType.WHEN), Field(description="Date, time, or a span like 7d.", max_length=40)] | None = None
    until: Annotated[str, Slot(SlotType.WHEN), Field(description="Date, time, or a span like 1d.", max_length=40)] | None = None
    limit: LimitArg = 20
    cursor: Annotated[int, Field(description="`next` of the page before.", ge=0, le=2**53)] | None = None


class EventItem(ToolOutput):
    """One event."""

    id: int
    at: dt.datetime
    actor: str
    channel: str
    action: str
    target: str
    details: dict[str, Any]


class EventList(ToolOutput):
    """Events, newest first."""

    items: list[EventItem]
    next: int | None = None


class ListAuditEvents(Tool[EventsInput, EventList]):
    """Show who did what and when: changes of visibility, access, files, people."""

    name, group, input, output, permission = "list_audit_events", "data", EventsInput, EventList, Permission.AUDIT_READ

    def plan(self, ctx: ToolContext, args: EventsInput) -> Plan:
        """Resolve the repo's name; a deleted repo has a history too."""
        resolved = args.model_dump(mode="json", exclude_none=True)
        if args.repo is None:
            return Plan(resolved, Effect.READ)
        repo = _live_or_deleted(ctx, args)
        return Plan(resolved | {"repo": repo.full_name, "kind": repo.kind}, Effect.READ, prepared=repo)

    def run(self, ctx: ToolContext, args: EventsInput, plan: Plan) -> EventList:
        """Read them."""
        query = EventQuery(
            actor=args.actor, repo_id=plan.prepared.id if plan.prepared else None, action=args.action, since=parse_when(args.since),
            until=parse_when(args.until), limit=args.limit + 1, before_id=args.cursor,
        )  # fmt: skip
        found = ctx.services.events.query(ctx.actor, query)
        items = [
            EventItem(id=e.id, at=e.at, actor=e.actor, channel=e.channel, action=e.action, target=e.target, details=e.details)
            for e in found[: args.limit]
        ]
        return EventList(items=items, next=items[-1].id if len(found) > args.limit else None)


def _live_or_deleted(ctx: ToolContext, args: EventsInput) -> Repo:
    try:
        return locate(ctx, args)[0]
    except RepoNotFound:
        return locate(ctx, args, deleted=True)[0]


TOOLS = (InspectModel(), PreviewDataset(), DescribeDataset(), QueryDataset(), ListAuditEvents())

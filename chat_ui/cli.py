"""The command `hubtalk`. Each command imports what it needs by itself, so that the command line starts fast."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub_core.errors import HubError
from hub_core.settings import load_settings

if TYPE_CHECKING:
    from chat_ui.bridges.port import Problem
    from hub_core.authz import Actor
    from hub_core.doctor import Finding
    from hub_core.services import Services

app = typer.Typer(
    help="A private hub for models, datasets and code that you run by talking to it.", no_args_is_help=True, add_completion=False
)
token_app = typer.Typer(help="Make and list access tokens of this machine's hub.", no_args_is_help=True)
user_app = typer.Typer(help="Make, restore and list users of this machine's hub.", no_args_is_help=True)
app.add_typer(token_app, name="token")
app.add_typer(user_app, name="user")

AsUser = Annotated[str, typer.Option("--as", help="User in whose name to act on this machine's hub.")]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (HUB_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (HUB_PORT).")] = None,
) -> None:
    """Start the hub with its chat page."""
    from chat_ui.serving import run_server

    given: dict[str, Any] = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    run_server(load_settings(**given))


@app.command()
def worker(
    light: Annotated[int, typer.Option(help="How many light jobs (deliveries, scans of small repos) run at once.", min=0, max=64)] = 2,
    heavy: Annotated[int, typer.Option(help="How many heavy jobs run at once.", min=0, max=64)] = 1,
    training: Annotated[int, typer.Option(help="How many fine-tunes and evaluations run at once.", min=0, max=8)] = 0,
) -> None:
    """Run background jobs of this hub, beside `hubtalk serve`, on this machine or another with the same settings."""
    from chat_ui.working import run_worker

    run_worker(load_settings(), light, heavy, training)


@app.command()
def chat(
    message: Annotated[list[str] | None, typer.Argument(help="What to say; without it a conversation starts.")] = None,
    url: Annotated[str, typer.Option(help="Address of a hub elsewhere (its token in HUB_TOKEN); default: this machine's hub.")] = "",
    user: AsUser = "admin",
    thread: Annotated[str | None, typer.Option(help="Go on with this conversation.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each answer as one line of JSON.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Only show the steps; nothing runs.")] = False,
    attach: Annotated[list[str] | None, typer.Option(help="File to attach to the first message.")] = None,
) -> None:
    """Talk to the hub in the terminal, or say one thing: hubtalk chat "who can see support-7b?"."""
    from chat_ui.terminal.connection import connect
    from chat_ui.terminal.session import converse

    with connect(load_settings(), url, user) as connection:
        code = converse(connection, " ".join(message or []), thread_id=thread, as_json=as_json, plan=plan, attach=attach or [])
    raise typer.Exit(code)


@app.command()
def tool(
    name: Annotated[str, typer.Argument(help="Name of a tool, see docs/tools.md.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="key=value; a value may be JSON.")] = None,
    user: AsUser = "admin",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
) -> None:
    """Run one tool: hubtalk tool get_repo repo=acme/support-7b."""
    from tools import invoke
    from tools.contract import ToolContext

    raw = dict(_argument(text) for text in arguments or [])
    with _local(user) as (services, actor):
        ctx = ToolContext(actor, services)
        if dry_run:
            result: Any = {"plan": invoke.describe_plan(invoke.plan(ctx, name, raw))}
        else:
            done = invoke.call(ctx, name, raw, gate=False)
            result = {"result": done.output.model_dump(mode="json")} if isinstance(done, invoke.Done) else {}
    typer.echo(json.dumps(result, indent=2, ensure_ascii=False))


@app.command()
def mcp(
    url: Annotated[str, typer.Option(help="Address of a hub elsewhere (its token in HUB_TOKEN); default: this machine's hub.")] = "",
    user: AsUser = "admin",
    toolsets: Annotated[str, typer.Option(help="Only these groups of tools, with commas.")] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="Only tools that change nothing.")] = False,
) -> None:
    """Serve MCP clients over standard input and output (Claude Desktop, Cursor ...)."""
    from tools.mcp.options import read_options
    from tools.mcp.stdio import run_local, run_relay

    options, settings = read_options(toolsets, "yes" if read_only else ""), load_settings()
    if url:
        run_relay(url, settings.token, options)
        return
    from chat_ui.mcp_local import connector

    with _local(user) as (services, _):
        run_local(connector(services, user, options))


@token_app.command("create")
def token_create(
    name: Annotated[str, typer.Argument(help="A name for it.")],
    scope: Annotated[str, typer.Option(help="read, write or admin.")] = "write",
    user: AsUser = "admin",
    expires: Annotated[str | None, typer.Option(help="A date or a span like 30d.")] = None,
) -> None:
    """Make a token and print it (only now)."""
    from hub_core.authz import Scope

    with _local(user) as (services, actor):
        typer.echo(services.tokens.create(actor, name, Scope(scope), expires=expires).token)


@token_app.command("list")
def token_list(user: AsUser = "admin") -> None:
    """List the tokens of a user (never the secrets)."""
    with _local(user) as (services, actor):
        for row in services.tokens.list_tokens(actor):
            typer.echo(f"{row.name}\t{row.scope}")


@user_app.command("create")
def user_create(username: str, email: Annotated[str, typer.Option()] = "") -> None:
    """Make a user; prints the generated password once."""
    with _local("admin") as (services, actor):
        made = services.users.create(actor, username, email=email)
        typer.echo(f"{made.user.username}\t{made.password}")


@user_app.command("restore")
def user_restore(username: str) -> None:
    """Bring a deleted user back, without credentials and memberships; prints a new password once."""
    with _local("admin") as (services, actor):
        typer.echo(f"{username}\t{services.users.restore_user(actor, username)}")


@user_app.command("list")
def user_list() -> None:
    """List users."""
    with _local("admin") as (services, actor):
        for row in services.users.list_users(actor).items:
            typer.echo(f"{row.username}\t{row.status}")


@app.command()
def doctor(hashes: Annotated[bool, typer.Option("--hashes", help="Also read every LFS object and check its sha256.")] = False) -> None:
    """Check that everything the hub knows of is there and whole, and that the bridges to chat platforms are set up right."""
    from chat_ui.bridges.registry import examine as examine_bridges
    from hub_core.doctor import examine

    problems = 0
    with _services() as services:
        findings: Iterator[Finding | Problem] = chain(examine(services, hashes=hashes), examine_bridges(services.settings))
        for finding in findings:
            problems += bool(finding.problem)
            typer.echo(f"{'PROBLEM' if finding.problem else 'ok':8}{finding.subject}{': ' if finding.problem else ''}{finding.problem}")
    typer.echo(f"{problems} problem(s)")
    raise typer.Exit(1 if problems else 0)


@app.command()
def backup(folder: Annotated[Path, typer.Argument(help="A folder that is not there yet.")]) -> None:
    """Write everything of this machine's hub into one folder; the hub may run."""
    from hub_core.backup import backup as make

    with _services() as services, _progress("Backing up") as tell:
        made = make(services, folder, tell)
    typer.echo(f"{made.blobs} blobs, {made.bytes:,} bytes and the database are in {folder}")


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="A folder made by hubtalk backup.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the hub that is there; what only it has is lost.")] = False,
) -> None:
    """Put a backup back into this machine's hub, which must not run."""
    from hub_core.backup import restore as put_back

    with _progress("Restoring") as tell:
        made = put_back(load_settings(), folder, overwrite=overwrite, tell=tell)
    typer.echo(f"The hub is what it was at {made.made_at}. Now run: hubtalk doctor --hashes")


@app.command(name="eval")
def evaluate(
    suite: Annotated[list[str] | None, typer.Option(help="Only these suites.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="Only these languages.")] = None,
    output: Annotated[str, typer.Option(help="Where to write the JSON report.")] = "",
    baseline: Annotated[str, typer.Option(help="Fail when the result is worse than this report.")] = "",
    cases: Annotated[str, typer.Option(help="Folder of cases.")] = "",
    case: Annotated[list[str] | None, typer.Option(help="Only these cases, by id.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print the turns that went wrong.")] = False,
    jobs: Annotated[int, typer.Option(help="Processes to play in.")] = 2,
) -> None:
    """Play the evaluation conversations against a seeded hub and print the results by suite and language."""
    from importlib import import_module

    # evals is a sink: nothing imports it but this entry, by name.
    run = import_module("evals.command").run
    chosen = {"suites": suite or [], "languages": language or [], "only": case or [], "cases": cases}
    raise typer.Exit(run(**chosen, output=output, baseline=baseline, verbose=verbose, jobs=jobs))


def main() -> None:
    """Entry point: hub errors become one clear line and the exit status 1."""
    try:
        app()
    except HubError as error:
        typer.secho(f"{error.message} {error.hint}".strip(), err=True, fg="red")
        sys.exit(1)


def _argument(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"'{text}' is not key=value")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar at a terminal; a line at the end anywhere else."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(TextColumn(what), BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _services() -> Any:
    from hub_core.services import open_services

    return open_services(load_settings())


class _local:  # noqa: N801 - used like a function
    """The hub of this machine, and an actor on it. Whoever may read the hub's data folder is its operator."""

    def __init__(self, username: str) -> None:
        self._username = username

    def __enter__(self) -> tuple[Services, Actor]:
        from chat_ui.terminal.connection import local_actor
        from hub_core.startup import prepare

        self._opened = _services()
        services = self._opened.__enter__()
        prepare(services, serving=False)
        return services, local_actor(services, self._username)

    def __exit__(self, *details: Any) -> None:
        self._opened.__exit__(*details)

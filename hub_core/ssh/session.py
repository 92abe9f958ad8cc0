"""One command of one person over SSH: fetch, push, or a pass for Git LFS."""

from __future__ import annotations

import json
import logging
import tempfile
from asyncio import create_subprocess_exec, to_thread
from asyncio.subprocess import DEVNULL, PIPE
from typing import BinaryIO, cast

import asyncssh
from anyio import CancelScope

from hub_core.authz import Actor, Permission
from hub_core.errors import HubError, InvalidInput
from hub_core.http.lfs_passes import PASS_SECONDS, LfsPasses
from hub_core.repos.kinds import KINDS, RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services
from hub_core.ssh.commands import Command, Verb, parse_command
from hub_core.ssh.incoming import read_push

log = logging.getLogger(__name__)

Process = asyncssh.SSHServerProcess[bytes]


class GitSession:
    """Runs commands; one object serves all connections."""

    def __init__(self, services: Services, passes: LfsPasses, web: str) -> None:
        self._services = services
        self._passes = passes
        self._web = web

    async def serve(self, process: Process, actor: Actor) -> None:
        """Run what the client asked for and end its channel; errors go to its terminal."""
        status = 1
        try:
            await self._run(process, actor, parse_command(process.command or ""))
            status = 0
        except HubError as error:
            _say(process, f"{error.message} {error.hint}")
        except (asyncssh.Error, OSError, EOFError):
            # The client is gone; what came so far was not a push.
            log.debug("an SSH client went away", exc_info=True)
        finally:
            process.exit(status)
            await process.wait_closed()

    async def _run(self, process: Process, actor: Actor, command: Command) -> None:
        repo = await to_thread(self._repo, actor, command)
        match command.verb:
            case Verb.FETCH:
                await self._fetch(process, repo)
            case Verb.PUSH:
                await self._push(process, actor, repo)
            case Verb.LFS:
                process.stdout.write(json.dumps(self._lfs(actor, repo, command.operation)).encode())

    def _repo(self, actor: Actor, command: Command) -> Repo:
        named = command.kind, command.namespace, command.name
        if command.writes:
            return self._services.pulls.open_for_push(actor, *named)
        return self._services.repos.open_repo(actor, *named, Permission.REPO_FILES)

    async def _fetch(self, process: Process, repo: Repo) -> None:
        protocol = process.env.get("GIT_PROTOCOL", "")
        arguments, environment = await to_thread(self._services.git.fetch_command, repo.id, protocol)
        child = await create_subprocess_exec(*arguments, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment)
        try:
            await process.redirect(stdin=child.stdin, stdout=child.stdout)
            await process.stdout.drain()  # until the program has said everything
            if await child.wait():
                raise InvalidInput("The fetch ended early.", hint="Try again.")
        finally:
            if child.returncode is None:
                child.kill()
                with CancelScope(shield=True):
                    await child.wait()

    async def _push(self, process: Process, actor: Actor, repo: Repo) -> None:
        services = self._services
        process.stdout.write(await to_thread(services.git.advertise, repo.id, "git-receive-pack"))
        with tempfile.TemporaryFile(dir=services.blobs.staging, buffering=0) as raw:
            body = cast(BinaryIO, raw)
            await read_push(process.stdin, body, services.git.limits)
            body.seek(0)
            answer = await to_thread(self._receive, actor, repo, body)
        process.stdout.write(answer)
        await process.stdout.drain()

    def _receive(self, actor: Actor, repo: Repo, body: BinaryIO) -> bytes:
        services = self._services
        # Reading the push may have taken hours.
        services.pulls.open_for_push(actor, RepoKind(repo.kind), repo.namespace, repo.name)
        return services.git.receive_pack(repo.id, body, hook=services.files.hook(actor, repo))

    def _lfs(self, actor: Actor, repo: Repo, operation: str) -> dict[str, object]:
        """The answer of `git-lfs-authenticate` (git-lfs, docs/api/server-discovery.md): where to go, and a credential for a while."""
        secret = self._passes.make(actor, repo.id, operation)
        return {
            "href": f"{self._web}/{KINDS[RepoKind(repo.kind)].prefix}{repo.full_name}.git/info/lfs",
            "header": {"Authorization": f"Bearer {secret}"},
            "expires_in": PASS_SECONDS,
        }


def _say(process: Process, text: str) -> None:
    process.stderr.write(f"hubtalk: {text.strip()}\n".encode())

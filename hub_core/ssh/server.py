"""The SSH server: public keys only, no shell, no forwarding; every channel is one Git command."""

from __future__ import annotations

import asyncio
import logging
from asyncio import to_thread

import asyncssh

from hub_core.authz import Actor
from hub_core.errors import Unauthenticated
from hub_core.http.lfs_passes import LfsPasses
from hub_core.services import Services
from hub_core.signing import UrlSigner, load_key
from hub_core.ssh.session import GitSession, Process
from hub_core.storage import BlobStore

log = logging.getLogger(__name__)

_HOST_KEY = "system/ssh-host-key"
_LOGIN_SECONDS = 30
_KEEPALIVE_SECONDS = 60
MAX_COMMANDS = 64


class SshServer:
    """Git over SSH for one hub. `start` and `close` are called on the event loop that serves HTTP."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._room = asyncio.Semaphore(MAX_COMMANDS)

    async def start(self) -> int:
        """Listen; returns the port.

        Raises:
            OSError: the port is taken.
        """
        services, settings = self._services, self._services.settings
        signer = UrlSigner(await to_thread(load_key, services.blobs))
        web = settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"
        session = GitSession(services, LfsPasses(signer, services.sessions), web)

        async def serve(process: Process) -> None:
            actor = process.get_extra_info("connection").get_owner().actor
            async with self._room:
                await session.serve(process, actor)

        self._acceptor = await asyncssh.listen(
            settings.host,
            max(settings.ssh_port, 0),
            server_factory=lambda: _Login(services),
            server_host_keys=[asyncssh.import_private_key(await to_thread(host_key, services.blobs))],
            process_factory=serve,
            encoding=None,
            config=[],
            allow_pty=False,
            line_editor=False,
            agent_forwarding=False,
            x11_forwarding=False,
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            login_timeout=_LOGIN_SECONDS,
            keepalive_interval=_KEEPALIVE_SECONDS,
        )
        return int(self._acceptor.get_port())

    async def close(self) -> None:
        """Stop listening and end the connections."""
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()


class _Login(asyncssh.SSHServer):
    """One connection: whose key it was opened with. The user name in the address says nothing."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.actor = Actor(channel="ssh")

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002
        """Nobody comes in without a key."""
        return True

    def public_key_auth_supported(self) -> bool:
        """Keys are the one way."""
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        """Whether the key belongs to somebody. asyncssh checks the signature after this; the last key asked about is the one that opened."""
        try:
            self.actor = await to_thread(self._services.ssh_keys.authenticate_key, key.get_fingerprint())
        except Unauthenticated:
            return False
        return True


def host_key(blobs: BlobStore) -> bytes:
    """The hub's host key in OpenSSH form, made at first use and shared by all nodes."""
    made = asyncssh.generate_private_key("ssh-ed25519").export_private_key()
    blobs.put(_HOST_KEY, [made], if_absent=True)
    return blobs.read(_HOST_KEY)

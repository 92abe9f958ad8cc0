"""Which repo an LFS request may use: by the sender's own right, or by an address that the hub signed for somebody."""

from __future__ import annotations

from starlette.requests import Request

from hub_core.authz import SYSTEM, Actor, Permission
from hub_core.errors import Unauthenticated
from hub_core.http.paths import repo_name
from hub_core.http.threads import in_thread
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services
from hub_core.signing import UrlSigner


class LfsAccess:
    """Looks up the repo of a request."""

    def __init__(self, services: Services, signer: UrlSigner) -> None:
        self._services = services
        self._signer = signer

    async def repo(self, request: Request, actor: Actor, kind: RepoKind, permission: Permission) -> Repo:
        """The repo in the path, with `permission` checked."""
        return await in_thread(self.find, request, actor, kind, permission)

    def find(self, request: Request, actor: Actor, kind: RepoKind, permission: Permission) -> Repo:
        """`repo`, in the thread of the caller."""
        namespace, name = request.path_params["namespace"], repo_name(request.path_params["name"])
        return self._services.repos.open_repo(actor, kind, namespace, name, permission)

    async def pushed(self, request: Request, actor: Actor, kind: RepoKind) -> Repo:
        """The repo in the path, of somebody who may push something there: readers to their own pull requests."""
        namespace, name = request.path_params["namespace"], repo_name(request.path_params["name"])
        return await in_thread(self._services.pulls.open_for_push, actor, kind, namespace, name)

    async def signed(self, request: Request, actor: Actor, kind: RepoKind, purpose: str, *facts: object) -> tuple[Repo, int | None]:
        """`find_signed`, in a thread."""
        return await in_thread(self.find_signed, request, actor, kind, purpose, *facts)

    def find_signed(self, request: Request, actor: Actor, kind: RepoKind, purpose: str, *facts: object) -> tuple[Repo, int | None]:
        """The repo of a signed address, and the user it was made for; the repo's id is the first of its facts.

        Raises:
            Unauthenticated: it was not signed by this hub for this.
            PermissionDenied: it has expired, or that user has no right to it any more.
            RepoNotFound: that user may not see it any more.
        """
        permission = Permission.REPO_FILES if purpose == "download" else Permission.REPO_WRITE
        repo = self.find(request, SYSTEM, kind, permission)
        try:
            user_id = self._signer.check(request.query_params, purpose, repo.id, *facts)
        except Unauthenticated:
            # Who may not see the repo hears nothing of signatures, as if it were not there.
            self.find(request, actor, kind, Permission.REPO_READ)
            raise
        # The hub gave this address to somebody with the right to use it; they must have it still.
        person = self._services.sessions.person(user_id, permission)
        self._services.repos.require(
            person, permission, repo, f"{request.path_params['namespace']}/{repo_name(request.path_params['name'])}"
        )
        return repo, user_id

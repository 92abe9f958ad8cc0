"""Running Spaces: the app of a Space is a deployment of its repo; static pages need none and are always there."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from hub_core.authz import Actor, Permission
from hub_core.db import Database
from hub_core.deployments.platform import LOCAL, Platform
from hub_core.deployments.service import DeploymentService, Found
from hub_core.deployments.specs import Asked, Spec
from hub_core.deployments.tables import Deployment, DeploymentRevision
from hub_core.errors import InvalidInput
from hub_core.git import GitStore
from hub_core.repos.access import require_repo
from hub_core.repos.files import FileService
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.spaces.runtime import app_file, stage_at_rest, stage_of
from hub_core.spaces.spec import STATIC, space_card
from hub_core.spaces.workload import space_packages


@dataclass(frozen=True, slots=True)
class SpaceState:
    """How a Space stands.

    Attributes:
        stage: in the words of the Hugging Face Hub: RUNNING, BUILDING, SLEEPING ...
        sdk: what it is made with, by its card.
        run: its deployment; None where it was never run, and for static pages.
        revision: what of it shall run.
        file: the file that starts it, or that is shown first.
    """

    stage: str
    sdk: str
    file: str
    run: Deployment | None = None
    revision: DeploymentRevision | None = None

    @property
    def is_static(self) -> bool:
        """Whether its files are shown as they are, without a program."""
        return self.sdk == STATIC


@dataclass(frozen=True, slots=True)
class Planned:
    """What running a Space would do. `spec` is None where nothing changes; `found` is its deployment, if it has one."""

    state: SpaceState
    spec: Spec | None
    found: Found | None
    name: str = ""

    @property
    def changes(self) -> bool:
        """Whether anything would happen at all."""
        row = self.found.deployment if self.found else None
        return not self.state.is_static and (self.spec is not None or row is None or row.stopped or row.replicas == 0)


class SpaceRuns:
    """Runs Spaces and stops them. The role write on the Space does; who sees the Space may open its app."""

    def __init__(self, db: Database, git: GitStore, files: FileService, platform: Platform, deployments: DeploymentService) -> None:
        self._db = db
        self._git = git
        self._files = files
        self._platform = platform
        self._deployments = deployments

    def state(self, actor: Actor, repo: Repo) -> SpaceState:
        """How a Space stands.

        Raises:
            RepoNotFound: the caller does not see it. GatedRepo: nor what is in its files.
        """
        with self._db.read() as session:
            require_repo(session, actor, Permission.REPO_FILES, repo)
        known = self.known(repo.id)
        if known is not None:
            return known
        if not self._git.branches(repo.id):
            return SpaceState("NO_APP_FILE", "", "")
        commit = self._git.resolve(repo.id, "")
        paths = self._files.paths(actor, repo, commit)
        card = space_card(actor, self._files, repo, paths, commit)
        return SpaceState(stage_at_rest(card, paths), str(card.get("sdk") or ""), app_file(card))

    def known(self, repo_id: int) -> SpaceState | None:
        """How a Space stands that was run; None for others. For callers that have checked who asks."""
        with self._db.read() as session:
            run = session.scalar(sa.select(Deployment).where(Deployment.repo_id == repo_id).order_by(Deployment.id).limit(1))
            revision = session.get(DeploymentRevision, (run.id, run.revision)) if run is not None else None
        if run is None or revision is None:
            return None
        if run.cluster == LOCAL:
            built = space_packages(self._platform, repo_id, revision).installed(self._platform.data_dir)
        else:
            built = not any(one["code"] in ("cannot_install", "cannot_build") for one in run.reasons or ())
        return SpaceState(stage_of(run.status, built=built), revision.runtime, revision.model_path, run, revision)

    def found(self, actor: Actor, repo: Repo, permission: Permission = Permission.DEPLOYMENT_MANAGE) -> Found:
        """The deployment of a Space.

        Raises:
            InvalidInput: it was never run. PermissionDenied: the role write is needed.
        """
        _check_kind(repo)
        state = self.state(actor, repo)
        with self._db.read() as session:
            require_repo(session, actor, permission, repo)
        if state.run is None:
            raise InvalidInput(f"{repo.full_name} does not run.", hint="Run it first.")
        return self._deployments.find(actor, f"{repo.namespace}/{state.run.name}", permission)

    def plan(self, actor: Actor, repo: Repo, hardware: str | None = None) -> Planned:
        """What it would take to run the newest commit of a Space.

        Raises:
            InvalidInput: it has nothing that can be run; the message says what is missing.
            NoRuntime, NoSuchHardware, NotIsolated: it cannot run here.
        """
        _check_kind(repo)
        with self._db.read() as session:
            require_repo(session, actor, Permission.DEPLOYMENT_MANAGE, repo)
        state = self.state(actor, repo)
        if state.is_static and state.run is None:
            return Planned(state, None, None)
        if state.run is None:
            name = _free_name(self._deployments, actor, repo)
            name, spec = self._deployments.plan_deploy(actor, repo, name, Asked(hardware=hardware))
            return Planned(state, spec, None, name)
        found = self.found(actor, repo)
        asked = Asked(revision=repo.default_branch, hardware=hardware, environment={})
        return Planned(state, self._deployments.plan_update(actor, found, asked), found, state.run.name)

    def run(self, actor: Actor, repo: Repo, planned: Planned) -> SpaceState:
        """Run it as planned."""
        found, spec = planned.found, planned.spec
        if found is None and spec is not None:
            self._deployments.deploy(actor, repo, planned.name, spec, on_demand=True)
        elif found is not None:
            if spec is not None:
                self._deployments.roll_out(actor, found, spec)
            if found.deployment.stopped or found.deployment.replicas == 0:
                self._deployments.start(actor, found)
        return self.state(actor, repo)

    def stop(self, actor: Actor, repo: Repo) -> SpaceState:
        """Stop it until somebody runs it again.

        Raises:
            InvalidInput: it was never run, or is static pages.
        """
        self._deployments.stop(actor, self.found(actor, repo))
        return self.state(actor, repo)

    def restart(self, actor: Actor, repo: Repo) -> SpaceState:
        """Run its newest commit, in any case anew."""
        planned = self.plan(actor, repo)
        if planned.found is None or planned.spec is not None:
            return self.run(actor, repo, planned)
        self._deployments.restart(actor, planned.found)
        return self.state(actor, repo)

    def keep_awake(self, actor: Actor, repo: Repo, *, awake: bool) -> SpaceState:
        """Whether it goes on when nobody asks any more."""
        self._deployments.set_on_demand(actor, self.found(actor, repo), on_demand=not awake)
        return self.state(actor, repo)

    def logs(self, actor: Actor, repo: Repo, lines: int) -> dict[str, str]:
        """The last lines that its app wrote, by `revision/copy`. Needs the role write."""
        found = self.found(actor, repo)
        return self._deployments.logs(actor, found.view.name, lines)


def app_path(repo: Repo) -> str:
    """Where the app of a Space is opened, at the hub's address."""
    return f"/spaces/{repo.full_name}/app"


def _check_kind(repo: Repo) -> None:
    if repo.kind != RepoKind.SPACE:
        raise InvalidInput(f"{repo.full_name} is a {repo.kind}; only Spaces have apps.", hint="Name a Space.")


def _free_name(deployments: DeploymentService, actor: Actor, repo: Repo) -> str:
    """Its own name, or one like it where a deployment of a model has that."""
    taken = {view.name.lower() for view in deployments.list_deployments(actor, owner=repo.namespace, limit=1000).items}
    names = (repo.name, f"{repo.name}-space", *(f"{repo.name}-space-{n}" for n in range(2, 100)))
    return next((name for name in names if f"{repo.namespace}/{name}".lower() not in taken), repo.name)

"""What people do with deployments: each call changes what shall run, in one transaction; the reconciler makes it so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts.lookup import fold, locked
from hub_core.accounts.tables import Namespace
from hub_core.accounts.views import Page
from hub_core.authz import SYSTEM, Actor, Permission, Visibility, require_scope
from hub_core.budgets.service import BudgetService
from hub_core.clusters.reasons import because
from hub_core.db import Database, utcnow
from hub_core.deployments.access import called_deployment, deployment_not_found, find_deployment, require_deployment, visible_deployments
from hub_core.deployments.costs import per_hour, price_of
from hub_core.deployments.platform import Platform
from hub_core.deployments.reasons import TAKEN_UP, reason_values, tell
from hub_core.deployments.specs import Asked, Spec, Specs
from hub_core.deployments.tables import Deployment, DeploymentRevision, Status
from hub_core.deployments.traffic import ALL
from hub_core.deployments.views import DeploymentView, deployment_view, full_name, revision_view, split_views
from hub_core.errors import AlreadyExists, InvalidInput
from hub_core.git import GitStore
from hub_core.names import check_repo_name
from hub_core.repos.access import require_repo
from hub_core.repos.files import FileService
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.running_errors import ClusterUnavailable, NothingToRollBack
from hub_core.spaces.building import build_logs

MAX_REPLICAS = 32

Change = Callable[[Session, Deployment, Repo], Mapping[str, Any]]
"""Changes the row; returns what the audit trail tells of it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A deployment that a caller named, with the permission checked: rows for looking, and what people see."""

    deployment: Deployment
    repo: Repo
    view: DeploymentView


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment that a request is for: as little as it takes, for it is looked up for every request."""

    deployment: Deployment
    name: str


class DeploymentService:
    """Deployments. The role write on the model's repo manages them; showing one to more people needs admin."""

    def __init__(self, db: Database, git: GitStore, files: FileService, platform: Platform) -> None:
        self._db = db
        self._platform = platform
        self._budgets = BudgetService(db, platform.hardware.currency)
        self._specs = Specs(git, files, platform)

    # -- looking ---------------------------------------------------------------------------------------------------

    def find(self, actor: Actor, said: str, permission: Permission = Permission.DEPLOYMENT_USE) -> Found:
        """The deployment that `said` names (`namespace/name`, a bare name or its number), with `permission` checked.

        Raises:
            DeploymentNotFound, AmbiguousDeployment, PermissionDenied, Unauthenticated.
        """
        with self._db.read() as session:
            deployment, repo = find_deployment(session, actor, said)
            access = require_deployment(session, actor, permission, deployment, repo, said)
            numbers = sa.select(DeploymentRevision).where(DeploymentRevision.deployment_id == deployment.id)
            rows = session.scalars(numbers.order_by(DeploymentRevision.number.desc()).limit(20)).all()
            return Found(deployment, repo, self._view(session, deployment, repo, str(access.role), tuple(map(revision_view, rows))))

    def target(self, actor: Actor, said: str) -> Target:
        """The deployment that a request names; raises like `find`."""
        deployment, repo = called_deployment(self._db, actor, said)  # finds what the caller may use, and nothing else
        if repo.kind == RepoKind.SPACE:  # its app answers people, not those who ask models
            raise deployment_not_found(said)
        return Target(deployment, full_name(deployment, repo))

    def list_deployments(
        self, actor: Actor, *, owner: str | None = None, status: str | None = None, kind: RepoKind | None = None,
        cursor: int | None = None, limit: int = 20,
    ) -> Page[DeploymentView]:  # fmt: skip
        """Deployments that the caller may see, newest first; with `kind` only those of repos of that kind."""
        query = sa.select(Deployment, Repo).join(Repo, Repo.id == Deployment.repo_id).where(visible_deployments(actor))
        query = query.order_by(Deployment.id.desc()).limit(limit + 1)
        if owner:
            query = query.where(Repo.namespace == fold(owner))
        if kind is not None:
            query = query.where(Repo.kind == kind)
        if status:
            query = query.where(Deployment.status == status)
        if cursor is not None:
            query = query.where(Deployment.id < cursor)
        with self._db.read() as session:
            rows = session.execute(query).all()
            views = [self._view(session, deployment, repo) for deployment, repo in rows[:limit]]
        return Page(views, str(rows[limit - 1][0].id) if len(rows) > limit else None)

    def logs(self, actor: Actor, said: str, lines: int) -> dict[str, str]:
        """The last lines that the copies of a deployment wrote, by `revision/copy`; of an image that is not built yet, those of its build.

        Raises:
            ClusterUnavailable: its cluster does not answer. And as `find`.
        """
        found = self.find(actor, said, Permission.DEPLOYMENT_MANAGE)
        row = found.deployment
        numbers = dict.fromkeys(number for number in (row.revision, row.base, row.serving) if number is not None)
        cluster = self._cluster(row.cluster)
        return build_logs(self._db, row, lines) | {
            f"{number}/{copy}": text
            for number in numbers
            for copy, text in cluster.logs(workload_name(row.id, number), lines).items()
        }  # fmt: skip

    # -- deploying -------------------------------------------------------------------------------------------------

    def plan_deploy(self, actor: Actor, repo: Repo, name: str | None, asked: Asked) -> tuple[str, Spec]:
        """Name and spec of a new deployment of a repo.

        Raises:
            AlreadyExists, InvalidName, InvalidInput: the name cannot be had. And as `Specs.work_out`.
        """
        with self._db.read() as session:
            require_repo(session, actor, Permission.DEPLOYMENT_MANAGE, repo)
            clean = _clean(name or repo.name, repo)
            _check_free(session, repo, clean)
        return clean, self._specs.work_out(actor, repo, asked)

    def deploy(
        self, actor: Actor, repo: Repo, name: str, spec: Spec, replicas: int = 1, visibility: Visibility = Visibility.PRIVATE,
        *, on_demand: bool = False,
    ) -> DeploymentView:  # fmt: skip
        """Write down that it shall run. `on_demand`: it goes to sleep when nobody asks any more. Raises like `plan_deploy`."""
        check_replicas(replicas)
        now = utcnow()
        with self._db.write() as session:
            require_repo(
                session, actor, Permission.REPO_ADMIN if visibility is not Visibility.PRIVATE else Permission.DEPLOYMENT_MANAGE, repo
            )
            session.execute(locked(sa.select(Namespace.id).where(Namespace.id == repo.namespace_id)))
            _check_free(session, repo, name)
            if replicas and spec.hardware.price:
                self._budgets.check(repo.namespace_id, session)
            row = Deployment(
                repo_id=repo.id, name=name, key=name.lower(), visibility=str(visibility), cluster=spec.cluster, revision=1,
                replicas=replicas, on_demand=on_demand or replicas == 0, requested_at=now, status=Status.QUEUED if replicas else Status.SLEEPING, serving=None,
                base=None, traffic=ALL, min_replicas=None, max_replicas=None, created_by=actor.user_id, created_at=now, updated_at=now,
                **reason_values(TAKEN_UP),
            )  # fmt: skip
            session.add(row)
            session.flush()
            session.add(_revision(actor, row.id, 1, spec, None))
            session.flush()
            told = {"hardware": str(spec.hardware), "runtime": spec.runtime.name, "commit": spec.commit, "replicas": replicas}
            audit.record(session, actor, "deployment.create", full_name(row, repo), repo_id=repo.id, visibility=row.visibility, **told)
            view = self._view(session, row, repo)
        self._platform.changed.set()
        return view

    def plan_update(self, actor: Actor, found: Found, asked: Asked) -> Spec | None:
        """The spec that an update would roll out; None when it stays as it is. Raises like `Specs.work_out`."""
        with self._db.read() as session:
            now = _current(session, found.deployment)
        # Without a revision it stays at its commit: what the branch has by now is another matter.
        spec = self._specs.work_out(
            actor,
            found.repo,
            Asked(
                revision=asked.revision or now.commit,
                hardware=asked.hardware or now.hardware,
                runtime=asked.runtime or (now.runtime if not asked.hardware else None),
                environment=now.environment if asked.environment is None else asked.environment,
            ),
        )
        spec = replace(spec, said=asked.revision or now.said)
        same = (spec.commit, str(spec.hardware), spec.runtime.name, dict(spec.environment)) == (
            now.commit, now.hardware, now.runtime, now.environment,
        )  # fmt: skip
        return None if same else spec

    def roll_out(self, actor: Actor, found: Found, spec: Spec, traffic: int = ALL) -> DeploymentView:
        """Make a new revision the current one. The old one answers until the new one does.

        Args:
            traffic: per cent of the requests for the new one; with less than all, the old one goes on running for the rest.

        Raises:
            InvalidInput: the share cannot be had.
        """
        if not 0 < traffic <= ALL:
            raise InvalidInput("A new revision gets 1 to 100 per cent of the requests.")
        if traffic < ALL and spec.cluster != found.deployment.cluster:
            raise InvalidInput(
                "Two revisions share the requests within one cluster only.", hint="Roll it out at once, or on other hardware."
            )

        def change(session: Session, row: Deployment, _repo: Repo) -> dict[str, Any]:
            number = _newest(session, row.id) + 1
            # What answers keeps the rest: that is an older one where the current one never came to answer.
            stays = row.base or row.serving or row.revision if traffic < ALL else None
            session.add(_revision(actor, row.id, number, spec, stays or row.base or row.revision))
            before, row.revision, row.cluster, row.base, row.traffic = row.revision, number, spec.cluster, stays, traffic
            told = {"from": before, "to": number, "hardware": str(spec.hardware), "runtime": spec.runtime.name, "commit": spec.commit}
            return told | ({"traffic": traffic} if stays else {})

        return self._change(actor, found, "deployment.update", change)

    def shift(self, actor: Actor, found: Found, traffic: int) -> DeploymentView:
        """Give the newer of two revisions another share of the requests. All completes the roll-out, none takes it back.

        Raises:
            InvalidInput: the share cannot be had, or there are no two revisions.
        """
        if not 0 <= traffic <= ALL:
            raise InvalidInput("A revision gets 0 to 100 per cent of the requests.")

        def change(_session: Session, row: Deployment, _repo: Repo) -> dict[str, Any]:
            if row.base is None:
                raise InvalidInput(
                    f"{found.view.name} has no two revisions that share the requests.", hint="Name the revision to roll out."
                )
            told = {"revision": row.revision, "before": row.traffic, "after": traffic, "older": row.base}
            _share(row, traffic)
            return told

        return self._change(actor, found, "deployment.traffic", change)

    def previous(self, found: Found) -> DeploymentRevision:
        """The revision that a rollback goes to: what ran before the current one, or runs beside it.

        Raises:
            NothingToRollBack: there is none.
        """
        row = found.deployment
        with self._db.read() as session:
            before = row.base or _current(session, row).after
            query = sa.select(DeploymentRevision).where(
                DeploymentRevision.deployment_id == row.id, DeploymentRevision.number < row.revision
            )
            query = query.where(DeploymentRevision.number == before) if before else query.order_by(DeploymentRevision.number.desc())
            revision = session.scalar(query.limit(1))
        if revision is None:
            raise NothingToRollBack(f"{found.view.name} has one revision only.", hint="There is nothing before it.")
        return revision

    def roll_back(self, actor: Actor, found: Found) -> DeploymentView:
        """Run what ran before, as a new revision; a second rollback so takes the first one back. Raises like `previous`.

        In the middle of a roll-out the older revision, which still runs, takes all requests.
        """
        before = self.previous(found)

        def change(session: Session, row: Deployment, _repo: Repo) -> dict[str, Any]:
            current = row.revision
            if row.base is not None:
                _share(row, 0)
                return {"from": current, "to": row.revision}
            columns = {column.key: getattr(before, column.key) for column in sa.inspect(DeploymentRevision).columns}
            number = _newest(session, row.id) + 1
            new = {"number": number, "after": current, "created_by": actor.user_id, "created_at": utcnow()}
            session.add(DeploymentRevision(**columns | new))
            row.revision = number
            return {"from": current, "to": number, "as": before.number}

        return self._change(actor, found, "deployment.rollback", change)

    # -- running ---------------------------------------------------------------------------------------------------

    def start(self, actor: Actor, found: Found) -> DeploymentView:
        """Run it again after a stop."""

        def change(_session: Session, row: Deployment, _repo: Repo) -> dict[str, Any]:
            row.stopped = False
            row.replicas = max(row.replicas, 1)
            row.status, row.requested_at = Status.QUEUED, utcnow()
            tell(row, TAKEN_UP)
            return {"replicas": row.replicas}

        return self._change(actor, found, "deployment.start", change)

    def stop(self, actor: Actor, found: Found) -> DeploymentView:
        """Stop it until somebody starts it; no request wakes it."""

        def change(_session: Session, row: Deployment, _repo: Repo) -> dict[str, Any]:
            row.stopped = True
            _answers_no_more(row, Status.STOPPED)
            return {}

        return self._change(actor, found, "deployment.stop", change)

    def restart(self, actor: Actor, found: Found) -> DeploymentView:
        """End what runs and start it anew; a deployment that is stopped or failed is started."""

        def change(_session: Session, row: Deployment, _repo: Repo) -> dict[str, Any]:
            row.restarts += 1
            row.stopped, row.replicas, row.requested_at = False, max(row.replicas, 1), utcnow()
            _answers_no_more(row, Status.STARTING)
            return {}

        return self._change(actor, found, "deployment.restart", change)

    def scale(self, actor: Actor, found: Found, replicas: int, maximum: int | None = None) -> DeploymentView:
        """Run so many copies. 0 lets it sleep until a request wakes one copy, which goes back to sleep when nobody asks any more.

        Args:
            maximum: the number of copies follows the requests, from `replicas` up to so many; with 0 it goes on running while it is asked.
        """
        check_replicas(replicas, maximum)

        def change(_session: Session, row: Deployment, _repo: Repo) -> dict[str, Any]:
            before = row.replicas
            row.on_demand = replicas == 0
            row.min_replicas, row.max_replicas = (None, None) if maximum is None else (replicas, maximum)
            row.replicas = replicas if maximum is None else max(replicas, min(before, maximum))
            row.needed_at = row.requested_at = utcnow()
            if row.replicas == 0 and not row.stopped:
                _answers_no_more(row, Status.SLEEPING)
            elif row.replicas:
                if row.stopped or before == 0:
                    row.status = Status.QUEUED
                    tell(row, TAKEN_UP)
                row.stopped = False
            return {"before": before, "after": row.replicas} | ({} if maximum is None else {"least": replicas, "most": maximum})

        return self._change(actor, found, "deployment.scale", change)

    def set_on_demand(self, actor: Actor, found: Found, *, on_demand: bool) -> DeploymentView:
        """Whether it goes to sleep when nobody asks any more; one that sleeps and shall not is woken."""

        def change(_session: Session, row: Deployment, _repo: Repo) -> dict[str, Any]:
            row.on_demand, row.requested_at = on_demand, utcnow()
            if not on_demand and row.replicas == 0:
                row.replicas = 1
            return {"on_demand": on_demand}

        return self._change(actor, found, "deployment.sleep", change)

    def set_visibility(self, actor: Actor, found: Found, visibility: Visibility) -> DeploymentView:
        """Set who may use it. Needs the role admin."""

        def change(_session: Session, row: Deployment, _repo: Repo) -> dict[str, Any]:
            before, row.visibility = row.visibility, str(visibility)
            return {"before": before, "after": row.visibility}

        return self._change(actor, found, "deployment.visibility", change, Permission.REPO_ADMIN)

    def delete(self, actor: Actor, found: Found) -> None:
        """End it and forget it with its revisions; the model stays."""
        with self._db.write() as session:
            row, repo = self._locked(session, actor, found, Permission.DEPLOYMENT_MANAGE)
            current = _current(session, row)
            told = {"hardware": current.hardware, "runtime": current.runtime, "commit": current.commit, "replicas": row.replicas}
            audit.record(session, actor, "deployment.delete", full_name(row, repo), repo_id=repo.id, **told)
            session.delete(row)
        self._platform.changed.set()

    def wake(self, deployment_id: int) -> None:
        """A request came for a deployment that sleeps: run one copy.

        Raises:
            BudgetSpent: nothing is left of its owner's budget.
        """
        with self._db.write() as session:
            row = session.get(Deployment, deployment_id, with_for_update=True, populate_existing=True)
            if row is None or row.stopped or row.replicas > 0 or not row.on_demand:
                return
            row.replicas, row.status, row.requested_at = 1, Status.STARTING, utcnow()
            tell(row, because("woken"))
            repo = session.get_one(Repo, row.repo_id)
            if per_hour(session, self._platform.hardware, row):
                self._budgets.check(repo.namespace_id, session, open_to_all=True)
            audit.record(session, SYSTEM, "deployment.wake", full_name(row, repo), repo_id=row.repo_id)
        self._platform.changed.set()

    def touch(self, deployment_id: int, at: dt.datetime) -> None:
        """Note that a request came; the gateway calls it now and then, not for each."""
        statement = sa.update(Deployment).where(Deployment.id == deployment_id).values(requested_at=at)
        with self._db.write() as session:
            session.execute(statement, execution_options={"synchronize_session": False})

    # -- the common parts ------------------------------------------------------------------------------------------

    def _change(
        self, actor: Actor, found: Found, action: str, change: Change, permission: Permission = Permission.DEPLOYMENT_MANAGE
    ) -> DeploymentView:
        with self._db.write() as session:
            row, repo = self._locked(session, actor, found, permission)
            before = per_hour(session, self._platform.hardware, row)
            told = change(session, row, repo)
            row.updated_at = utcnow()
            session.flush()
            if per_hour(session, self._platform.hardware, row) > before:
                self._budgets.check(repo.namespace_id, session)
            if not row.stopped:
                row.stopped_why = []
            audit.record(session, actor, action, full_name(row, repo), repo_id=repo.id, **told)
            view = self._view(session, row, repo)
        self._platform.changed.set()
        return view

    def _locked(self, session: Session, actor: Actor, found: Found, permission: Permission) -> tuple[Deployment, Repo]:
        row = session.scalar(locked(sa.select(Deployment).where(Deployment.id == found.deployment.id)))
        repo = session.get(Repo, row.repo_id) if row else None
        if row is None or repo is None:
            raise deployment_not_found(found.view.name)
        require_deployment(session, actor, permission, row, repo, found.view.name)
        require_scope(actor, Permission.DEPLOYMENT_MANAGE)
        return row, repo

    def _cluster(self, name: str) -> Any:
        cluster = self._platform.clusters.get(name)
        if cluster is None:
            raise ClusterUnavailable(f"The cluster '{name}' is not one of this hub's any more.", hint="Ask an administrator.")
        return cluster

    def _view(self, session: Session, row: Deployment, repo: Repo, role: str = "", revisions: Any = ()) -> DeploymentView:
        current = _current(session, row)
        catalogue, older = self._platform.hardware, session.get(DeploymentRevision, (row.id, row.base)) if row.base is not None else None
        prices = (price_of(catalogue, current.hardware), price_of(catalogue, older.hardware) if older else 0.0)
        split = split_views(row, current, older, prices)
        return deployment_view(row, repo, current, prices[0], catalogue.currency, role, revisions, split)


def workload_name(deployment_id: int, revision: int) -> str:
    """The name of a revision's workload in its cluster: it follows from what it is."""
    return f"d{deployment_id}-r{revision}"


def check_replicas(replicas: int, maximum: int | None = None) -> None:
    """Raise InvalidInput for numbers of copies that cannot be had."""
    if not 0 <= replicas <= MAX_REPLICAS or (maximum is not None and not 0 <= maximum <= MAX_REPLICAS):
        raise InvalidInput(f"A deployment has 0 to {MAX_REPLICAS} copies.")
    if maximum is not None and maximum < max(1, replicas):
        raise InvalidInput(f"Between {replicas} and {maximum} copies is nothing.", hint="The larger number comes last, and is at least 1.")


def _clean(name: str, repo: Repo) -> str:
    namespace, slash, rest = name.strip().rpartition("/")
    if slash and namespace.lower() != repo.namespace:
        raise InvalidInput(
            f"A deployment of {repo.full_name} belongs to '{repo.namespace}'.", hint="Leave the namespace out, or fork the model first."
        )
    return check_repo_name(rest)


def _check_free(session: Session, repo: Repo, name: str) -> None:
    query = sa.select(Deployment.name).join(Repo, Repo.id == Deployment.repo_id)
    query = query.where(Deployment.key == name.lower(), Repo.namespace_id == repo.namespace_id)
    if session.scalar(query.limit(1)) is not None:
        raise AlreadyExists(
            f"There is a deployment {repo.namespace}/{name} already.", hint="Give another name, or update or start that one.", name=name
        )


def _revision(actor: Actor, deployment_id: int, number: int, spec: Spec, after: int | None) -> DeploymentRevision:
    return DeploymentRevision(
        deployment_id=deployment_id, number=number, commit=spec.commit, said=spec.said, hardware=str(spec.hardware),
        runtime=spec.runtime.name, paths=list(spec.paths), model_path=spec.model_path, task=spec.task, memory=spec.memory,
        environment=dict(spec.environment), options=dict(spec.options), after=after, created_by=actor.user_id, created_at=utcnow(),
    )  # fmt: skip


def _current(session: Session, row: Deployment) -> DeploymentRevision:
    return session.get_one(DeploymentRevision, (row.id, row.revision))


def _newest(session: Session, deployment_id: int) -> int:
    newest = sa.select(sa.func.max(DeploymentRevision.number)).where(DeploymentRevision.deployment_id == deployment_id)
    return session.scalar(newest) or 0


def _share(row: Deployment, traffic: int) -> None:
    """Another share for the newer of two revisions; the last of its requests goes with none, the older revision with all."""
    row.routes = []
    if traffic in (0, ALL):
        row.revision, row.base, row.traffic = row.revision if traffic else row.base or row.revision, None, ALL
    else:
        row.traffic = traffic


def _answers_no_more(row: Deployment, status: Status) -> None:
    """From this moment no request goes there, whatever the cluster still has to do."""
    row.status, row.ready, row.endpoints, row.routes = status, 0, [], []
    tell(row, "")

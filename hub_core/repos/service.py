"""Life of a repo: create, describe, show to more or fewer people, move, fork, delete, restore."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts.namespaces import live_namespace, namespace_to_create_in
from hub_core.accounts.tables import Namespace
from hub_core.authz import Actor, Permission, Visibility, require_scope
from hub_core.db import Database, utcnow
from hub_core.errors import AlreadyExists, Conflict, HubError, InvalidInput, InvalidName, NotFound, RevisionNotFound
from hub_core.gating.tables import Gating
from hub_core.git import Author, FileChange, GitStore, RefsApply, RefsChange, RefUpdate
from hub_core.lfs.service import LfsService
from hub_core.names import RepoId, check_repo_name, parse_repo_id
from hub_core.quotas import used
from hub_core.repos.access import repo_not_found, require_repo
from hub_core.repos.cards import read_card
from hub_core.repos.kinds import RepoKind
from hub_core.repos.lookup import find_repo, live_repos, redirect_target, split_kind
from hub_core.repos.seed import INITIAL_MESSAGE, initial_files
from hub_core.repos.sync import apply_card
from hub_core.repos.tables import LineageEdge, Repo, RepoRedirect, RepoTag
from hub_core.repos.view import RepoView, live_views, repo_views
from hub_core.settings import Settings
from hub_core.spaces.tables import copy_variables

Also = Callable[[Session, Repo], None]
Fill = Callable[[Repo], Mapping[str, bytes]]
HUB_AUTHOR = Author("hubtalk", "hub@localhost")
MAX_DESCRIPTION = 2000
NEVER_SEEN = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class RepoService:
    """Everything about the repo as a thing; its files are `FileService`'s."""

    def __init__(self, db: Database, git: GitStore, lfs: LfsService, settings: Settings) -> None:
        self._db = db
        self._git = git
        self._lfs = lfs
        self._settings = settings

    # -- finding ---------------------------------------------------------------------------------------------------

    def find(
        self, actor: Actor, said: str, kind: RepoKind | None = None, *, permission: Permission = Permission.REPO_READ, deleted: bool = False
    ) -> Repo:
        """The repo that `said` names, with `permission` checked.

        Raises:
            RepoNotFound, AmbiguousRepo, PermissionDenied, Unauthenticated.
        """
        with self._db.read() as session:
            repo = find_repo(session, actor, said, kind, deleted=deleted)
            require_repo(session, actor, permission, repo, said)
            return repo

    def open_by_id(self, actor: Actor, repo_id: int, permission: Permission) -> Repo:
        """The repo of a number that the hub itself wrote down, with `permission` checked; raises like `find`."""
        with self._db.read() as session:
            repo = session.get(Repo, repo_id)
            if repo is None or repo.deleted_at is not None:
                raise repo_not_found(str(repo_id))
            require_repo(session, actor, permission, repo)
            return repo

    def open_repo(self, actor: Actor, kind: RepoKind, namespace: str, name: str, permission: Permission) -> Repo:
        """The repo at an HTTP path (following redirects of renames), with `permission` checked; raises like `find`."""
        said = f"{namespace}/{name}"
        try:
            wanted = parse_repo_id(said)
        except InvalidName:
            raise repo_not_found(said) from None
        with self._db.read() as session:
            found = live_repos(session, wanted, kind)
            repo = found[0] if found else redirect_target(session, wanted.namespace, wanted.name, kind)
            if repo is None:
                raise repo_not_found(said)
            require_repo(session, actor, permission, repo, said)
            return repo

    def require(self, actor: Actor, permission: Permission, repo: Repo, said: str) -> None:
        """Check a permission on a repo that was found for somebody else; raises like `find`."""
        with self._db.read() as session:
            require_repo(session, actor, permission, repo, said)

    def numbered(self, actor: Actor, repo_id: int, permission: Permission = Permission.REPO_READ) -> Repo:
        """The live repo of that number, with `permission` checked; raises like `find`."""
        with self._db.read() as session:
            repo = session.get(Repo, repo_id) if 0 < repo_id < 2**31 else None
            if repo is None or repo.deleted_at is not None:
                raise repo_not_found(str(repo_id))
            require_repo(session, actor, permission, repo, str(repo_id))
            return repo

    def get(self, actor: Actor, said: str, kind: RepoKind | None = None, *, deleted: bool = False) -> RepoView:
        """A repo's facts; raises like `find`."""
        bare, named = split_kind(said.strip(), kind)
        if "/" in bare and not deleted:
            with self._db.connection() as connection:
                found = live_views(connection, actor, bare, named)
            if len(found) == 1:
                return found[0]
        # A bare name, an old name, a name in the trash, several or none.
        with self._db.read() as session:
            repo = find_repo(session, actor, said, kind, deleted=deleted)
            role = require_repo(session, actor, Permission.REPO_READ, repo, said).role
            return repo_views(session, [repo], actor.user_id, {repo.id: str(role)})[0]

    # -- making ----------------------------------------------------------------------------------------------------

    def plan_create(self, actor: Actor, name: str, kind: RepoKind) -> RepoId:
        """Where a repo would be made; a bare name goes to the caller's own namespace.

        Raises:
            InvalidName, AlreadyExists, PermissionDenied, NotFound: it cannot be made there.
        """
        require_scope(actor, Permission.REPO_CREATE)
        repo_id = parse_repo_id(name) if "/" in name else RepoId(actor.username, check_repo_name(name))
        with self._db.read() as session:
            namespace_to_create_in(session, actor, repo_id.namespace)
            self._check_free(session, repo_id, kind)
        return repo_id

    def create(
        self,
        actor: Actor,
        name: str,
        kind: RepoKind,
        visibility: Visibility = Visibility.PRIVATE,
        description: str = "",
        license: str = "",  # noqa: A002
        *,
        sdk: str = "",
        fill: Fill | None = None,
        message: str = INITIAL_MESSAGE,
        also: Also | None = None,
    ) -> RepoView:
        """Make a repo with one first commit on `main`; raises like `plan_create`. `sdk` is what a Space is made with.

        Args:
            fill: gives what else is in that first commit; large contents were put into LFS for the repo that it is called with.
            also: acts in the transaction in which the repo appears.
        """
        repo_id = self.plan_create(actor, name, kind)
        with self._db.write() as session:
            namespace = namespace_to_create_in(session, actor, repo_id.namespace)
            repo = _new_row(actor, namespace, repo_id.name, kind, visibility)
            repo.description, repo.license = _check_description(description), license
            self._insert(session, repo)
        try:
            self._first_commit(actor, repo, sdk, fill, message, also)
        except BaseException:
            # The row without its first commit would be a half-made repo.
            with self._db.write() as session:
                session.execute(sa.delete(Repo).where(Repo.id == repo.id))
            raise
        return self.get(actor, f"{kind}:{repo.full_name}")

    def _first_commit(self, actor: Actor, repo: Repo, sdk: str, fill: Fill | None, message: str, also: Also | None) -> None:
        files = initial_files(RepoKind(repo.kind), repo.name, repo.license, sdk) | (dict(fill(repo)) if fill else {})
        changes = [FileChange(path, content) for path, content in files.items()]

        def appear(change: RefsChange) -> RefsApply:
            def inside(session: Session, _applied: Sequence[RefUpdate]) -> None:
                row = self._appear(session, repo)
                row.initial_commit = "" if fill else change.updates[0].new
                if "README.md" in files:
                    apply_card(session, row, read_card(files["README.md"]))
                details = {"kind": row.kind, "visibility": row.visibility}
                audit.record(session, actor, "repo.create", row.full_name, repo_id=row.id, **details)
                if fill is not None:
                    self._lfs.quotas.check(session, row.id, change.size)
                if also is not None:
                    also(session, row)

            return inside

        self._git.commit(repo.id, "main", None, changes, HUB_AUTHOR, message, hook=appear, create=True)

    def _appear(self, session: Session, repo: Repo) -> Repo:
        """Show a repo that was inserted, now that it has what belongs in it.

        Raises:
            AlreadyExists: somebody else was faster.
        """
        row = session.get_one(Repo, repo.id)
        self._check_free(session, RepoId(row.namespace, row.name), RepoKind(row.kind))
        _drop_redirect(session, row.namespace, row.kind, row.name)
        row.deleted_at = None
        _flush_unique(session, row.full_name)
        return row

    def fork(
        self, actor: Actor, said: str, to: str | None = None, visibility: Visibility | None = None, *, also: Also | None = None
    ) -> RepoView:
        """Copy a repo (all refs, LFS objects and variables, no secrets) into a namespace where the caller may create.

        Unless said otherwise the copy is private, or public as its source is; that of a gated repo is gated, and private.
        `also` acts in the transaction in which it appears.
        """
        source = self.find(actor, said, permission=Permission.REPO_FILES)
        target = self.plan_fork(actor, source, to)
        with self._db.write() as session:
            namespace = namespace_to_create_in(session, actor, target.namespace)
            is_open = source.visibility == Visibility.PUBLIC and source.gated == Gating.OFF
            usual = Visibility.PUBLIC if is_open else Visibility.PRIVATE
            visibility = visibility or usual
            repo = _new_row(actor, namespace, target.name, RepoKind(source.kind), visibility)
            for field in ("description", "license", "default_branch", "card", "initial_commit", "gated"):
                setattr(repo, field, getattr(source, field))
            self._insert(session, repo)
            for tag in session.scalars(sa.select(RepoTag).where(RepoTag.repo_id == source.id)):
                session.add(RepoTag(repo_id=repo.id, tag=tag.tag, source=tag.source))
            session.add(LineageEdge(repo_id=repo.id, relation="fork", source=f"{source.kind}:{source.full_name}"))
            self._lfs.quotas.check(session, repo.id, used(session, [source.id])[source.id])

        def appear(session: Session) -> None:
            # Together with the refs: they must never lead to large files that the copy does not hold.
            self._lfs.copy_links(source.id, repo.id, session)
            row = self._appear(session, repo)
            copy_variables(session, source.id, repo.id)
            self._lfs.quotas.check(session, row.id)
            audit.record(session, actor, "repo.fork", row.full_name, repo_id=row.id, source=source.full_name)
            if also is not None:
                also(session, row)

        try:
            self._git.fork(source.id, repo.id, appear)
        except BaseException:
            with self._db.write() as session:
                session.execute(sa.delete(Repo).where(Repo.id == repo.id))
            raise
        return self.get(actor, f"{repo.kind}:{repo.full_name}")

    def plan_fork(self, actor: Actor, source: Repo, to: str | None) -> RepoId:
        """Where a fork would go: `to` is a full id, a bare new name, or a namespace; default the same name in the caller's own."""
        if to and "/" not in to and self._is_namespace(to):
            return self.plan_create(actor, f"{to}/{source.name}", RepoKind(source.kind))
        return self.plan_create(actor, to or source.name, RepoKind(source.kind))

    def _is_namespace(self, name: str) -> bool:
        with self._db.read() as session:
            return session.scalar(sa.select(Namespace.id).where(Namespace.name == name.lower())) is not None

    # -- changing --------------------------------------------------------------------------------------------------

    def check_update(
        self,
        repo: Repo,
        *,
        description: str | None = None,
        license: str | None = None,  # noqa: A002
        default_branch: str | None = None,
    ) -> None:
        """Check new facts without setting them.

        Raises:
            InvalidInput: nothing given, or a text is too long. RevisionNotFound: no such branch.
        """
        if description is None and license is None and default_branch is None:
            raise InvalidInput("Say what to change: the description, the licence or the default branch.")
        _check_description(description or "")
        if default_branch is not None and default_branch not in self._git.branches(repo.id):
            raise RevisionNotFound(f"There is no branch '{default_branch}'.", hint="list_branches shows them.")

    def update(
        self,
        actor: Actor,
        repo: Repo,
        *,
        description: str | None = None,
        license: str | None = None,  # noqa: A002
        default_branch: str | None = None,
    ) -> None:
        """Set the given facts; raises like `check_update`. A later push changes them again where it changes the card."""
        given = {"description": description, "license": license, "default_branch": default_branch}
        changes = {field: value.strip() for field, value in given.items() if value is not None}
        if not changes:
            return
        self.check_update(repo, **changes)
        with self._db.write() as session:
            row = self._row(session, actor, Permission.REPO_WRITE, repo)
            before = {field: getattr(row, field) for field in changes}
            for field, value in changes.items():
                setattr(row, field, value)
            row.refs_version += default_branch is not None
            row.updated_at = utcnow()
            audit.record(session, actor, "repo.update", row.full_name, repo_id=row.id, before=before, after=changes)

    def set_visibility(self, actor: Actor, repo: Repo, visibility: Visibility) -> None:
        """Show the repo to more or fewer people."""
        with self._db.write() as session:
            row = self._row(session, actor, Permission.REPO_ADMIN, repo)
            before, row.visibility = row.visibility, str(visibility)
            audit.record(session, actor, "repo.visibility", row.full_name, repo_id=row.id, before=before, after=str(visibility))

    def plan_move(self, actor: Actor, repo: Repo, new_name: str) -> RepoId:
        """The id a repo would get: a bare name renames it, a namespace or full id transfers it.

        Raises:
            InvalidName, AlreadyExists, PermissionDenied, NotFound.
        """
        if "/" in new_name:
            target = parse_repo_id(new_name.rstrip("/") + (repo.name if new_name.endswith("/") else ""))
        else:
            target = RepoId(repo.namespace, check_repo_name(new_name))
        with self._db.read() as session:
            if target.namespace != repo.namespace:
                namespace_to_create_in(session, actor, target.namespace)
            if (target.namespace, target.name.lower()) != (repo.namespace, repo.key):
                self._check_free(session, target, RepoKind(repo.kind))
        if str(target) == repo.full_name:
            raise InvalidInput("That is already its name.", hint="Give another name.")
        return target

    def move(self, actor: Actor, repo: Repo, new_name: str) -> RepoView:
        """Rename or transfer; the old name leads to the new one until something else takes it."""
        target = self.plan_move(actor, repo, new_name)
        with self._db.write() as session:
            row = self._row(session, actor, Permission.REPO_ADMIN, repo)
            moves = target.namespace != row.namespace
            namespace = namespace_to_create_in(session, actor, target.namespace) if moves else live_namespace(session, target.namespace)
            before = row.full_name
            _drop_redirect(session, target.namespace, row.kind, target.name)
            if (row.namespace, row.key) != (target.namespace, target.name.lower()):
                session.merge(RepoRedirect(namespace=row.namespace, kind=row.kind, key=row.key, repo_id=row.id))
            row.namespace_id, row.namespace, row.name, row.key = namespace.id, target.namespace, target.name, target.name.lower()
            row.updated_at = utcnow()
            audit.record(session, actor, "repo.move", row.full_name, repo_id=row.id, before=before, after=row.full_name)
            _flush_unique(session, str(target))
            if moves:
                self._lfs.quotas.check_owner(session, row.id)
        return self.get(actor, f"{repo.kind}:{target}")

    # -- deleting --------------------------------------------------------------------------------------------------

    def delete(self, actor: Actor, repo: Repo) -> None:
        """Put the repo in the trash; it can be restored for `settings.trash_days` days."""
        with self._db.write() as session:
            row = self._row(session, actor, Permission.REPO_ADMIN, repo)
            if row.deleted_at is None:
                row.deleted_at = utcnow()
                audit.record(session, actor, "repo.delete", row.full_name, repo_id=row.id, kind=row.kind)

    def restore(self, actor: Actor, repo: Repo) -> RepoView:
        """Take the repo out of the trash.

        Raises:
            AlreadyExists: its name was taken meanwhile.
            Conflict: it is not deleted, or too long ago.
        """
        with self._db.write() as session:
            row = self._row(session, actor, Permission.REPO_ADMIN, repo)
            self.check_restorable(row)
            row.deleted_at = None
            audit.record(session, actor, "repo.restore", row.full_name, repo_id=row.id, kind=row.kind)
            _flush_unique(session, row.full_name)
        return self.get(actor, f"{repo.kind}:{repo.full_name}")

    def check_restorable(self, repo: Repo) -> None:
        """Raise Conflict when the repo is not in the trash or its time there is over."""
        if repo.deleted_at is None:
            raise Conflict("This repo is not deleted.", hint="Nothing to restore.")
        if repo.deleted_at < utcnow() - dt.timedelta(days=self._settings.trash_days):
            raise Conflict(f"It was deleted more than {self._settings.trash_days} days ago.", hint="It cannot be restored any more.")

    # -- helpers ---------------------------------------------------------------------------------------------------

    def _row(self, session: Session, actor: Actor, permission: Permission, repo: Repo) -> Repo:
        row = session.get(Repo, repo.id)
        if row is None:
            raise NotFound("The repo is gone.")
        require_repo(session, actor, permission, row)
        return row

    def _check_free(self, session: Session, repo_id: RepoId, kind: RepoKind) -> None:
        taken = session.scalar(
            sa.select(Repo).where(
                Repo.namespace == repo_id.namespace, Repo.kind == kind, Repo.key == repo_id.name.lower(), Repo.deleted_at.is_(None)
            )
        )
        if taken is not None:
            raise _taken(str(repo_id))

    def _insert(self, session: Session, repo: Repo) -> None:
        """Add a repo that nobody sees before `_appear`: what a crash leaves of it looks like something deleted long ago."""
        self._check_free(session, RepoId(repo.namespace, repo.name), RepoKind(repo.kind))
        repo.deleted_at = NEVER_SEEN
        session.add(repo)
        session.flush()


def _taken(name: str) -> HubError:
    return AlreadyExists(f"The name '{name}' is taken.", hint="Choose another name.", repo=name)


def _flush_unique(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise _taken(name) from error


def _drop_redirect(session: Session, namespace: str, kind: str, name: str) -> None:
    session.execute(
        sa.delete(RepoRedirect).where(RepoRedirect.namespace == namespace, RepoRedirect.kind == kind, RepoRedirect.key == name.lower())
    )


def _new_row(actor: Actor, namespace: Namespace, name: str, kind: RepoKind, visibility: Visibility) -> Repo:
    now = utcnow()
    return Repo(
        namespace_id=namespace.id, namespace=namespace.name, name=name, key=name.lower(), kind=str(kind), visibility=str(visibility),
        created_by=actor.user_id, created_at=now, updated_at=now, card={}, description="", license="", default_branch="main",
    )  # fmt: skip


def _check_description(text: str) -> str:
    if len(text) > MAX_DESCRIPTION:
        raise InvalidInput(f"A description has at most {MAX_DESCRIPTION} characters.", hint="Put longer text into README.md.")
    return text.strip()

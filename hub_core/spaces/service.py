"""Variables and secrets of Spaces. Everybody who sees a Space reads its variables; a secret is written and never read back."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts.lookup import locked
from hub_core.authz import Actor, CredentialKind, Permission
from hub_core.db import Database, utcnow
from hub_core.errors import Conflict, HubError, InvalidInput, LimitExceeded, NotFound, PermissionDenied, RepoNotFound
from hub_core.repos.access import require_repo
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.secretbox import SecretBox
from hub_core.spaces.tables import SpaceSetting

MAX_SETTINGS, MAX_VALUE, MAX_DESCRIPTION = 200, 64 * 1024, 1000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True, slots=True)
class Setting:
    """A variable or secret to set. Its value is in no text form of it."""

    name: str
    value: str
    description: str = ""
    secret: bool = False

    def __repr__(self) -> str:
        return f"Setting({self.name!r}, secret={self.secret})"


@dataclass(frozen=True, slots=True)
class SettingView:
    """A variable or secret as people see it; `value` of a secret is None."""

    name: str
    value: str | None
    description: str
    updated_at: dt.datetime


class SpaceService:
    """The environment of Spaces. The role write changes it: who may push code that reads it may set it."""

    def __init__(self, db: Database, box: SecretBox) -> None:
        self._db = db
        self._box = box

    def variables(self, actor: Actor, repo: Repo) -> list[SettingView]:
        """The variables of a Space, by name."""
        return self._listed(actor, repo, Permission.REPO_READ, secret=False)

    def secrets(self, actor: Actor, repo: Repo) -> list[SettingView]:
        """The names of a Space's secrets. Needs the role write."""
        return self._listed(actor, repo, Permission.REPO_WRITE, secret=True)

    def _listed(self, actor: Actor, repo: Repo, permission: Permission, *, secret: bool) -> list[SettingView]:
        query = sa.select(SpaceSetting).where(SpaceSetting.repo_id == repo.id, _kind(secret)).order_by(SpaceSetting.name)
        with self._db.read() as session:
            require_repo(session, actor, permission, repo)
            return [SettingView(row.name, None if secret else row.value, row.description, row.updated_at) for row in session.scalars(query)]

    def check(self, settings: Sequence[Setting]) -> None:
        """Check settings without setting them.

        Raises:
            InvalidInput: a name or a value cannot be had, or a name comes twice.
            NoSecretKey: there are secrets, and the hub has no key to keep them with.
        """
        for setting in settings:
            _check(setting)
        names = [setting.name for setting in settings]
        if len(set(names)) != len(names):
            raise InvalidInput("A name comes twice among the variables and secrets.", hint="They share their names.")
        if any(setting.secret for setting in settings):
            self._box.check()

    def has_secret(self, actor: Actor, repo: Repo, name: str) -> bool:
        """Whether there is a secret of that name, for somebody who may set it.

        Raises:
            InvalidInput: the name cannot be had. Conflict: a variable has it.
        """
        _check_name(name)
        with self._db.read() as session:
            require_repo(session, actor, Permission.REPO_WRITE, repo)
            row = session.get(SpaceSetting, (repo.id, name))
            if row is not None:
                _check_kind(row, secret=True)
            return row is not None

    def set(self, actor: Actor, repo: Repo, settings: Sequence[Setting]) -> None:
        """Set variables and secrets, all or none; a value that is there is replaced.

        Raises:
            PermissionDenied: the role write is needed. Conflict: a variable has the name of a secret, or the other way round.
            InvalidInput, NoSecretKey: see `check`. LimitExceeded: more than 200.
        """
        self.check(settings)
        with self._db.write() as session:
            self._put(session, actor, _space(session, actor, repo), settings)

    def along(self, actor: Actor, settings: Sequence[Setting]) -> Callable[[Session, Repo], None]:
        """What sets checked settings in the transaction that makes the Space."""
        return lambda session, repo: self._put(session, actor, repo, settings)

    def _put(self, session: Session, actor: Actor, repo: Repo, settings: Sequence[Setting]) -> None:
        for setting in settings:
            row = session.get(SpaceSetting, (repo.id, setting.name))
            if row is None:
                row = SpaceSetting(repo_id=repo.id, name=setting.name)
                session.add(row)
            else:
                _check_kind(row, secret=setting.secret)
            row.value = "" if setting.secret else setting.value
            row.sealed = self._box.seal(setting.value, _place(repo.id, setting.name)) if setting.secret else None
            row.description, row.updated_at = setting.description, utcnow()
            session.flush()
            audit.record(
                session, actor, "space.secret" if setting.secret else "space.variable", repo.full_name, repo_id=repo.id, name=setting.name
            )
        count = session.scalar(sa.select(sa.func.count()).select_from(SpaceSetting).where(SpaceSetting.repo_id == repo.id)) or 0
        if count > MAX_SETTINGS:
            raise LimitExceeded(f"A Space has at most {MAX_SETTINGS} variables and secrets.", hint="Remove some first.")

    def remove(self, actor: Actor, repo: Repo, name: str, *, secret: bool) -> None:
        """Remove a variable or a secret.

        Raises:
            NotFound: there is none of that name.
        """
        with self._db.write() as session:
            space = _space(session, actor, repo)
            row = session.get(SpaceSetting, (space.id, name[:200]))
            if row is None or (row.sealed is not None) != secret:
                what = "secret" if secret else "variable"
                raise NotFound(f"This Space has no {what} '{name[:64]}'.", hint="Names differ by upper and lower case.")
            session.delete(row)
            action = "space.secret_removed" if secret else "space.variable_removed"
            audit.record(session, actor, action, space.full_name, repo_id=space.id, name=name)

    def environment(self, actor: Actor, repo: Repo) -> dict[str, str]:
        """All variables and secrets, opened: for the hub itself when it runs the Space, and for nobody else.

        Raises:
            PermissionDenied: a person asks.
            NoSecretKey: a secret cannot be opened.
        """
        if actor.credential is not CredentialKind.SYSTEM:
            raise PermissionDenied("Secrets are written and never read back.", hint="Set it again if it is lost.")
        return self.opened(repo.id)

    def opened(self, repo_id: int) -> dict[str, str]:
        """The same, for what runs Spaces.

        Raises:
            NoSecretKey: a secret cannot be opened.
        """
        with self._db.read() as session:
            rows = session.scalars(sa.select(SpaceSetting).where(SpaceSetting.repo_id == repo_id)).all()
        return {row.name: row.value if row.sealed is None else self._box.open(row.sealed, _place(row.repo_id, row.name)) for row in rows}

    def unreadable(self) -> list[str]:
        """The secrets that this hub's key does not open, as `space: NAME`; for `hubtalk doctor`."""
        query = sa.select(SpaceSetting, Repo).join(Repo, Repo.id == SpaceSetting.repo_id).where(SpaceSetting.sealed.is_not(None))
        with self._db.read() as session:
            rows = session.execute(query.order_by(Repo.id, SpaceSetting.name)).all()
        return [f"{repo.full_name}: {row.name}" for row, repo in rows if not self._opens(row)]

    def _opens(self, row: SpaceSetting) -> bool:
        try:
            self._box.open(row.sealed or b"", _place(row.repo_id, row.name))
        except HubError:
            return False
        return True


def _space(session: Session, actor: Actor, repo: Repo) -> Repo:
    """The row of the Space, locked, if the caller may change it."""
    row: Repo | None = session.scalar(locked(sa.select(Repo).where(Repo.id == repo.id)))
    if row is None:
        raise RepoNotFound("The Space is gone.", hint="Check the name.")
    require_repo(session, actor, Permission.REPO_WRITE, row)
    if row.kind != RepoKind.SPACE:
        raise InvalidInput(f"{row.full_name} is a {row.kind}; only Spaces have variables and secrets.", hint="Name a Space.")
    return row


def _kind(secret: bool) -> sa.ColumnElement[bool]:
    return SpaceSetting.sealed.is_not(None) if secret else SpaceSetting.sealed.is_(None)


def _place(repo_id: int, name: str) -> str:
    return f"space:{repo_id}:{name}"


def _check(setting: Setting) -> None:
    _check_name(setting.name)
    value = setting.value
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value) or len(value.encode()) > MAX_VALUE:
        raise InvalidInput(f"The value of {setting.name} has more than 64 KiB, or characters that no environment can hold.")
    if setting.secret and not value:
        raise InvalidInput(f"The secret {setting.name} is empty.", hint="Remove it instead.")
    if len(setting.description) > MAX_DESCRIPTION or "\0" in setting.description:
        raise InvalidInput(f"A description has at most {MAX_DESCRIPTION} characters.")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            "A variable or secret has a name of letters, digits and '_', at most 128, and no digit first.", hint="For example: API_KEY"
        )


def _check_kind(row: SpaceSetting, *, secret: bool) -> None:
    if (row.sealed is not None) != secret:
        there, wanted = ("variable", "secret") if secret else ("secret", "variable")
        raise Conflict(f"There is a {there} {row.name} already.", hint=f"Remove it first, then set the {wanted}.")

"""Webhooks as people manage them: their own over what they may read, and those of a repo that they administer."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts import policy
from hub_core.accounts.tables import User
from hub_core.authz import Actor, Permission, Scope, require_scope
from hub_core.db import Database, utcnow
from hub_core.errors import AlreadyExists, InvalidInput, LimitExceeded, PermissionDenied, WebhookNotFound
from hub_core.repos.access import require_repo
from hub_core.repos.tables import Repo
from hub_core.secretbox import SecretBox
from hub_core.webhooks.addresses import check_url, listed
from hub_core.webhooks.payload import DOMAINS
from hub_core.webhooks.tables import Webhook, WebhookWatch
from hub_core.webhooks.watching import MAX_WATCHED, Watched, named, resolve

MAX_WEBHOOKS = 100
MAX_SECRET = 256


@dataclass(frozen=True, slots=True)
class WebhookView:
    """A webhook. `secret` is filled for its owner only; `repo` is the one it belongs to; `signed` tells that there is a secret."""

    id: str
    owner: str
    repo: str
    url: str
    watched: list[Watched]
    domains: list[str]
    disabled: bool
    reason: str
    failures: int
    last_at: dt.datetime | None
    last_status: int | None
    last_error: str
    created_at: dt.datetime
    signed: bool
    secret: str | None = field(default=None, repr=False)


class WebhookService:
    """Making, changing and removing webhooks; `hub_core.webhooks.deliver` sends."""

    def __init__(self, db: Database, box: SecretBox, allowed_hosts: str) -> None:
        self._db = db
        self._box = box
        self.allowed = listed(allowed_hosts)

    # -- of a repo -------------------------------------------------------------------------------------------------

    def check_create(self, actor: Actor, repo: Repo, url: str, secret: str = "") -> None:
        """Check what `create_for_repo` would do.

        Raises:
            PermissionDenied: the role is not admin. InvalidInput, UnsafeAddress: the address. AlreadyExists: the repo tells it already.
        """
        check_url(url, self.allowed)
        self._check_secret(secret)
        with self._db.read() as session:
            require_repo(session, actor, Permission.REPO_ADMIN, repo)
            _require_new(session, repo, url)

    def create_for_repo(self, actor: Actor, repo: Repo, url: str, domains: Sequence[str] = DOMAINS, secret: str = "") -> WebhookView:
        """Tell an address of what happens in a repo; raises like `check_create`."""
        self.check_create(actor, repo, url, secret)
        with self._db.write() as session:
            require_repo(session, actor, Permission.REPO_ADMIN, repo)
            session.get(Repo, repo.id, with_for_update=True)
            _require_new(session, repo, url)
            row = self._add(session, actor, url, domains, secret, repo)
            session.add(WebhookWatch(webhook_id=row.id, repo_id=repo.id))
            session.flush()
            return self._view(session, row)

    def of_repo(self, actor: Actor, repo: Repo) -> list[WebhookView]:
        """The webhooks that belong to a repo.

        Raises:
            PermissionDenied: the caller's role is not admin.
        """
        with self._db.read() as session:
            require_repo(session, actor, Permission.REPO_ADMIN, repo)
            rows = session.scalars(sa.select(Webhook).where(Webhook.repo_id == repo.id).order_by(Webhook.id))
            return [self._view(session, row) for row in rows]

    def find_of_repo(self, actor: Actor, repo: Repo, said: str) -> WebhookView:
        """A webhook of a repo by its id or its address.

        Raises:
            WebhookNotFound: it has none of that kind. PermissionDenied: the caller's role is not admin.
        """
        found = [hook for hook in self.of_repo(actor, repo) if said.strip() in (hook.id, hook.url)]
        if not found:
            raise _not_found(said)
        return found[0]

    def delete_of_repo(self, actor: Actor, repo: Repo, uid: str) -> None:
        """Remove a webhook of a repo; raises like `find_of_repo`."""
        with self._db.write() as session:
            require_repo(session, actor, Permission.REPO_ADMIN, repo)
            row = session.scalar(sa.select(Webhook).where(Webhook.uid == uid, Webhook.repo_id == repo.id))
            if row is None:
                raise _not_found(uid)
            _delete(session, actor, row)

    # -- one's own -------------------------------------------------------------------------------------------------

    def create(self, actor: Actor, url: str, watched: Sequence[Watched], domains: Sequence[str] = DOMAINS, secret: str = "") -> WebhookView:
        """Tell an address of what happens in repos that the caller may read.

        Raises:
            PermissionDenied: the token is limited to one repo. RepoNotFound, UserNotFound, OrgNotFound: something watched.
            InvalidInput, UnsafeAddress: the address.
        """
        self._require_own(actor)
        check_url(url, self.allowed)
        self._check_secret(secret)
        with self._db.write() as session:
            row = self._add(session, actor, url, domains, secret, None)
            session.add_all(resolve(session, actor, row.id, watched))
            session.flush()
            return self._view(session, row, with_secret=True)

    def list_own(self, actor: Actor) -> list[WebhookView]:
        """The caller's webhooks, those that they made for repos included."""
        require_scope(actor, Permission.USER_READ)
        with self._db.read() as session:
            rows = session.scalars(sa.select(Webhook).where(Webhook.owner_id == policy.own_id(actor)).order_by(Webhook.id))
            return [self._view(session, row, with_secret=_sees_secrets(actor)) for row in rows]

    def get(self, actor: Actor, uid: str) -> WebhookView:
        """One of the caller's webhooks.

        Raises:
            WebhookNotFound: there is none of that id.
        """
        require_scope(actor, Permission.USER_READ)
        with self._db.read() as session:
            return self._view(session, _own(session, actor, uid), with_secret=_sees_secrets(actor))

    def update(
        self,
        actor: Actor,
        uid: str,
        *,
        url: str | None = None,
        watched: Sequence[Watched] | None = None,
        domains: Sequence[str] | None = None,
        secret: str | None = None,
    ) -> WebhookView:
        """Change what is given; raises like `create` and `get`."""
        self._require_own(actor)
        if url is not None:
            check_url(url, self.allowed)
        self._check_secret(secret or "")
        with self._db.write() as session:
            row = _own(session, actor, uid)
            if row.repo_id is not None and watched is not None:
                watched = None if watched == named(session, row.id) else watched
                if watched is not None:
                    raise InvalidInput("This webhook belongs to its repo.", hint="Make another one to watch more.")
            if url is not None:
                row.url = url
            if domains is not None:
                row.domains = check_domains(domains)
            if secret is not None:
                row.secret = self._sealed(row.uid, secret)
            if watched is not None:
                session.execute(sa.delete(WebhookWatch).where(WebhookWatch.webhook_id == row.id))
                session.add_all(resolve(session, actor, row.id, watched))
            audit.record(session, actor, "webhook.update", row.uid, repo_id=row.repo_id, host=check_url(row.url, self.allowed).shown)
            session.flush()
            return self._view(session, row, with_secret=True)

    def set_enabled(self, actor: Actor, uid: str, enabled: bool) -> WebhookView:
        """Switch one of the caller's webhooks on or off; raises like `get`."""
        self._require_own(actor)
        with self._db.write() as session:
            row = _own(session, actor, uid)
            row.disabled, row.reason, row.failures = not enabled, "", 0
            audit.record(session, actor, "webhook.update", row.uid, repo_id=row.repo_id, enabled=enabled)
            return self._view(session, row, with_secret=True)

    def delete(self, actor: Actor, uid: str) -> None:
        """Remove one of the caller's webhooks; raises like `get`."""
        self._require_own(actor)
        with self._db.write() as session:
            _delete(session, actor, _own(session, actor, uid))

    # -- parts -----------------------------------------------------------------------------------------------------

    def secret_of(self, row: Webhook) -> str:
        """The secret of a row; empty for none."""
        return self._box.open(row.secret, _place(row.uid)) if row.secret is not None else ""

    def _add(self, session: Session, actor: Actor, url: str, domains: Sequence[str], secret: str, repo: Repo | None) -> Webhook:
        owner = policy.own_id(actor)
        count = session.scalar(sa.select(sa.func.count()).select_from(Webhook).where(Webhook.owner_id == owner)) or 0
        if count >= MAX_WEBHOOKS:
            raise LimitExceeded(f"You have {MAX_WEBHOOKS} webhooks already.", hint="Delete one first.")
        uid = secrets.token_hex(12)
        row = Webhook(
            uid=uid, owner_id=owner, repo_id=repo.id if repo else None, url=url, secret=self._sealed(uid, secret),
            domains=check_domains(domains), created_at=utcnow(),
        )  # fmt: skip
        session.add(row)
        session.flush()
        where = repo.full_name if repo else uid
        audit.record(session, actor, "webhook.create", where, repo_id=row.repo_id, webhook=uid, host=check_url(url, self.allowed).shown)
        return row

    def _sealed(self, uid: str, secret: str) -> bytes | None:
        return self._box.seal(secret, _place(uid)) if secret else None

    def _check_secret(self, secret: str) -> None:
        if not secret:
            return
        if len(secret) > MAX_SECRET or not secret.isascii() or not secret.isprintable():
            raise InvalidInput(f"A secret has at most {MAX_SECRET} printable ASCII characters; it is sent in a header.")
        self._box.check()

    def _require_own(self, actor: Actor) -> None:
        require_scope(actor, Permission.USER_SELF)
        if actor.repo_id is not None:
            raise PermissionDenied("This token is limited to one repo.", hint="Use a token that is not limited to a repo.")

    def _view(self, session: Session, row: Webhook, *, with_secret: bool = False) -> WebhookView:
        repo = session.get(Repo, row.repo_id) if row.repo_id else None
        return WebhookView(
            id=row.uid, owner=session.get_one(User, row.owner_id).username, repo=repo.full_name if repo else "", url=row.url,
            watched=named(session, row.id), domains=list(row.domains), disabled=row.disabled, reason=row.reason, failures=row.failures,
            last_at=row.last_at, last_status=row.last_status, last_error=row.last_error, created_at=row.created_at,
            signed=row.secret is not None, secret=(self.secret_of(row) or None) if with_secret else None,
        )  # fmt: skip


def check_domains(domains: Sequence[str]) -> list[str]:
    """The domains in their order.

    Raises:
        InvalidInput: none, or an unknown one.
    """
    if not domains or set(domains) - set(DOMAINS):
        raise InvalidInput(f"Domains are {' and '.join(DOMAINS)}.")
    return [domain for domain in DOMAINS if domain in domains]


def _own(session: Session, actor: Actor, uid: str) -> Webhook:
    row = session.scalar(sa.select(Webhook).where(Webhook.uid == uid, Webhook.owner_id == policy.own_id(actor)).with_for_update())
    if row is None:
        raise _not_found(uid)
    return row


def _delete(session: Session, actor: Actor, row: Webhook) -> None:
    audit.record(session, actor, "webhook.delete", row.uid, repo_id=row.repo_id, webhook=row.uid)
    session.delete(row)


def _require_new(session: Session, repo: Repo, url: str) -> None:
    if session.scalar(sa.select(Webhook.id).where(Webhook.repo_id == repo.id, Webhook.url == url)) is not None:
        raise AlreadyExists(f"{repo.full_name} tells this address already.", hint="list_webhooks shows it.")


def _sees_secrets(actor: Actor) -> bool:
    return actor.scope.rank >= Scope.WRITE.rank and actor.repo_id is None


def _place(uid: str) -> str:
    return f"webhook:{uid}"


def _not_found(said: str) -> WebhookNotFound:
    return WebhookNotFound("There is no such webhook.", hint="list_webhooks shows them.", webhook=said[:64])


__all__ = ["MAX_WATCHED", "Watched", "WebhookService", "WebhookView"]

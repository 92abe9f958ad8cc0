"""What happens once when the hub starts: the administrator, and demo assets on an empty hub."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from hub_core import audit
from hub_core.accounts.bootstrap import ADMIN
from hub_core.accounts.tables import Namespace, User
from hub_core.authz import SYSTEM
from hub_core.demo import add_demo
from hub_core.errors import AlreadyExists
from hub_core.repos.tables import Repo
from hub_core.services import Services


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What the operator is told: the generated password, once; None when the administrator was there or the password was given."""

    password: str | None


def prepare(services: Services, *, serving: bool = True) -> FirstStart:
    """Make the administrator and, on an empty hub, the demo assets. Safe to repeat, on every node.

    Args:
        serving: False for a command beside the server, whose environment says nothing about the server's preset token.
    """
    password = services.users.bootstrap(follow_token=serving)
    if services.settings.demo and _is_empty(services):
        with services.db.read() as session:
            admin = session.scalars(sa.select(User).where(User.username == ADMIN)).one()
        try:
            add_demo(services, admin)
        except AlreadyExists:
            return FirstStart(password)  # another node was faster
        with services.db.write() as session:
            audit.record(session, SYSTEM, "hub.demo", "demo")
    return FirstStart(password)


def _is_empty(services: Services) -> bool:
    with services.db.read() as session:
        namespaces = session.scalar(sa.select(sa.func.count()).select_from(Namespace)) or 0
        repos = session.scalar(sa.select(sa.func.count()).select_from(Repo)) or 0
    return namespaces <= 1 and repos == 0

"""Tables of users, organisations and their credentials."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class Namespace(Base):
    """A name that owns repos: a user's or an organisation's. One table, so that the two cannot collide."""

    __tablename__ = "namespaces"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(39), unique=True)
    kind: Mapped[str] = mapped_column(sa.String(8))  # user | org


class User(Base):
    """A person. `id` equals the id of their namespace."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(sa.ForeignKey("namespaces.id"), primary_key=True)
    username: Mapped[str] = mapped_column(sa.String(39), unique=True)
    email: Mapped[str] = mapped_column(sa.String(254), default="")
    password_hash: Mapped[str] = mapped_column(sa.String(256), default="")
    is_admin: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(sa.String(16), default="active")  # active | disabled | deleted
    preferences: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[dt.datetime]
    deleted_at: Mapped[dt.datetime | None]


class Org(Base):
    """An organisation. `id` equals the id of its namespace."""

    __tablename__ = "orgs"

    id: Mapped[int] = mapped_column(sa.ForeignKey("namespaces.id"), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(39), unique=True)
    description: Mapped[str] = mapped_column(sa.Text, default="")
    created_at: Mapped[dt.datetime]
    deleted_at: Mapped[dt.datetime | None]


class Membership(Base):
    """A person's role in an organisation."""

    __tablename__ = "memberships"

    org_id: Mapped[int] = mapped_column(sa.ForeignKey("orgs.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(sa.String(8))


class Token(Base):
    """An access token; only its sha256 is kept."""

    __tablename__ = "tokens"
    __table_args__ = (sa.UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(96))
    digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    scope: Mapped[str] = mapped_column(sa.String(8))
    repo_id: Mapped[int | None] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"))
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime | None]
    last_used_at: Mapped[dt.datetime | None]


class WebSession(Base):
    """A browser session; only the sha256 of its cookie is kept."""

    __tablename__ = "web_sessions"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]


class DeviceLogin(Base):
    """A program that waits to be signed in by a person; only the sha256 of its secret is kept."""

    __tablename__ = "device_logins"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    user_code: Mapped[str] = mapped_column(sa.String(8), unique=True)
    program: Mapped[str] = mapped_column(sa.String(120))
    address: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))  # who decided
    scope: Mapped[str | None] = mapped_column(sa.String(8))  # None with a user_id: refused


class SshKey(Base):
    """A public key of a person."""

    __tablename__ = "ssh_keys"
    __table_args__ = (sa.UniqueConstraint("user_id", "title"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(sa.String(96))
    public_key: Mapped[str] = mapped_column(sa.Text)
    fingerprint: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[dt.datetime]

"""SSH public keys of people."""

from __future__ import annotations

import base64
import hashlib

import sqlalchemy as sa
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts import policy
from hub_core.accounts.lookup import storable
from hub_core.accounts.tables import SshKey, User
from hub_core.accounts.views import SshKeyView
from hub_core.authz import Actor, CredentialKind, Permission, Scope
from hub_core.db import Database, utcnow
from hub_core.errors import AlreadyExists, InvalidKey, InvalidName, SshKeyNotFound, Unauthenticated

MIN_RSA_BITS = 2048
MAX_LENGTH = 16_384


class SshKeyService:
    """One's own SSH keys."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def list_keys(self, actor: Actor) -> list[SshKeyView]:
        """One's own keys by title."""
        policy.check(actor, Permission.CREDENTIALS)
        with self._db.read() as session:
            query = sa.select(SshKey).where(SshKey.user_id == policy.own_id(actor)).order_by(SshKey.title)
            return [_view(key) for key in session.scalars(query)]

    def check_add(self, actor: Actor, title: str, key: str) -> SshKeyView:
        """The key that `add` would store; changes nothing. Raises what it would raise."""
        with self._db.read() as session:
            return _view(self._for_add(session, actor, title, key))

    def add(self, actor: Actor, title: str, key: str) -> SshKeyView:
        """Store a public key in OpenSSH form.

        Raises:
            InvalidKey: it cannot be read, is a private key, or is too weak (DSA, RSA below 2,048 bits).
            AlreadyExists: the title, or the key itself, is there already.
        """
        try:
            with self._db.write() as session:
                row = self._for_add(session, actor, title, key)
                session.add(row)
                session.flush()
                audit.record(session, actor, "ssh_key.add", f"{actor.username}/{row.title}", fingerprint=row.fingerprint)
                return _view(row)
        except sa.exc.IntegrityError as error:
            raise AlreadyExists("This key or its title is there already.", hint="list_ssh_keys shows yours.") from error

    def check_delete(self, actor: Actor, title: str) -> SshKeyView:
        """The key that `delete` would remove; changes nothing."""
        with self._db.read() as session:
            return _view(_find(session, actor, title))

    def delete(self, actor: Actor, title: str) -> SshKeyView:
        """Remove one's key.

        Raises:
            SshKeyNotFound: one has none of that title.
        """
        with self._db.write() as session:
            row = _find(session, actor, title)
            session.delete(row)
            audit.record(session, actor, "ssh_key.delete", f"{actor.username}/{row.title}", fingerprint=row.fingerprint)
            return _view(row)

    def authenticate_key(self, fingerprint: str) -> Actor:
        """Whom a key stands for; it may push, and cannot manage people or credentials.

        Raises:
            Unauthenticated: nobody has this key, or the account is disabled.
        """
        with self._db.read() as session:
            query = sa.select(SshKey.title, User).join(User, User.id == SshKey.user_id).where(SshKey.fingerprint == fingerprint)
            found = session.execute(query).one_or_none()
        if found is None or found.User.status != "active":
            raise Unauthenticated("This key belongs to nobody here.", hint="Add it: add_ssh_key, or say 'add my SSH key ...'.")
        user = found.User
        return Actor(
            user_id=user.id, username=user.username, is_admin=user.is_admin, credential=CredentialKind.SSH_KEY,
            scope=Scope.WRITE, token_name=found.title, channel="ssh",
        )  # fmt: skip

    def _for_add(self, session: Session, actor: Actor, title: str, key: str) -> SshKey:
        policy.check(actor, Permission.CREDENTIALS)
        title = title.strip()
        if not 1 <= len(title) <= 96 or not title.isprintable():
            raise InvalidName("A key's title has 1 to 96 printable characters.", hint="For example: laptop")
        public, fingerprint = parse_public_key(key)
        query = sa.select(SshKey).where(
            sa.or_(SshKey.fingerprint == fingerprint, sa.and_(SshKey.user_id == policy.own_id(actor), SshKey.title == title))
        )
        taken = session.scalars(query.limit(1)).first()
        if taken is not None and taken.fingerprint == fingerprint:
            raise AlreadyExists(
                "This key is in use already.", hint="Each key belongs to one account; make a new one.", fingerprint=fingerprint
            )
        if taken is not None:
            raise AlreadyExists(f"You have a key '{title}' already.", hint="Choose another title.", title=title)
        return SshKey(user_id=policy.own_id(actor), title=title, public_key=public, fingerprint=fingerprint, created_at=utcnow())


def parse_public_key(text: str) -> tuple[str, str]:
    """The key without its comment, and its fingerprint (`SHA256:...`).

    Raises:
        InvalidKey: it cannot be read, is a private key, or is too weak.
    """
    text = text.strip()
    if "PRIVATE KEY" in text:
        raise InvalidKey(
            "This is a private key. Keep it to yourself.", hint="Send the file that ends in .pub, and replace this key: it was shown."
        )
    parts = text.split()
    if len(text) > MAX_LENGTH or len(parts) < 2 or "\n" in text:
        raise InvalidKey("This is not one OpenSSH public key.", hint="It looks like: ssh-ed25519 AAAA... name")
    if parts[0] == "ssh-dss":
        raise _weak()
    try:
        key = load_ssh_public_key(f"{parts[0]} {parts[1]}".encode())
        blob = base64.b64decode(parts[1], validate=True)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidKey("This key cannot be read.", hint="It looks like: ssh-ed25519 AAAA... name") from error
    if not isinstance(key, (ed25519.Ed25519PublicKey, ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        raise _weak()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise InvalidKey(f"An RSA key needs {MIN_RSA_BITS} bits; this one has {key.key_size}.", hint="Make one with: ssh-keygen -t ed25519")
    fingerprint = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"{parts[0]} {parts[1]}", f"SHA256:{fingerprint}"


def _weak() -> InvalidKey:
    return InvalidKey("Keys of this kind are too weak.", hint="Make one with: ssh-keygen -t ed25519")


def _find(session: Session, actor: Actor, title: str) -> SshKey:
    policy.check(actor, Permission.CREDENTIALS)
    row = session.scalar(sa.select(SshKey).where(SshKey.user_id == policy.own_id(actor), SshKey.title == storable(title).strip()))
    if row is None:
        raise SshKeyNotFound(f"You have no SSH key '{title[:96]}'.", hint="list_ssh_keys shows yours.", title=title[:96])
    return row


def _view(key: SshKey) -> SshKeyView:
    return SshKeyView(key.title, key.public_key.partition(" ")[0], key.fingerprint, key.created_at)

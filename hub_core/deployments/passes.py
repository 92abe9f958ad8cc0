"""Passes with which a cluster downloads the model of a deployment: for an hour or two, to read one repo, and no longer than it is deployed.

Nothing is stored: a pass is signed, says for which deployment it is, and the deployment's row says for which repo.
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qsl, urlencode

import sqlalchemy as sa

from hub_core.accounts.tokens import PASS_MARK
from hub_core.authz import Actor, CredentialKind, Scope
from hub_core.db import Database
from hub_core.deployments.tables import Deployment
from hub_core.errors import PermissionDenied, Unauthenticated
from hub_core.signing import UrlSigner, load_key
from hub_core.storage import BlobStore

SECONDS = 2 * 3600
_PURPOSE = "model-pass"


class ModelPasses:
    """Makes passes and reads them. The key is the one that addresses are signed with, on every node the same."""

    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self._db = db
        self._blobs = blobs
        self._kept: UrlSigner | None = None

    def make(self, deployment_id: int) -> str:
        """A new pass for the model of a deployment."""
        signed = self._signer().query(_PURPOSE, deployment_id, user_id=None, seconds=SECONDS)
        return PASS_MARK + base64.urlsafe_b64encode(f"{urlencode({'d': deployment_id})}&{signed}".encode()).decode().rstrip("=")

    def actor(self, secret: str, channel: str) -> Actor:
        """Who comes with a pass: nobody in particular, who may read the files of one repo.

        Raises:
            Unauthenticated: it was not made here, has ended, or its deployment is gone.
        """
        try:
            raw = secret.removeprefix(PASS_MARK)
            params = dict(parse_qsl(base64.urlsafe_b64decode((raw + "=" * (-len(raw) % 4)).encode()).decode()))
            deployment_id = int(params.get("d", ""))
            self._signer().check(params, _PURPOSE, deployment_id)
        except (binascii.Error, ValueError, PermissionDenied, Unauthenticated) as error:
            raise Unauthenticated("This pass is not valid, or has ended.", hint="The hub gives a deployment a new one.") from error
        with self._db.read() as session:
            repo_id = session.scalar(sa.select(Deployment.repo_id).where(Deployment.id == deployment_id))
        if repo_id is None:
            raise Unauthenticated("This pass is not valid, or has ended.", hint="The hub gives a deployment a new one.")
        return Actor(
            username=f"deployment {deployment_id}", credential=CredentialKind.PASS, scope=Scope.READ, repo_id=repo_id, channel=channel
        )

    def _signer(self) -> UrlSigner:
        if self._kept is None:
            self._kept = UrlSigner(load_key(self._blobs))
        return self._kept

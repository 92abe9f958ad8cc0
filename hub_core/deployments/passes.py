"""Passes with which a cluster downloads one model, for some hours, and no longer than it is deployed or a fine-tune learns from it.

Nothing is stored: a pass is signed, says for which deployment or job it is, and that one's row says for which repo. With the pass of a
job its pod also exchanges the files of this job with the hub (`hub_core.training.files`).
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
from hub_core.jobs.tables import Job
from hub_core.signing import UrlSigner, load_key
from hub_core.storage import BlobStore

SECONDS = 2 * 3600
JOB_SECONDS = 24 * 3600  # the hub may be away for a while, and the pod goes on
_PURPOSE, _JOB_PURPOSE = "model-pass", "job-pass"


class ModelPasses:
    """Makes passes and reads them. The key is the one that addresses are signed with, on every node the same."""

    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self._db = db
        self._blobs = blobs
        self._kept: UrlSigner | None = None

    def make(self, deployment_id: int) -> str:
        """A new pass for the model of a deployment."""
        return self._made("d", _PURPOSE, deployment_id, SECONDS)

    def make_for_job(self, job_id: int) -> str:
        """A new pass for the model that a job learns from, and for the job's own files."""
        return self._made("j", _JOB_PURPOSE, job_id, JOB_SECONDS)

    def _made(self, key: str, purpose: str, number: int, seconds: int) -> str:
        signed = self._signer().query(purpose, number, user_id=None, seconds=seconds)
        return PASS_MARK + base64.urlsafe_b64encode(f"{urlencode({key: number})}&{signed}".encode()).decode().rstrip("=")

    def job_of(self, secret: str) -> int:
        """The job that a pass was made for, which may be over.

        Raises:
            Unauthenticated: it was not made here for a job, or has ended.
        """
        key, number = self._read(secret)
        if key != "j":
            raise _invalid()
        return number

    def actor(self, secret: str, channel: str) -> Actor:
        """Who comes with a pass: nobody in particular, who may read the files of one repo.

        Raises:
            Unauthenticated: it was not made here, has ended, or its deployment is gone.
        """
        key, number = self._read(secret)
        with self._db.read() as session:
            if key == "j":
                job = session.get(Job, number)
                repo_id = job.args.get("model") if job is not None and goes_on(job) else None
            else:
                repo_id = session.scalar(sa.select(Deployment.repo_id).where(Deployment.id == number))
        if not isinstance(repo_id, int):
            raise _invalid()
        what = "job" if key == "j" else "deployment"
        return Actor(username=f"{what} {number}", credential=CredentialKind.PASS, scope=Scope.READ, repo_id=repo_id, channel=channel)

    def _read(self, secret: str) -> tuple[str, int]:
        """What a pass is for: `d` and a deployment, or `j` and a job."""
        try:
            raw = secret.removeprefix(PASS_MARK)
            params = dict(parse_qsl(base64.urlsafe_b64decode((raw + "=" * (-len(raw) % 4)).encode()).decode()))
            key, purpose = ("j", _JOB_PURPOSE) if "j" in params else ("d", _PURPOSE)
            number = int(params.get(key, ""))
            self._signer().check(params, purpose, number)
        except (binascii.Error, ValueError, PermissionDenied, Unauthenticated) as error:
            raise _invalid() from error
        return key, number

    def _signer(self) -> UrlSigner:
        if self._kept is None:
            self._kept = UrlSigner(load_key(self._blobs))
        return self._kept


def goes_on(job: Job) -> bool:
    """Whether a job waits or runs, and nobody asked it to stop."""
    return job.status in ("queued", "running") and not job.cancel


def _invalid() -> Unauthenticated:
    return Unauthenticated("This pass is not valid, or has ended.", hint="The hub gives a deployment a new one.")

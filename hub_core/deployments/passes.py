"""Passes with which a cluster downloads one model, for some hours, and no longer than it is deployed or a job works on it.

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
# Whom a pass is for: a deployment, a job, or the download of the model that a job compares with.
_PURPOSES = {"d": "model-pass", "j": "job-pass", "b": "job-before-pass"}
_REPOS = {"j": "model", "b": "before"}  # the arguments of jobs that name them


class ModelPasses:
    """Makes passes and reads them. The key is the one that addresses are signed with, on every node the same."""

    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self._db = db
        self._blobs = blobs
        self._kept: UrlSigner | None = None

    def make(self, deployment_id: int) -> str:
        """A new pass for the model of a deployment."""
        return self._made("d", deployment_id, SECONDS)

    def make_for_job(self, job_id: int) -> str:
        """A new pass for the model that a job works on, and for the job's own files."""
        return self._made("j", job_id, JOB_SECONDS)

    def make_for_base(self, job_id: int) -> str:
        """A new pass for the model that a job compares with, and for nothing else."""
        return self._made("b", job_id, JOB_SECONDS)

    def _made(self, key: str, number: int, seconds: int) -> str:
        signed = self._signer().query(_PURPOSES[key], number, user_id=None, seconds=seconds)
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
            if key in _REPOS:
                job = session.get(Job, number)
                repo_id = job.args.get(_REPOS[key]) if job is not None and goes_on(job) else None
            else:
                repo_id = session.scalar(sa.select(Deployment.repo_id).where(Deployment.id == number))
        if not isinstance(repo_id, int):
            raise _invalid()
        what = "job" if key in _REPOS else "deployment"
        return Actor(username=f"{what} {number}", credential=CredentialKind.PASS, scope=Scope.READ, repo_id=repo_id, channel=channel)

    def _read(self, secret: str) -> tuple[str, int]:
        """What a pass is for: a key of `_PURPOSES`, and the number of the deployment or job."""
        try:
            raw = secret.removeprefix(PASS_MARK)
            params = dict(parse_qsl(base64.urlsafe_b64decode((raw + "=" * (-len(raw) % 4)).encode()).decode()))
            key = next((one for one in _PURPOSES if one in params), "")
            number = int(params.get(key, ""))
            self._signer().check(params, _PURPOSES[key], number)
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

"""What the hub and a training program in a cluster hand each other: the data, the checkpoint and the result, as blobs of the job.

The program comes with the pass of its job and may write these and nothing else: no repo. What it leaves becomes a model only when the
job's own worker takes it over, with the rights that the person has then.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from hub_core.db import Database
from hub_core.deployments.passes import ModelPasses, goes_on
from hub_core.errors import EntryNotFound, InvalidPath, TooLarge, Unauthenticated
from hub_core.jobs.tables import Job
from hub_core.storage import BlobStore
from hub_core.storage.local import write_staged

GIB = 1024**3
DATA = ("train.jsonl", "held_out.jsonl")
CHECKPOINT = "checkpoint.tar"
BEFORE = "before.json"  # what was measured before training: an attempt after this one need not do it again
_WRITES = re.compile(r"checkpoint\.tar|before\.json|output/[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
MAX_FILES = 300
ROOM = 4 * GIB  # beside what the job's row allows


class JobFiles:
    """The files of the jobs that run in clusters."""

    def __init__(self, db: Database, blobs: BlobStore, passes: ModelPasses) -> None:
        self._db = db
        self._blobs = blobs
        self._passes = passes

    # -- the program, with its pass --------------------------------------------------------------------------------

    def goes_on(self, secret: str) -> bool:
        """Whether the program should: false once its job is over. Raises Unauthenticated for a pass that is none."""
        return self._job(secret)[1] is not None

    def read(self, secret: str, name: str) -> tuple[int, Callable[[int, int], Iterator[bytes]]]:
        """The size of a file, and what gives the bytes of a range.

        Raises:
            Unauthenticated: the pass is none, or its job is over. EntryNotFound: there is no such file.
        """
        number, job = self._job(secret)
        key = _key(number, name if name in DATA else _checked(name))
        size = self._blobs.size(key) if job is not None else None
        if size is None:
            raise EntryNotFound(f"The job has no file '{name}'.")
        return size, lambda start, end: self._blobs.get(key, start, end)

    @contextmanager
    def writing(self, secret: str, name: str) -> Iterator[Callable[[bytes], None]]:
        """Take a file; it is there when the block ends well, and not at all otherwise.

        Raises:
            Unauthenticated: the pass is none, or its job is over. InvalidPath: no program has such a file.
            TooLarge: the job's files may not take so much.
        """
        number, job = self._job(secret)
        if job is None:
            raise Unauthenticated("The job of this pass is over.")
        key = _key(number, _checked(name))
        others = [one for one in self._blobs.list(_key(number, "")) if one.key != key]
        left = int(job.args.get("room", 0)) + ROOM - sum(one.size for one in others)
        if len(others) >= MAX_FILES:
            raise TooLarge("The job has too many files.")
        path = Path(tempfile.mkstemp(dir=self._blobs.staging)[1])
        try:
            with path.open("wb", buffering=0) as file:
                yield _within(cast(BinaryIO, file), left)
            self._blobs.put_file(key, path, move=True)
        finally:
            path.unlink(missing_ok=True)

    def _job(self, secret: str) -> tuple[int, Job | None]:
        number = self._passes.job_of(secret)
        with self._db.read() as session:
            job = session.get(Job, number)
        return number, job if job is not None and goes_on(job) else None

    # -- the hub ---------------------------------------------------------------------------------------------------

    def pass_for(self, job_id: int) -> str:
        """A pass for the program of a job."""
        return self._passes.make_for_job(job_id)

    def passes_for(self, job_id: int, models: Iterable[str]) -> dict[str, str]:
        """A pass for each model that a job works on: its own (`model`), and the one to compare with (`before`)."""
        return {name: self._passes.make_for_base(job_id) if name == "before" else self.pass_for(job_id) for name in models}

    def give(self, job_id: int, path: Path) -> None:
        """Lay a file out for the program, once."""
        key = _key(job_id, path.name)
        if self._blobs.size(key) != path.stat().st_size:
            self._blobs.put_file(key, path)

    def take(self, job_id: int, folder: Path, check: Callable[[], None]) -> None:
        """Write what the program left as its result into a folder, in place of what is there. `check` may end it."""
        folder.mkdir(parents=True, exist_ok=True)
        for blob in list(self._blobs.list(_key(job_id, "output/"))):
            with (folder / blob.key.rpartition("/")[2]).open("wb") as file:
                for chunk in self._blobs.get(blob.key):
                    file.write(chunk)
                    check()

    def drop(self, job_id: int) -> None:
        """Remove all files of a job."""
        for blob in list(self._blobs.list(_key(job_id, ""))):
            self._blobs.delete(blob.key)

    def sweep(self, needed: Callable[[int], bool]) -> None:
        """Remove the files of jobs that need them no more."""
        numbers = {int(blob.key.split("/")[1]) for blob in self._blobs.list("training/")}
        for number in numbers:
            if not needed(number):
                self.drop(number)


def _key(job_id: int, name: str) -> str:
    return f"training/{job_id}/{name}"


def _checked(name: str) -> str:
    if not _WRITES.fullmatch(name):
        raise InvalidPath("A program of a job writes its checkpoint, what it measured, and plain names in the folder output.")
    return name


def _within(file: BinaryIO, left: int) -> Callable[[bytes], None]:
    """Writes no more than so many bytes."""

    def write(chunk: bytes) -> None:
        nonlocal left
        left -= len(chunk)
        if left < 0:
            raise TooLarge("The files of the job take more room than its model allows.")
        write_staged(file, chunk)

    return write

"""What readers of a repo are told of its scan. Secrets are left out: they are for those who can take them away."""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa

from hub_core.db import Database
from hub_core.scanning.tables import RepoScan, ScanFinding


@dataclass(frozen=True, slots=True)
class Safety:
    """What loading the files of a commit can do, by path. `done` is False where that commit was not scanned."""

    done: bool
    imports: dict[str, list[ScanFinding]] = field(default_factory=dict)

    def level(self, path: str) -> str:
        """safe, suspicious or unsafe; queued before the scan."""
        levels = {finding.level for finding in self.imports.get(path, ())}
        if not self.done:
            return "queued"
        return "unsafe" if "unsafe" in levels else "suspicious" if levels else "safe"


def safety_of(db: Database, repo_id: int, commit: str) -> Safety:
    """The safety of a commit; only the newest one of the default branch is scanned."""
    with db.read() as session:
        row = session.get(RepoScan, repo_id)
        if row is None or row.commit != commit:
            return Safety(False)
        found: dict[str, list[ScanFinding]] = {}
        for finding in session.scalars(sa.select(ScanFinding).where(ScanFinding.repo_id == repo_id, ScanFinding.kind == "pickle")):
            found.setdefault(finding.path, []).append(finding)
    return Safety(True, found)

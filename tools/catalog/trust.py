"""Tools: whether a repo can be trusted."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from hub_core.authz import Permission
from hub_core.scanning import service as scanning
from tools.catalog.repos import OneRepo, locate
from tools.contract import Change, Effect, Plan, Tool, ToolContext, ToolOutput


class FindingOut(ToolOutput):
    """One thing that a scan found."""

    path: str
    line: int = Field(description="0 where there are no lines.")
    kind: str = Field(description="secret or pickle")
    level: str = Field(description="unsafe or suspicious")
    rule: str = Field(description="Kind of secret; or import, unreadable, too large.", examples=["AWS access key"])
    detail: str = Field(description="The beginning of the secret, or what would be imported.", examples=["AKIA4S…"])


class ScanOut(ToolOutput):
    """What a scan found, or the job that scans."""

    repo: str
    status: str = Field(description="done, or queued: then get_job tells how far it is.")
    job: int | None = None
    commit: str
    level: str = Field(description="safe, suspicious, unsafe; unknown before the first scan")
    files: int
    skipped: int = Field(description="Files in which nothing is looked for.")
    scanned_at: dt.datetime | None
    findings: list[FindingOut]
    more: int = Field(description="How many findings are not shown.")


class ScanRepo(Tool[OneRepo, ScanOut]):
    """Look through a repo's files for leaked secrets and for pickles that run code when they are loaded."""

    name, group, input, output = "scan_repo", "trust", OneRepo, ScanOut
    effect, permission, heavy = Effect.WRITE, Permission.REPO_WRITE, True

    def plan(self, ctx: ToolContext, args: OneRepo) -> Plan:
        """What was found is kept, in the place of what was found last."""
        repo, resolved = locate(ctx, args, Permission.REPO_WRITE)
        last = scanning.last_scan(ctx.services, repo).scanned_at
        changes = (Change("scan", last.isoformat() if last else None, "now"),)
        return Plan(resolved, Effect.WRITE, changes, {"repo": repo.full_name}, prepared=repo)

    def run(self, ctx: ToolContext, args: OneRepo, plan: Plan) -> ScanOut:
        """Scan it, or begin to."""
        view = scanning.scan_repo(ctx.services, ctx.actor, plan.prepared)
        findings = [FindingOut(path=f.path, line=f.line, kind=f.kind, level=f.level, rule=f.rule, detail=f.detail) for f in view.findings]
        return ScanOut(
            repo=plan.prepared.full_name, status="done" if view.job is None else "queued", job=view.job, commit=view.commit, level=view.level,
            files=view.files, skipped=view.skipped, scanned_at=view.scanned_at, findings=findings, more=view.more,
        )  # fmt: skip


class VerifyOut(ToolOutput):
    """What a check of stored bytes found, or the job that checks."""

    repo: str
    status: str = Field(description="done, or queued: then get_job tells how far it is.")
    job: int | None = None
    whole: bool | None = Field(description="Whether everything is as it should be; null while it is not known.")
    packs: int = 0
    objects: int = Field(default=0, description="Large files that were read.")
    bytes: int = 0
    problems: list[str]


class VerifyRepo(Tool[OneRepo, VerifyOut]):
    """Check that what a repo stores is complete and undamaged: reads all its Git packs and large files and compares their hashes."""

    name, group, input, output = "verify_repo", "trust", OneRepo, VerifyOut
    effect, permission, heavy = Effect.READ, Permission.REPO_WRITE, True

    def plan(self, ctx: ToolContext, args: OneRepo) -> Plan:
        """Resolve the name."""
        repo, resolved = locate(ctx, args, Permission.REPO_WRITE)
        return Plan(resolved, Effect.READ, prepared=repo)

    def run(self, ctx: ToolContext, args: OneRepo, plan: Plan) -> VerifyOut:
        """Check it, or begin to."""
        done, job = scanning.verify_repo(ctx.services, ctx.actor, plan.prepared)
        name = plan.prepared.full_name
        if done is None:
            return VerifyOut(repo=name, status="queued", job=job, whole=None, problems=[])
        return VerifyOut(
            repo=name,
            status="done",
            whole=not done.problems,
            packs=done.packs,
            objects=done.objects,
            bytes=done.bytes,
            problems=done.problems,
        )


TOOLS = (ScanRepo(), VerifyRepo())

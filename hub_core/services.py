"""The one object that holds the opened parts of the hub. It has ports and services, and no business methods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace

from hub_core import tables
from hub_core.accounts.device_logins import DeviceLogins
from hub_core.accounts.orgs import OrgService
from hub_core.accounts.passwords import Passwords
from hub_core.accounts.sessions import SessionService
from hub_core.accounts.sshkeys import SshKeyService
from hub_core.accounts.tokens import TokenService
from hub_core.accounts.users import UserService
from hub_core.approvals.service import ApprovalService
from hub_core.bridges.service import BridgeService
from hub_core.budgets.service import BudgetService
from hub_core.collections.service import CollectionService
from hub_core.conversations.service import ConversationService
from hub_core.datasets.query import QueryEngine
from hub_core.db import Database
from hub_core.deployments.load import LoadMeter
from hub_core.deployments.passes import ModelPasses
from hub_core.deployments.platform import Platform, open_platform
from hub_core.deployments.service import DeploymentService
from hub_core.discussions.merging import MergeService
from hub_core.discussions.pulls import PullService
from hub_core.discussions.service import DiscussionService
from hub_core.gate import Gate
from hub_core.gating.service import GateService
from hub_core.git import GitLimits, GitStore
from hub_core.git.types import MIB
from hub_core.jobs.kinds import all_kinds
from hub_core.jobs.service import JobService
from hub_core.lfs.objects import WholeObjects
from hub_core.lfs.service import GIB, LfsService
from hub_core.metering.compute import ComputeMeter
from hub_core.metering.meter import UsageMeter
from hub_core.metering.rates import Shared
from hub_core.metering.reports import UsageReports
from hub_core.notices.service import NoticeService
from hub_core.quotas import Quotas
from hub_core.repos.downloads import DownloadCounter
from hub_core.repos.events import EventService
from hub_core.repos.files import FileService
from hub_core.repos.history import HistoryService
from hub_core.repos.lineage import LineageService
from hub_core.repos.people import AccessService
from hub_core.repos.search import SearchService
from hub_core.repos.service import RepoService
from hub_core.repos.social import SocialService
from hub_core.repos.tags import TagService
from hub_core.secretbox import SecretBox
from hub_core.settings import Settings
from hub_core.spaces.running import SpaceRuns
from hub_core.spaces.service import SpaceService
from hub_core.storage import BlobStore, open_blob_store
from hub_core.training.files import JobFiles
from hub_core.training.opening import open_training
from hub_core.training.service import TrainingService
from hub_core.vault import Vault
from hub_core.webhooks.service import WebhookService
from hub_core.xet.objects import XetObjects
from hub_core.xet.service import XetService
from hub_core.xet.store import XorbStore

__all__ = ["Services", "open_services", "tables"]


@dataclass(frozen=True, slots=True)
class Services:
    """Opened at start, passed on, closed at the end."""

    settings: Settings
    db: Database
    blobs: BlobStore
    git: GitStore
    lfs: LfsService
    xet: XetService
    users: UserService
    orgs: OrgService
    tokens: TokenService
    sessions: SessionService
    device_logins: DeviceLogins
    ssh_keys: SshKeyService
    repos: RepoService
    search: SearchService
    files: FileService
    history: HistoryService
    access: AccessService
    gating: GateService
    social: SocialService
    downloads: DownloadCounter
    tags: TagService
    collections: CollectionService
    spaces: SpaceService
    lineage: LineageService
    discussions: DiscussionService
    pulls: PullService
    merges: MergeService
    events: EventService
    jobs: JobService
    platform: Platform
    deployments: DeploymentService
    space_runs: SpaceRuns
    load: LoadMeter
    training: TrainingService
    usage: UsageMeter
    compute: ComputeMeter
    reports: UsageReports
    budgets: BudgetService
    rates: Shared
    webhooks: WebhookService
    notices: NoticeService
    queries: QueryEngine
    approvals: ApprovalService
    conversations: ConversationService
    bridges: BridgeService
    vault: Vault
    heavy_reads: Gate


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """Open the database (bringing its schema up to date), the blob store and everything on top; close them at the end."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        db = stack.enter_context(closing(Database(settings.database)))
        db.upgrade()
        queries = stack.enter_context(closing(QueryEngine()))
        blobs = open_blob_store(settings)
        git = stack.enter_context(closing(GitStore(db, blobs, settings.data_dir / "cache" / "git", _git_limits(settings))))
        xorbs = XorbStore(db, blobs)
        objects = XetObjects(db, WholeObjects(blobs), xorbs)
        quotas = Quotas(int(settings.repo_quota_gb * GIB), int(settings.owner_quota_gb * GIB))
        lfs = LfsService(db, blobs, settings.max_lfs_gb * GIB, objects, quotas)
        files = FileService(db, git, lfs)
        repos = RepoService(db, git, lfs, settings)
        jobs = JobService(db, all_kinds())
        spaces = SpaceService(db, SecretBox(settings))
        passes = ModelPasses(db, blobs)
        platform = replace(open_platform(settings, passes.make), environment_of=spaces.opened)
        deployments = DeploymentService(db, git, files, platform)
        budgets = BudgetService(db, platform.hardware.currency)
        usage = stack.enter_context(closing(UsageMeter(db)))
        rates = stack.enter_context(closing(Shared(db)))
        load = stack.enter_context(closing(LoadMeter(db)))
        passwords = Passwords()
        vault = Vault(settings.approval_ttl_s)
        tokens, sessions = TokenService(db, passes), SessionService(db, passwords)
        yield Services(
            settings=settings,
            db=db,
            blobs=blobs,
            git=git,
            lfs=lfs,
            xet=XetService(db, xorbs, objects, lfs),
            users=UserService(db, settings, passwords),
            orgs=OrgService(db),
            tokens=tokens,
            sessions=sessions,
            device_logins=DeviceLogins(db, tokens, sessions),
            ssh_keys=SshKeyService(db),
            repos=repos,
            search=SearchService(db),
            files=files,
            history=HistoryService(db, git, files),
            access=AccessService(db),
            gating=GateService(db),
            social=SocialService(db),
            downloads=DownloadCounter(db),
            tags=TagService(db),
            collections=CollectionService(db),
            spaces=spaces,
            lineage=LineageService(db),
            discussions=DiscussionService(db),
            pulls=PullService(db, git, files, repos),
            merges=MergeService(db, git, files),
            events=EventService(db),
            jobs=jobs,
            platform=platform,
            deployments=deployments,
            space_runs=SpaceRuns(db, git, files, platform, deployments),
            training=open_training(settings, db, git, files, repos, jobs, platform, JobFiles(db, blobs, passes)),
            load=load,
            usage=usage,
            compute=ComputeMeter(db),
            reports=UsageReports(db, usage),
            budgets=budgets,
            rates=rates,
            webhooks=WebhookService(db, SecretBox(settings), settings.webhook_hosts),
            notices=NoticeService(db),
            queries=queries,
            approvals=ApprovalService(db, settings.approval_ttl_s, vault),
            conversations=ConversationService(db, blobs, settings.max_attachment_mb * MIB),
            bridges=BridgeService(db),
            vault=vault,
            heavy_reads=Gate(parallel=4, waiting=12, wait_s=10.0),
        )


def _git_limits(settings: Settings) -> GitLimits:
    return GitLimits(max_pack_bytes=settings.max_body_mb * MIB, max_object_bytes=settings.max_git_file_mb * MIB)

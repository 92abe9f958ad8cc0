"""Opens the service with a trainer for this machine, and one for each cluster that may train."""

from __future__ import annotations

from hub_core.clusters.kubernetes.cluster import KubernetesCluster
from hub_core.clusters.kubernetes.options import read_options
from hub_core.db import Database
from hub_core.deployments.platform import Platform
from hub_core.git import GitStore
from hub_core.jobs.service import JobService
from hub_core.repos.files import FileService
from hub_core.repos.service import RepoService
from hub_core.settings import Settings
from hub_core.training.cluster import ClusterTrainer
from hub_core.training.files import JobFiles
from hub_core.training.service import TrainingService
from hub_core.training.trainer import LocalTrainer, Trainer


def open_training(
    settings: Settings, db: Database, git: GitStore, files: FileService, repos: RepoService, jobs: JobService, platform: Platform,
    handed: JobFiles,
) -> TrainingService:  # fmt: skip
    """The service of this hub; nothing is sent to a cluster yet."""
    local = LocalTrainer(settings.data_dir)
    elsewhere: dict[str, Trainer] = {}
    if image := settings.cluster_train_image:
        for name, cluster in platform.clusters.items():
            if isinstance(cluster, KubernetesCluster):
                elsewhere[name] = ClusterTrainer(cluster.tasks, handed, local, image, read_options(settings).hub_url)
    return TrainingService(db, git, files, repos, jobs, platform, local, handed, elsewhere)

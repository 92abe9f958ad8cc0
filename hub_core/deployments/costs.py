"""What an hour of a deployment costs."""

from __future__ import annotations

from sqlalchemy.orm import Session

from hub_core.deployments.hardware import HardwareCatalogue
from hub_core.deployments.tables import Deployment, DeploymentRevision
from hub_core.running_errors import NoSuchHardware


def price_of(catalogue: HardwareCatalogue, hardware: str) -> float:
    """An hour of one copy on a stored hardware; 0 when the operator took it out of the catalogue."""
    try:
        return catalogue.get(hardware).price
    except NoSuchHardware:
        return 0.0


def per_hour(session: Session, catalogue: HardwareCatalogue, row: Deployment) -> float:
    """An hour of all copies that shall run now; of two revisions the older one keeps all of its own."""
    copies = 0 if row.stopped else row.replicas
    numbers = [number for number in (row.revision, row.base) if number is not None]
    found = [session.get_one(DeploymentRevision, (row.id, number)) for number in numbers] if copies else []
    return sum(copies * price_of(catalogue, revision.hardware) for revision in found)

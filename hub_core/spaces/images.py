"""Images of Spaces with a Dockerfile: what they are called, and where they are built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub_core.clusters.port import Tasks
from hub_core.errors import InvalidInput
from hub_core.repos.tables import Repo

DOCKER = "docker"
DOCKERFILE = "Dockerfile"
USUAL_PORT = 7860
IMAGE = "image"  # the option of a revision that names its image, once there is one
MAX_PART = 60
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Images:
    """Where images are built.

    Attributes:
        registry: what their names begin with.
        builder: the image that builds them; `seconds`: how long it may take, waiting included.
        tasks: the clusters that do it, by name.
    """

    registry: str
    builder: str
    seconds: int
    tasks: Mapping[str, Tasks]

    def name_of(self, repo: Repo) -> str:
        """The name that images of a Space are pushed under. Two Spaces never have the same: it ends with the number of the repo."""
        return f"{self.registry}/{_part(repo.namespace)}/{_part(repo.name)}-{repo.id}"


def _part(name: str) -> str:
    """A name as part of an image's: lower-case letters and digits, with single `-` between them."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:MAX_PART].strip("-") or "x"


def app_port(said: object) -> int:
    """The port that the card says its app listens on.

    Raises:
        InvalidInput: it is no port.
    """
    if said is None:
        return USUAL_PORT
    number = int(str(said)) if re.fullmatch(r"[0-9]{1,5}", str(said)) and not isinstance(said, bool) else 0
    if not 1 <= number <= 65535:
        raise InvalidInput(f"'app_port: {str(said)[:40]}' in the card is no port.", hint="A number from 1 to 65535, for example 7860.")
    return number


def image_of(options: Mapping[str, Any]) -> str:
    """The image of a revision, by its digest; empty where it is not built yet."""
    return str(options.get(IMAGE, ""))

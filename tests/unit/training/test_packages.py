"""The packages of training programs are pinned once for the hub and once for people; both say the same."""

from __future__ import annotations

import tomllib

from hub_core.runtimes.catalogue import load_runtimes
from hub_core.training.trainer import PACKAGES
from tests.architecture.sources import ROOT


def test_the_extra_has_the_same_pins() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(extras["finetune"]) == set(PACKAGES.requirements)


def test_what_is_trained_is_served_by_the_same_versions() -> None:
    """A model is written by one transformers and read by the other."""
    local = load_runtimes().get("transformers").local
    assert local is not None
    served = {one.replace("[serving]", "") for one in local.requirements}
    assert served <= set(PACKAGES.requirements)

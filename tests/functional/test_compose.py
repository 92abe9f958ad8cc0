"""compose.yaml fits the Compose schema, keeps secrets out, and says to the hub what the hub understands."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hub_core.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "compose.yaml"
EXAMPLE = ROOT / "deploy" / "compose.env.example"
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(?::([-?])([^}]*))?\}")


@cache
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    return found


def example() -> dict[str, str]:
    lines = (line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def filled(text: str, values: dict[str, str]) -> str:
    return VARIABLE.sub(lambda found: values.get(found[1]) or (found[3] if found[2] == "-" else ""), text)


def test_the_file_fits_the_compose_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_check_would_see_a_mistake(tmp_path: Path) -> None:
    broken = tmp_path / "compose.yaml"
    broken.write_text(FILE.read_text(encoding="utf-8").replace("restart:", "restrat:"), encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(broken)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_the_hub_reads_its_environment() -> None:
    """With the example filled in, the stack means PostgreSQL and the object store."""
    values = {name: value or "s3cr3t" for name, value in example().items()}
    environment = {name: filled(str(text), values) for name, text in services()["hub"]["environment"].items()}
    settings = load_settings(environment)
    assert settings.database == "postgresql+psycopg://hubtalk:s3cr3t@database/hubtalk"
    assert settings.storage == "s3://hubtalk"
    assert settings.s3_endpoint_url == "http://objects:8333"
    assert settings.s3_public_url == "http://localhost:8333"
    assert settings.admin_password == "s3cr3t"


def test_the_example_names_every_value_that_is_needed_and_holds_no_secret() -> None:
    needed = {found[1] for found in VARIABLE.finditer(FILE.read_text(encoding="utf-8")) if found[2] == "?"}
    assert needed == set(example())
    assert not [name for name, value in example().items() if value and ("PASSWORD" in name or "SECRET" in name)]


def test_no_secret_is_written_into_the_file() -> None:
    secrets = re.findall(r"^\s+\w*(?:PASSWORD|SECRET|KEY)\w*: (.+)$", FILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert secrets
    assert all(value.startswith("${") for value in secrets)


def test_every_image_has_a_version() -> None:
    images = [service["image"] for service in services().values()]
    assert not [image for image in images if ":" not in image or image.endswith(":latest")]


def test_the_store_and_the_hub_share_their_keys() -> None:
    hub, store = services()["hub"]["environment"], services()["objects"]["environment"]
    assert hub["HUB_S3_ACCESS_KEY"] == store["AWS_ACCESS_KEY_ID"]
    assert hub["HUB_S3_SECRET_KEY"] == store["AWS_SECRET_ACCESS_KEY"]


def test_every_part_tells_whether_it_is_well() -> None:
    """The hub's own check is in its image."""
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert all("healthcheck" in service for name, service in services().items() if name != "hub")


def test_the_image_does_not_run_as_root() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("USER ")][-1] not in {"USER root", "USER 0"}
    assert lines.index("USER hubtalk") < next(n for n, line in enumerate(lines) if line.startswith("CMD"))

"""The schema of the Helm chart's values names every setting of the hub: a typing error is refused before anything is installed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from hub_core.settings import PREFIX, Settings

SCHEMA = Path(__file__).parents[1] / "deploy" / "chart" / "values.schema.json"
FIXED = {"HUB_DATA_DIR", "HUB_HOST", "HUB_PORT", "HUB_SSH_PORT", "HUB_CLUSTER_KUBECONFIG"}
"""Settings that follow from other values of the chart."""
NOT_SERVED = {"HUB_TOKEN"}
"""Settings of other commands than `hubtalk serve`."""
WITH_PASSWORD = {"HUB_DATABASE_URL"}
"""No secrets by themselves, but what is in them may be."""


def schema() -> str:
    """The schema with the settings of today: plain ones under `settings`, secret ones under `secrets`."""
    body = json.loads(SCHEMA.read_text(encoding="utf-8"))
    taken: dict[str, dict[str, object]] = {"settings": {}, "secrets": {}}
    for spec in dataclasses.fields(Settings):
        name = PREFIX + spec.name.upper()
        secret = spec.metadata["secret"] or name in WITH_PASSWORD
        if name not in FIXED | NOT_SERVED:
            kinds = "string" if secret else ["string", "number", "boolean"]
            taken["secrets" if secret else "settings"][name] = {"description": spec.metadata["help"], "type": kinds}
    for key, known in taken.items():
        body["properties"][key] = {"type": "object", "additionalProperties": False, "properties": known}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"

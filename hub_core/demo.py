"""Small demo assets for an empty hub, so that a newcomer has something to talk about."""

from __future__ import annotations

import io
import json
import struct

import pyarrow as pa
import pyarrow.parquet as pq

from hub_core.accounts.tables import User
from hub_core.authz import Actor, CredentialKind, Scope, Visibility
from hub_core.demo_texts import answer_files, app_files
from hub_core.git import FileChange
from hub_core.repos.kinds import RepoKind
from hub_core.services import Services

ORG = "demo"


def add_demo(services: Services, admin: User) -> None:
    """Make the organisation `demo` with a model, three datasets, a code repo and a Space, in the name of `admin`."""
    actor = Actor(admin.id, admin.username, True, CredentialKind.SYSTEM, Scope.ADMIN, channel="setup")
    services.orgs.create(actor, ORG, "Small assets to try the hub with.")
    _repo(services, actor, "tiny-sentiment", RepoKind.MODEL, Visibility.INTERNAL, _model_files(), "Add a tiny classifier")
    _repo(services, actor, "support-tickets", RepoKind.DATASET, Visibility.INTERNAL, _ticket_files(), "Add a week of tickets")
    _repo(services, actor, "city-weather", RepoKind.DATASET, Visibility.PRIVATE, _weather_files(), "Add measurements")
    _repo(services, actor, "support-answers", RepoKind.DATASET, Visibility.INTERNAL, answer_files(), "Add answered questions")
    _repo(services, actor, "ticket-sorter", RepoKind.SPACE, Visibility.INTERNAL, app_files(), "Add the app")
    _repo(services, actor, "hello-hub", RepoKind.CODE, Visibility.INTERNAL, _code_files(), "Add the first script")


def _repo(
    services: Services, actor: Actor, name: str, kind: RepoKind, visibility: Visibility, files: dict[str, bytes], message: str
) -> None:
    made = services.repos.create(actor, f"{ORG}/{name}", kind, visibility)
    repo = services.repos.find(actor, f"{kind}:{made.id}")
    services.files.commit(actor, repo, [FileChange(path, content) for path, content in files.items()], message)


def _model_files() -> dict[str, bytes]:
    shapes = {"embedding.weight": [512, 16], "classifier.weight": [2, 16], "classifier.bias": [2]}
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    weights = struct.pack("<Q", len(text)) + text + bytes(offset)
    readme = (
        "---\nlicense: apache-2.0\nlanguage: [en]\npipeline_tag: text-classification\ntags: [demo, sentiment]\n"
        "datasets: [demo/support-tickets]\n---\n\n# tiny-sentiment\n\nTells grumpy tickets from happy ones. A demo: its weights are all zero.\n"
    )
    config = {"architectures": ["BertForSequenceClassification"], "model_type": "bert", "max_position_embeddings": 128}
    return {"README.md": readme.encode(), "config.json": json.dumps(config, indent=2).encode() + b"\n", "model.safetensors": weights}


def _ticket_files() -> dict[str, bytes]:
    teams = ("billing", "login", "shipping")
    rows = [f"{number},{teams[number % 3]},{('low', 'normal', 'high')[number * 7 % 3]},{5 + number * 13 % 50}" for number in range(1, 41)]
    readme = "---\nlicense: cc-by-4.0\ntags: [demo, support]\ntask_categories: [text-classification]\n---\n\n# support-tickets\n\nA week of support tickets.\n"
    return {"README.md": readme.encode(), "data/tickets.csv": ("id,team,priority,minutes\n" + "\n".join(rows) + "\n").encode()}


def _weather_files() -> dict[str, bytes]:
    cities = ["Seoul", "Tokyo", "Shanghai", "Berlin"]
    table = pa.table(
        {
            "city": [cities[n % 4] for n in range(48)],
            "month": [n // 4 + 1 for n in range(48)],
            "celsius": [round(12 + 11 * ((n // 4) % 7 - 3) / 3 + n % 4, 1) for n in range(48)],
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return {
        "README.md": b"---\nlicense: mit\ntags: [demo, weather]\n---\n\n# city-weather\n\nMonthly means of four cities.\n",
        "weather.parquet": buffer.getvalue(),
    }


def _code_files() -> dict[str, bytes]:
    script = 'print("hello, hub")\n'
    return {"README.md": b"# hello-hub\n\nA script to try `git clone` with.\n", "hello.py": script.encode()}

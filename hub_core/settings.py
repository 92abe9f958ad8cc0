"""Settings: the only reader of the environment. Every field has a heading in `docs/settings.md`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hub_core.errors import InvalidInput


def _setting(default: Any, help_text: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"help": help_text, "secret": secret}, repr=not secret)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured. The environment variable of a field is `HUB_` and its name in capitals."""

    data_dir: Path = _setting(Path("data"), "Folder for the database, blobs, caches and logs of a hub without external services.")
    host: str = _setting("127.0.0.1", "Address the server listens on.")
    port: int = _setting(8000, "Port the server listens on.")
    ssh_port: int = _setting(0, "Port for Git over SSH on the same address; 0: no SSH. -1: any free port.")
    public_url: str = _setting("", "Address that people and clients use, e.g. `https://hub.example.com`; empty: taken from each request.")
    database_url: str = _setting(
        "", "SQLAlchemy URL; empty: SQLite in the data folder. PostgreSQL: `postgresql+psycopg://user:password@host/db`."
    )
    storage_url: str = _setting("", "Where blobs live: `file:///path` or `s3://bucket/prefix`; empty: `blobs` in the data folder.")
    s3_endpoint_url: str = _setting("", "Endpoint of an S3-compatible store.")
    s3_public_url: str = _setting(
        "",
        "Address under which Git LFS clients reach the store, where it is not the endpoint that the hub uses; downloads go there directly.",
    )
    s3_access_key: str = _setting("", "Access key of the store.", secret=True)
    s3_secret_key: str = _setting("", "Secret key of the store.", secret=True)
    s3_timeout_s: float = _setting(20.0, "Longest silence of the store, in seconds, before a request is sent again (three times at most).")
    admin_password: str = _setting(
        "", "Password of the user `admin`, set when that user is made at first start; empty: one is made up and printed once.", secret=True
    )
    admin_token: str = _setting("", "A token of the user `admin`, accepted from the first start on (for automation).", secret=True)
    secret_key: str = _setting(
        "",
        "Key that secrets of Spaces are encrypted with before they are stored: at least 32 characters, the same on every node."
        " Empty: on SQLite a key is made and kept in `secret.key` in the data folder; on PostgreSQL no secrets can be stored.",
        secret=True,
    )
    demo: bool = _setting(True, "Add small demo assets to an empty hub at first start (0 or 1).")
    llm: str = _setting("builtin", "`builtin` for the planner that needs no model, or `provider:model` for LangChain's `init_chat_model`.")
    llm_base_url: str = _setting("", "Base address of an OpenAI-compatible server.")
    llm_api_key: str = _setting("", "Key for that server.", secret=True)
    token: str = _setting("", "Token that `hubtalk chat --url` sends to a hub elsewhere.", secret=True)
    log_level: str = _setting("info", "`debug`, `info`, `warning` or `error`.")
    max_body_mb: int = _setting(4096, "Largest pack or commit body, in MiB. LFS objects are not limited by it.")
    max_git_file_mb: int = _setting(100, "Largest file in a push outside Git LFS, in MiB.")
    max_lfs_gb: int = _setting(200, "Largest LFS object, in GiB.")
    repo_quota_gb: float = _setting(0.0, "Most that a repo may take, history and large files together, in GiB; 0: no limit.")
    owner_quota_gb: float = _setting(0.0, "Most that all repos of a person or of an organisation may take together, in GiB; 0: no limit.")
    max_attachment_mb: int = _setting(1024, "Largest file put into a conversation, in MiB.")
    llm_timeout_s: float = _setting(60.0, "Longest wait for the language model to go on answering, in seconds.")
    query_timeout_s: float = _setting(10.0, "Longest time of one dataset query, in seconds.")
    query_memory_mb: int = _setting(512, "Most memory of one dataset query, in MiB.")
    webhook_hosts: str = _setting(
        "",
        "Hosts that webhooks may reach although they are local to the hub's machine (loopback, link-local): `host` or `host:port`, with commas."
        " Private networks need not be listed.",
    )
    catalog_dir: str = _setting(
        "", "Folder with the operator's own `hardware.yaml` (hardware and prices) and `runtimes/*.yaml`; empty: only those of hubtalk."
    )
    clusters: str = _setting(
        "",
        "Kubernetes clusters beside this machine: kubeconfig contexts with commas, each as `CONTEXT` or `NAME=CONTEXT`; `in-cluster` is the one"
        " that the hub runs in.",
    )
    cluster_kubeconfig: str = _setting("", "Path of the kubeconfig; empty: where kubectl looks.")
    cluster_namespace_prefix: str = _setting(
        "hubtalk-", "What the namespaces of owners begin with; two hubs in one cluster need different ones (at most 14 characters)."
    )
    cluster_hub_url: str = _setting("", "Address of the hub as pods reach it, to download models; empty: `HUB_PUBLIC_URL`.")
    cluster_address: str = _setting(
        "pods",
        "How the hub reaches what runs in a cluster: `pods` where it has a route to pods, or a base address with `{cluster}`, `{namespace}`,"
        " `{service}`, `{port}`, such as `http://{service}.{namespace}.svc:{port}`.",
    )
    cluster_peers: str = _setting(
        "hubtalk",
        "Where the hub (and the store that it sends downloads to) is, as pods see it: names of namespaces and address ranges with commas."
        " Nothing else may speak to pods or be reached by them.",
    )
    cluster_fetch_image: str = _setting(
        "docker.io/library/python:3.13-alpine",
        "Image of the container that downloads a model before its server starts; it needs `python3`.",
    )
    cluster_train_image: str = _setting(
        "",
        "Image for fine-tunes and evaluations in clusters, with `python3` and the packages torch, transformers (5.0 or newer), peft,"
        " accelerate, safetensors and gguf; empty: they run on the hub's machine only.",
    )
    cluster_train_jobs: bool = _setting(
        False,
        "Fine-tunes and evaluations are TrainJobs of Kubeflow (`trainer.kubeflow.org/v1alpha1`) in clusters that have it, and plain Jobs"
        " elsewhere.",
    )
    cluster_space_image: str = _setting(
        "",
        "Image that Spaces run with in clusters, with `python3` and pip, such as `docker.io/library/python:3.13-slim`; what it has of their"
        " packages is not installed again. Empty: Spaces run on the hub's machine only.",
    )
    cluster_space_index: str = _setting(
        "",
        "Package index that pods of Spaces install from, which must be among `HUB_CLUSTER_PEERS`; empty: where pip looks by itself.",
    )
    cluster_space_registry: str = _setting(
        "",
        "Where images of Spaces with a Dockerfile are pushed to: a registry with a path, such as `registry.example.com/spaces`. Together with"
        " `HUB_CLUSTER_BUILD_NAMESPACE` it lets such Spaces run in clusters; empty: they do not run.",
    )
    cluster_registry_secret: str = _setting(
        "",
        "Name of a Secret of the type `kubernetes.io/dockerconfigjson` for that registry: builds push with the one in"
        " `HUB_CLUSTER_BUILD_NAMESPACE`, and pods pull with the one in their owner's namespace, where there is one. Empty: none is needed.",
    )
    cluster_build_namespace: str = _setting(
        "",
        "Namespace that builds run in, which must be there: their pods need more than the namespaces of owners let pods have"
        " (docs/spaces.md#images-from-a-dockerfile).",
    )
    cluster_build_image: str = _setting("docker.io/moby/buildkit:v0.31.1-rootless", "Image that builds run with: BuildKit, rootless.")
    cluster_build_peers: str = _setting(
        "",
        "What builds reach besides `HUB_CLUSTER_PEERS`: the registry, and where base images and packages come from, as names of namespaces"
        " and address ranges with commas.",
    )
    cluster_build_minutes: int = _setting(30, "Longest time of a build, waiting included, in minutes.")
    cluster_build_gb: float = _setting(10.0, "Most that a build may take on the disk of its node, in GiB.")
    cluster_quota: str = _setting(
        "pods=100", "What each owner may take of a cluster: `pods`, `cpu`, `memory` and `gpu` with commas, such as `pods=50,gpu=8`."
    )
    cluster_timeout_s: float = _setting(10.0, "Longest wait for an answer of a cluster, in seconds.")
    deployment_grace_s: int = _setting(
        60, "How long models go on running on this machine after the hub stopped, in seconds; a hub that is back by then takes them over."
    )
    deployment_idle_s: int = _setting(
        900, "After how many seconds without a request a deployment that was scaled to zero goes back to sleep once a request has woken it."
    )
    deployment_wake_s: int = _setting(120, "Longest wait of a request for a deployment that it woke, in seconds.")
    space_disk_gb: float = _setting(2.0, "Most that the files of a Space that runs may take, in GiB.")
    space_install_gb: float = _setting(6.0, "Most that the packages of one Space may take, in GiB.")
    spaces_unconfined: bool = _setting(
        False,
        "Run Spaces on this machine although its kernel cannot shut them in (0 or 1). Their code can then read and change whatever the hub"
        " can: only for a hub whose every writer is trusted like its operator.",
    )
    gateway_requests: int = _setting(600, "Most requests of a signed-in person to models in a minute; 0: no limit.")
    gateway_tokens: int = _setting(1_000_000, "Most tokens of a signed-in person in a minute, in and out; 0: no limit.")
    gateway_parallel: int = _setting(64, "Most requests of a signed-in person to models at once; 0: no limit.")
    gateway_anonymous_requests: int = _setting(
        30, "Most requests to public models in a minute from one address that is not signed in; 0: no limit."
    )
    gateway_anonymous_tokens: int = _setting(20_000, "Most tokens in a minute for one address that is not signed in; 0: no limit.")
    gateway_anonymous_parallel: int = _setting(2, "Most requests at once from one address that is not signed in; 0: no limit.")
    gateway_deployment_requests: int = _setting(0, "Most requests to one deployment in a minute, of everybody together; 0: no limit.")
    gateway_deployment_tokens: int = _setting(0, "Most tokens of one deployment in a minute, of everybody together; 0: no limit.")
    gateway_deployment_parallel: int = _setting(256, "Most requests to one deployment at once, of everybody together; 0: no limit.")
    slack_bot_token: str = _setting("", "Token of the hub's app on Slack (`xoxb-...`); empty: no Slack.", secret=True)
    slack_app_token: str = _setting(
        "", "App-level token (`xapp-...`) for socket mode, in which the hub calls Slack and needs no public address.", secret=True
    )
    slack_signing_secret: str = _setting("", "What Slack signs its events with, where it calls the hub by HTTP.", secret=True)
    slack_api_url: str = _setting("https://slack.com/api/", "Address of Slack's Web API, where a proxy stands in between.")
    wechat_app_id: str = _setting("", "Id of a WeChat Official Account (AppID); empty: no WeChat.")
    wechat_app_secret: str = _setting("", "Its secret (AppSecret).", secret=True)
    wechat_token: str = _setting("", "The token (Token) that its callbacks are signed with, as in its console.", secret=True)
    wechat_aes_key: str = _setting(
        "", "The key (EncodingAESKey) that its callbacks are encrypted with; empty: they come in the clear.", secret=True
    )
    wechat_verified: bool = _setting(
        True,
        "Whether the account may send customer-service messages (0 or 1). If not, people send 1 to get what took longer than 4 seconds.",
    )
    wechat_api_url: str = _setting("https://api.weixin.qq.com", "Address of WeChat's API, where a proxy stands in between.")
    wecom_corp_id: str = _setting("", "Id of a corporation on WeCom (CorpID); empty: no application of WeCom.")
    wecom_agent_id: int = _setting(0, "Number of the application (AgentId).")
    wecom_secret: str = _setting("", "Its secret (Secret).", secret=True)
    wecom_token: str = _setting("", "The token (Token) that its callbacks are signed with, as in its console.", secret=True)
    wecom_aes_key: str = _setting("", "The key (EncodingAESKey) that its callbacks are encrypted with.", secret=True)
    wecom_api_url: str = _setting("https://qyapi.weixin.qq.com", "Address of WeCom's API, where a proxy stands in between.")
    wecom_bot_id: str = _setting("", "Id of an intelligent bot of WeCom (Bot ID); empty: no bot.")
    wecom_bot_secret: str = _setting("", "Its secret for long connections (Secret).", secret=True)
    wecom_bot_url: str = _setting("wss://openws.work.weixin.qq.com", "Address that the bot connects to.")
    approval_ttl_s: int = _setting(86400, "How long an approval waits for its answer, in seconds.")
    trash_days: int = _setting(30, "Days a deleted repo can be restored.")

    @property
    def database(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'hub.db').resolve()}"

    @property
    def storage(self) -> str:
        """The storage URL in force."""
        return self.storage_url or (self.data_dir / "blobs").resolve().as_uri()


PREFIX = "HUB_"


def load_settings(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read `HUB_*` from the environment; keyword arguments win over it.

    Raises:
        InvalidInput: a value does not have the type of its setting, or a `HUB_` variable is unknown (bridges' own prefixes excepted).
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for spec in fields(Settings):
        raw = environ.get(PREFIX + spec.name.upper())
        if raw is not None and raw != "":
            values[spec.name] = _cast(spec.name, str(spec.type), raw)
    values.update(overrides)
    return Settings(**values)


def _cast(name: str, type_name: str, raw: str) -> Any:
    try:
        match type_name:
            case "int":
                return int(raw)
            case "float":
                return float(raw)
            case "bool":
                return {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}[
                    raw.lower()
                ]
            case "Path":
                return Path(raw)
            case _:
                return raw
    except (ValueError, KeyError) as error:
        raise InvalidInput(f"{PREFIX}{name.upper()} must be a {type_name}, not '{raw}'.", hint="See docs/settings.md.") from error


def process_defaults() -> None:
    """Set what libraries read from the environment: nothing is traced to a third party, checkpoints revive known types only."""
    for name, value in {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false", "LANGGRAPH_STRICT_MSGPACK": "true"}.items():
        os.environ[name] = value


def foreign_environment() -> dict[str, str]:
    """The environment for installers and other programs that are not ours: all but the hub's own settings, which hold secrets."""
    return {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "CHAINLIT_"))}


def chat_page_environment(app_root: Path, secret: str) -> None:
    """Set what Chainlit reads from the environment while it is imported.

    Its own Slack, Teams, Discord and database integrations switch themselves on by generic variable names that
    people set for other programs, and it reads a `.env` file of the working directory: all of that stays off.
    """
    for name in (
        "DATABASE_URL", "LITERAL_API_KEY", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_WEBSOCKET_TOKEN", "TEAMS_APP_ID",
        "DISCORD_BOT_TOKEN", "CHAINLIT_CUSTOM_AUTH", "CHAINLIT_DEBUG", "CHAINLIT_URL", "CHAINLIT_PARENT_ROOT_PATH",
    ):  # fmt: skip
        os.environ.pop(name, None)
    os.environ.update(
        CHAINLIT_APP_ROOT=str(app_root),
        CHAINLIT_ROOT_PATH="/chat",
        CHAINLIT_AUTH_SECRET=secret,
        CHAINLIT_AUTH_COOKIE_NAME="hubtalk_chat",
        CHAINLIT_COOKIE_SAMESITE="lax",
        CHAINLIT_ENV_FILE=os.devnull,
        OTEL_SDK_DISABLED="true",
        TRACELOOP_TELEMETRY="false",
    )

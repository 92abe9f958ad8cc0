"""A Kubernetes API server to test against, over real HTTP: kmock's, with what kmock leaves out and the hub relies on.

Added: uids and versions of objects, namespaces, selectors by label, pages of lists, watches that begin at a version and are told when it is
forgotten, logs of pods, and faults on demand. Left out as in kmock: validation (tests validate by the official schemas), rights, conflicts.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp.web
import kmock
import yaml

from hub_core.clusters.kubernetes.api import Api
from hub_core.clusters.kubernetes.cluster import KubernetesCluster
from hub_core.clusters.kubernetes.connect import connect
from hub_core.clusters.kubernetes.options import PODS, Options

KINDS = (
    "apps/v1/deployments", "v1/services", "v1/secrets", "v1/pods", "v1/nodes", "v1/events", "v1/resourcequotas", "v1/spaces",
    "networking.k8s.io/v1/networkpolicies", "autoscaling/v2/horizontalpodautoscalers", "batch/v1/jobs",
)  # fmt: skip
KSERVE, KUEUE = "serving.kserve.io/v1beta1/inferenceservices", "kueue.x-k8s.io/v1beta1/localqueues"
METRICS = "metrics.k8s.io/v1beta1/pods"
KUBEFLOW = ("trainer.kubeflow.org/v1alpha1/trainjobs", "trainer.kubeflow.org/v1alpha1/trainingruntimes")
OPTIONS = Options("hubtalk-", "http://127.0.0.1:1", PODS, ("hubtalk",), (), "python:3", {"pods": "100"}, 5)
CLUSTER_WIDE = {"nodes", "spaces"}
NAMESPACES = "/api/v1/namespaces"
Fault = Callable[[str, str], int | None]
"""Given method and path, the status to fail with; 0 for no answer at all, None for none of it."""


class Failing(Exception):
    """A status that is no success."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status, self.message = status, message


class ApiServer(kmock.KubernetesEmulator):
    """The server; `FakeCluster` runs it."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 100
        self.forgotten = 0  # a watch from before this version is told to list anew
        self.news: list[tuple[int, Any, dict[str, Any]]] = []
        self.watches = 0  # another number ends the watches that are open
        self.open_watches = 0
        self.calls: list[tuple[str, str, Any]] = []
        self.asked: list[tuple[str, str, bool, str]] = []  # method, path, whether it watches, and who asks
        self.fault: Fault = lambda _method, _path: None
        self.log: Callable[[str, str, str, int], str | None] = lambda _namespace, _pod, _container, _lines: None
        self.changed: asyncio.Condition | None = None

    async def __call__(self, raw: aiohttp.web.BaseRequest) -> aiohttp.web.StreamResponse:
        path = raw.path
        self.asked.append((raw.method, path, "watch" in raw.query, raw.headers.get("user-agent", "")))
        status = self.fault(raw.method, path)
        if status == 0:
            await asyncio.sleep(60)
        if status:
            return refusal(status, "a fault of the test")
        if path == NAMESPACES or (path.startswith(NAMESPACES + "/") and path.count("/") == 4):
            # kmock cannot read the path of a namespace itself.
            raw = raw.clone(rel_url=path.replace(NAMESPACES, "/api/v1/spaces"))
        return await super().__call__(raw)

    async def _handle(self, request: kmock.Request) -> aiohttp.web.StreamResponse:
        try:
            self._prepare(request)
        except Failing as failing:
            return refusal(failing.status, failing.message)
        if request.subresource == "log":
            params = request.params
            lines = 10**6 if params.get("timestamps") else int(params.get("tailLines", 100))
            text = self.log(request.namespace or "", request.name or "", params.get("container", ""), lines)
            if text is None:
                return refusal(400, "container is waiting to start")
            return aiohttp.web.Response(text=stamped(text, params.get("sinceTime", "")) if params.get("timestamps") else text)
        return await super()._handle(request)

    def _prepare(self, request: kmock.Request) -> None:
        if request.action is kmock.action.CREATE and request.resource not in self._get_resources():
            raise Failing(404, "the server could not find the requested resource")
        self.calls.append((str(request.method.value), request.url.path, request.data))
        kind = request.resource.plural if request.resource else ""
        about = (request.data or {}).get("metadata", {}) if isinstance(request.data, dict) else {}
        if request.action is kmock.action.CREATE:
            if request.namespace and kind not in CLUSTER_WIDE and not self.has("v1/spaces", None, request.namespace):
                raise Failing(404, f'namespaces "{request.namespace}" not found')
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            about |= {"uid": str(uuid.uuid4()), "resourceVersion": self._next(), "creationTimestamp": now}
            request.data["metadata"] = about
        elif request.action is kmock.action.UPDATE:
            request.data["metadata"] = about | {"resourceVersion": self._next()}

    def has(self, resource: str, namespace: str | None, name: str) -> bool:
        key = (kmock.resource(resource), namespace, name)
        return key in self._objects and not self._objects[key].deleted

    def _next(self) -> str:
        self.version += 1
        return str(self.version)

    async def _note(self, kind: str, request: kmock.Request, body: Any) -> Any:
        raw = dict(body)
        if kind == "DELETED":
            raw["metadata"] = dict(raw["metadata"]) | {"resourceVersion": self._next()}
        self.news.append((int(raw["metadata"]["resourceVersion"]), request.resource, {"type": kind, "object": raw}))
        assert self.changed is not None
        async with self.changed:
            self.changed.notify_all()
        return body

    async def _serve_create(self, request: kmock.Request) -> Any:
        return await self._note("ADDED", request, await super()._serve_create(request))

    async def _serve_update(self, request: kmock.Request) -> Any:
        return await self._note("MODIFIED", request, await super()._serve_update(request))

    async def _serve_delete(self, request: kmock.Request) -> Any:
        return await self._note("DELETED", request, await super()._serve_delete(request))

    async def _serve_list(self, request: kmock.Request) -> Any:
        version = self.version
        found = (await super()._serve_list(request))["items"]
        items = [body for body in found if fits(body, request.params)]
        first = int(request.params.get("continue") or 0)
        size = int(request.params.get("limit") or len(items) or 1)
        about = {"resourceVersion": str(version)}
        if first + size < len(items):
            about["continue"] = str(first + size)
        return {"metadata": about, "items": items[first : first + size]}

    async def _serve_watch(self, request: kmock.Request) -> AsyncIterator[Any]:
        if request.resource not in self._get_resources():
            raise kmock.KubernetesResourceNotFoundError()
        since, generation = int(request.params.get("resourceVersion") or 0), self.watches
        yield b""
        if since < self.forgotten:
            yield {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
            return
        seen = len(self.news) - sum(version > since for version, _, _ in self.news)
        self.open_watches += 1
        try:
            while generation == self.watches:
                fresh, seen = self.news[seen:], len(self.news)
                for version, resource, event in fresh:
                    if resource == request.resource and version > since and fits(event["object"], request.params):
                        yield event
                assert self.changed is not None
                async with self.changed:
                    if seen == len(self.news) and generation == self.watches:
                        await self.changed.wait()
        finally:
            self.open_watches -= 1


def stamped(text: str, since: str) -> str:
    """A log with the times of its lines, ten thousand of them in a second; those of the second `since` and after it."""
    base = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    found = []
    for number, line in enumerate(text.splitlines()):
        at = base + dt.timedelta(microseconds=100 * number)
        if f"{at:%Y-%m-%dT%H:%M:%S}Z" >= since:
            found.append(f"{at:%Y-%m-%dT%H:%M:%S.%f}000Z {line}\n")
    return "".join(found)


def refusal(status: int, message: str) -> aiohttp.web.Response:
    body = {"kind": "Status", "status": "Failure", "code": status, "message": message}
    return aiohttp.web.json_response(body, status=status)


def fits(body: Any, params: Any) -> bool:
    labels = body.get("metadata", {}).get("labels") or {}
    for part in filter(None, (params.get("labelSelector") or "").split(",")):
        key, _, value = part.partition("=")
        if labels.get(key) != value:
            return False
    return True


class FakeCluster:
    """An API server in a thread, with a kubeconfig; objects are read and written with plain calls."""

    def __init__(self, folder: Path, *, kserve: bool = False, kueue: bool = False, metrics: bool = False, kubeflow: bool = False) -> None:
        self.folder = folder
        self.server = ApiServer()
        more = [KSERVE] * kserve + [KUEUE] * kueue + [METRICS] * metrics + [*KUBEFLOW] * kubeflow
        for kind in (*KINDS, *more):
            self.server.resources[kind] = kmock.ResourceInfo(namespaced=kind.split("/")[-1] not in CLUSTER_WIDE)
        self._loop = asyncio.new_event_loop()
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self.url = ""

    def start(self, port: int | None = None) -> None:
        self._port = port
        self._thread.start()
        assert self._ready.wait(10)
        self.kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1", "kind": "Config", "current-context": "fake",
                    "clusters": [{"name": "c", "cluster": {"server": self.url}}],
                    "contexts": [{"name": "fake", "context": {"cluster": "c", "user": "u"}}],
                    "users": [{"name": "u", "user": {"token": "secret-of-the-cluster"}}],
                }
            )
        )  # fmt: skip

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self.server.changed = asyncio.Condition()
        async with self.server, kmock.Server(self.server, port=self._port) as server:
            self.url = f"http://127.0.0.1:{server.port}"
            self._ready.set()
            await self._stop.wait()
            self._end_watches()
            await self._tell()
            await asyncio.sleep(0.05)

    # -- what tests do ---------------------------------------------------------------------------------------------

    def _end_watches(self) -> None:
        self.server.watches += 1

    async def _tell(self) -> None:
        assert self.server.changed is not None
        async with self.server.changed:
            self.server.changed.notify_all()

    def run(self, work: Any) -> Any:
        """Run a coroutine where the server runs."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def end_watches(self) -> None:
        """All watches end, as they do every few minutes."""
        self._end_watches()
        self.run(self._tell())

    def forget(self) -> None:
        """The versions of before are forgotten: whoever watches must list anew."""
        self.server.forgotten = self.server.version + 1
        self.server._next()
        self.end_watches()

    def objects(self, resource: str) -> list[dict[str, Any]]:
        """All objects of a kind."""
        wanted = kmock.resource(resource)
        return [found.raw for (kind, _, _), found in list(self.server.objects.items()) if kind == wanted and not found.deleted]

    def calls(self, method: str = "", part: str = "") -> list[tuple[str, str, Any]]:
        """What was asked of the server: method, path and body."""
        return [call for call in list(self.server.calls) if (not method or call[0].upper() == method) and part in call[1]]


def open_cluster(fake: FakeCluster, pass_for: Callable[[int], str] = lambda _: "pass", options: Options = OPTIONS) -> KubernetesCluster:
    """The cluster as a hub opens it; not started."""
    return KubernetesCluster(Api(connect("fake", str(fake.kubeconfig)), "fake", timeout_s=2), options, pass_for)


@contextmanager
def fake_cluster(folder: Path, **options: bool) -> Iterator[FakeCluster]:
    """A running API server without nodes and pods; see `fake_kubelet` for what brings it to life."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = FakeCluster(folder, **options)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.close()


def decoded(secret: dict[str, Any]) -> dict[str, str]:
    """What is in a Secret."""
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}

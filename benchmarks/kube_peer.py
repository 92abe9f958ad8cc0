"""A small API server of Kubernetes in memory, to measure what a hub asks of one: `python -m benchmarks.kube_peer PORT`.

It keeps what it is sent, tells those who watch, and plays the controllers: each Deployment gets its pods, which run at once. `/bench/churn`
lets pods change so many times a second.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from typing import Any

import orjson
from aiohttp import web

NODES = 100
POD_S = 0.2
Key = tuple[str, str]
Body = dict[str, Any]


class Server:
    """All objects, by kind."""

    def __init__(self) -> None:
        self.kinds: dict[str, dict[Key, Body]] = {}
        self.news: dict[str, list[tuple[int, bytes]]] = {}
        self.version = 0
        self.changed = asyncio.Condition()
        self.tasks: set[asyncio.Task[None]] = set()
        for number in range(NODES):
            has = {"cpu": "64", "memory": "512Gi"}
            status = {"allocatable": has, "conditions": [{"type": "Ready", "status": "True"}]}
            self.kinds.setdefault("nodes", {})["", f"node-{number}"] = {
                "metadata": {"name": f"node-{number}", "uid": f"n{number}"},
                "status": status,
            }

    async def note(self, kind: str, event: str, body: Body) -> None:
        """Give an object a version, and tell those who watch."""
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.news.setdefault(kind, []).append((self.version, orjson.dumps({"type": event, "object": body}) + b"\n"))
        async with self.changed:
            self.changed.notify_all()

    async def put(self, kind: str, body: Body) -> Body:
        """Make an object."""
        about = body["metadata"]
        about["uid"] = f"{kind}-{self.version}"
        self.kinds.setdefault(kind, {})[about.get("namespace", ""), about["name"]] = body
        await self.note(kind, "ADDED", body)
        return body

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One request, as an API server reads its path."""
        parts = request.path.strip("/").split("/")
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        kind, name = rest[0], rest[1] if len(rest) > 1 else ""
        if parts[0] == "apis" and parts[1] not in ("apps", "networking.k8s.io"):
            return web.json_response({"message": "no such kind"}, status=404)
        kept = self.kinds.setdefault(kind, {})
        if request.method == "GET" and "watch" in request.query:
            return await self._watch(request, kind)
        if request.method == "GET":
            return _answer({"metadata": {"resourceVersion": str(self.version)}, "items": list(kept.values())})
        if request.method == "POST":
            body = orjson.loads(await request.read())
            if (namespace, body["metadata"]["name"]) in kept:
                return web.json_response({"message": "exists"}, status=409)
            made = await self.put(kind, body)
            if kind == "deployments":
                task = asyncio.create_task(self._pods(made))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            return _answer(made)
        if (namespace, name) not in kept:
            return web.json_response({"message": "not there"}, status=404)
        if request.method == "PATCH":
            merge(kept[namespace, name], orjson.loads(await request.read()))
            await self.note(kind, "MODIFIED", kept[namespace, name])
            return _answer(kept[namespace, name])
        gone = kept.pop((namespace, name))
        await self.note(kind, "DELETED", gone)
        return _answer(gone)

    async def _watch(self, request: web.Request, kind: str) -> web.StreamResponse:
        since = int(request.query.get("resourceVersion") or 0)
        answer = web.StreamResponse()
        await answer.prepare(request)
        news = self.news.setdefault(kind, [])
        seen = sum(version <= since for version, _ in news)
        while True:
            if seen < len(news):
                await answer.write(b"".join(line for _, line in news[seen:]))
                seen = len(news)
            async with self.changed:
                if seen == len(news):
                    await self.changed.wait()

    async def _pods(self, deployment: Body) -> None:
        about, template = deployment["metadata"], deployment["spec"]["template"]
        for number in range(deployment["spec"]["replicas"]):
            pod = {
                "metadata": {"name": f"{about['name']}-{number}", "namespace": about["namespace"], **template["metadata"]},
                "spec": {**template["spec"], "nodeName": f"node-{random.randrange(NODES)}"},
                "status": {"phase": "Pending"},
            }
            await self.put("pods", pod)
            await asyncio.sleep(POD_S)
            pod["status"] = status_of(pod, ready=True)
            await self.note("pods", "MODIFIED", pod)

    async def churn(self, request: web.Request) -> web.Response:
        """Let random pods become ready or not, `rate` times a second for `seconds`; all are ready at the end."""
        rate, seconds = float(request.query["rate"]), float(request.query["seconds"])
        pods, began, done = list(self.kinds["pods"].values()), time.monotonic(), 0
        while (now := time.monotonic() - began) < seconds:
            while done < now * rate:
                pod = random.choice(pods)
                pod["status"] = status_of(pod, ready=random.random() < 0.5)
                await self.note("pods", "MODIFIED", pod)
                done += 1
            await asyncio.sleep(0.002)
        for pod in pods:
            pod["status"] = status_of(pod, ready=True)
            await self.note("pods", "MODIFIED", pod)
        return _answer({"changes": done, "version": self.version})

    async def about(self, _request: web.Request) -> web.Response:
        """The newest version of all."""
        return _answer({"version": self.version})


def status_of(pod: Body, *, ready: bool) -> Body:
    """The status of a pod that runs."""
    return {
        "phase": "Running", "podIP": f"10.{hash(pod['metadata']['name']) % 200}.0.9",
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": str(ready)}],
        "containerStatuses": [
            {"name": "server", "image": "x", "ready": ready, "started": True, "restartCount": 0, "state": {"running": {"startedAt": "2026-11-23T10:00:00Z"}}}
        ],
    }  # fmt: skip


def merge(body: Body, patch: Body) -> None:
    """RFC 7386, in place."""
    for key, value in patch.items():
        if value is None:
            body.pop(key, None)
        elif isinstance(value, dict) and isinstance(body.get(key), dict):
            merge(body[key], value)
        else:
            body[key] = value


def _answer(body: Any) -> web.Response:
    return web.Response(body=orjson.dumps(body), content_type="application/json")


async def _app() -> web.Application:
    server, app = Server(), web.Application(client_max_size=1 << 26)
    app.router.add_get("/bench/churn", server.churn)
    app.router.add_get("/bench/about", server.about)
    app.router.add_route("*", "/{path:.*}", server.serve)
    return app


if __name__ == "__main__":
    web.run_app(_app(), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)

"""The ASGI root: the whole hub in one application."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from chat_ui.addresses import AddressRoute, addresses_router
from chat_ui.api_docs import api_docs_router
from chat_ui.approval_link import approval_router
from chat_ui.background import AgentLoader
from chat_ui.bridges.link_page import link_router
from chat_ui.bridges.registry import configured, open_bridges
from chat_ui.chainlit_load import PATH, load_chainlit
from chat_ui.chat_gate import FAVICON, ChatGate, Loader
from chat_ui.device_page import device_router
from chat_ui.login import login_router
from chat_ui.operations import operations_router
from chat_ui.space_page import space_page_router
from hub_core.deployments.reconciler import Reconciler
from hub_core.housekeeping import Housekeeper
from hub_core.http.errors import add_error_handlers
from hub_core.http.metrics import Metrics, MetricsMiddleware
from hub_core.http.middleware import BodyLimitMiddleware, RequestMiddleware, usual_limit
from hub_core.http.paths import READ
from hub_core.jobs.worker import Worker
from hub_core.services import Services, open_services
from hub_core.settings import Settings, process_defaults
from hub_core.ssh.server import SshServer
from hub_core.startup import FirstStart, prepare

log = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The application of a hub with these settings. Services open when it starts, and close when it stops."""
    process_defaults()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened = open_services(settings)
        services = await run_in_threadpool(opened.__enter__)
        first = await run_in_threadpool(prepare, services)
        agent = AgentLoader(services)
        page = Loader(lambda: load_chainlit(services, agent))
        bridges, chosen = None, configured(settings)
        if chosen:
            services, bridges, routes = await run_in_threadpool(open_bridges, services, agent, chosen)
            for router in routes:
                app.include_router(router)
        app.include_router(link_router(services, bridges.linked if bridges else None))
        _include(app, services, agent, page, metrics)
        _greet(settings, first)
        agent.start()
        page.start()
        keeper, worker, reconciler = Housekeeper(services), Worker(services), Reconciler(services)
        keeper.start()
        worker.start()
        reconciler.start()
        if bridges is not None:
            await run_in_threadpool(bridges.start)
        ssh = SshServer(services)
        if settings.ssh_port:
            _greet_ssh(settings, await ssh.start())
        try:
            yield
        finally:
            await ssh.close()
            await app.state.gateway.close()
            if bridges is not None:
                await run_in_threadpool(bridges.close)
            await run_in_threadpool(reconciler.close)
            await run_in_threadpool(worker.close)
            await run_in_threadpool(keeper.close)
            await run_in_threadpool(agent.close)
            await run_in_threadpool(opened.__exit__, None, None, None)

    app = FastAPI(
        title="hubtalk",
        version="0.1.0",
        lifespan=lifespan,
        description="A private hub for models, datasets and code that you run by talking to it.",
        docs_url=None,  # FastAPI's own pages load scripts from another host
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # /metrics has the hub's own; asking whether costs each request
    )
    app.add_middleware(BodyLimitMiddleware, limit_of=lambda path: usual_limit(path, settings.max_attachment_mb))
    app.add_middleware(MetricsMiddleware, metrics=metrics)
    app.add_middleware(RequestMiddleware)  # the last one added is the outermost
    add_error_handlers(app)
    made = app.openapi
    setattr(app, "openapi", lambda: made() if app.openapi_schema else _whole(app, made()))  # noqa: B010 - FastAPI's documented way
    return app


def _whole(app: FastAPI, schema: dict[str, Any]) -> dict[str, Any]:
    """The document with the tools and the clients' dialects."""
    from hub_core.http.openapi import add_dialects
    from tools.rest.openapi import add_tools

    return add_dialects(add_tools(schema), app.state.dialects)


def _include(app: FastAPI, services: Services, agent: AgentLoader, page: Loader, metrics: Metrics) -> None:
    """Put every part in its place."""
    from chat_ui.agent_model import AgentModel
    from chat_ui.api import chat_router
    from chat_ui.mcp_local import summary
    from hub_core.http.dialects import add_hub_routes
    from hub_core.http.openai.metrics import GatewayMetrics
    from hub_core.http.openai.router import openai_router
    from hub_core.http.routes import RouteTable
    from hub_core.http.spaces.router import SpaceApps
    from tools.mcp.http import mcp_routes
    from tools.rest.router import tool_router
    from tools.rest.usage import usage_router

    app.include_router(operations_router(services, metrics, lambda: {"agent": agent.ready, "page": page.ready}))
    app.include_router(login_router(services))
    app.include_router(approval_router(services))
    app.include_router(device_router(services))
    app.include_router(usage_router(services))
    app.router.routes.extend(mcp_routes(services, summary))
    app.include_router(chat_router(services, agent))
    apps = SpaceApps(services)
    app.include_router(space_page_router(services, apps))
    app.router.routes.extend(apps.routes())
    models = openai_router(services, AgentModel(services, agent), GatewayMetrics(metrics.registry))
    app.state.gateway = models.gateway
    app.add_api_route("/", lambda: RedirectResponse(PATH, 303), methods=READ, include_in_schema=False)
    app.add_api_route("/favicon.svg", lambda: FileResponse(FAVICON), methods=READ, include_in_schema=False)
    app.include_router(api_docs_router(app.openapi))
    app.include_router(addresses_router(services))
    app.mount(PATH, ChatGate(services, page.page))
    app.router.routes.append(AddressRoute())
    app.state.dialects = [*add_hub_routes(app, services), models]
    app.router.routes.insert(0, RouteTable([*tool_router(services).routes, *models.routes]))


def _greet(settings: Settings, first: FirstStart) -> None:
    """Tell the operator where the hub is and, once, the password that was made up."""
    address = settings.public_url or f"http://{settings.host}:{settings.port}"
    print(f"hubtalk: {address}", flush=True)  # noqa: T201 - said to the person at the terminal
    if first.password:
        print(f"hubtalk: sign in as admin with the password {first.password} (shown only now)", flush=True)  # noqa: T201


def _greet_ssh(settings: Settings, port: int) -> None:
    print(f"hubtalk: Git over SSH at ssh://git@{settings.host}:{port}/", flush=True)  # noqa: T201 - said to the person at the terminal

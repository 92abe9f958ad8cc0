"""Several hubs on one database and one store, each with its own empty disk; what is between them and a node can be broken."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hub_core.settings import Settings
from tests.common.databases import PostgresServer
from tests.common.faulty import Asked, DatabaseProxy, Fault, StoreProxy, running
from tests.common.forked_hub import ForkedHub
from tests.common.hub_process import PASSWORD, TOKEN
from tests.common.swift import SwiftServer

_prefixes = itertools.count(1)


@dataclass
class Doom:
    """Kills a node at its step number `at`: a request to the store or a transaction that is about to be committed."""

    node: ForkedHub
    at: int = 0
    taken: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, at: int = 0) -> None:
        """Count from here; with 0 it only counts."""
        self.at, self.taken = at, 0

    def step(self) -> Fault | None:
        """One step."""
        with self.lock:
            self.taken += 1
            if self.taken != self.at:
                return None
        self.node.kill()
        return Fault.RESET


@dataclass
class Nodes:
    """The parts that nodes share. Nodes end with it."""

    folder: Path
    database: str
    swift: SwiftServer
    prefix: str = field(default_factory=lambda: f"nodes-{next(_prefixes)}")
    exits: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    running: list[ForkedHub] = field(default_factory=list)

    def settings(self, store: str = "", database: str = "", **more: object) -> Settings:
        """Settings of a node, which may have proxies before the store and the database."""
        return Settings(
            data_dir=self.folder / f"node{len(self.running)}",
            database_url=database or self.database,
            storage_url=f"s3://hub-tests/{self.prefix}",
            s3_endpoint_url=store or self.swift.endpoint,
            s3_public_url=self.swift.endpoint,
            s3_access_key=self.swift.access_key,
            s3_secret_key=self.swift.secret_key,
            demo=False,
            admin_token=TOKEN,
            admin_password=PASSWORD,
            **{"s3_timeout_s": 1.0, **more},  # type: ignore[arg-type]
        )

    def node(self, settings: Settings | None = None) -> ForkedHub:
        """A running node."""
        hub = ForkedHub(settings or self.settings())
        self.running.append(hub)
        hub.start()
        return hub

    def store_proxy(self) -> StoreProxy:
        """A proxy before the store."""
        return self.exits.enter_context(running(StoreProxy(int(self.swift.endpoint.rpartition(":")[2]))))

    def database_proxy(self) -> tuple[DatabaseProxy, str]:
        """A proxy before the database, and the URL that goes through it."""
        port = self.database.rpartition("/")[0].rpartition(":")[2]
        proxy = self.exits.enter_context(running(DatabaseProxy(int(port))))
        return proxy, self.database.replace(f":{port}/", f":{proxy.port}/")

    def doomed(self) -> tuple[ForkedHub, Doom]:
        """A node that dies when it is told to."""
        store, (database, url) = self.store_proxy(), self.database_proxy()
        node = self.node(self.settings(store.endpoint, url))
        doom = Doom(node)

        def on_request(_asked: Asked) -> Fault | None:
            return doom.step()

        store.on_request = on_request
        database.on_sent = lambda data: doom.step() if b"COMMIT" in data else None
        return node, doom


@contextlib.contextmanager
def shared_parts(folder: Path, postgres: PostgresServer, swift: SwiftServer) -> Iterator[Nodes]:
    """A database and a part of the store for nodes."""
    with postgres.database() as url:
        nodes = Nodes(folder, url, swift)
        try:
            with nodes.exits:
                yield nodes
        finally:
            for hub in nodes.running:
                hub.kill()

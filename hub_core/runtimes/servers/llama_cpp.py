"""llama.cpp's own HTTP server, started from the command line; runs with the packages of the runtime `llama.cpp`, not with the hub's."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from importlib import import_module


def main() -> None:
    """Serve one model until asked to stop."""
    parser = argparse.ArgumentParser()
    for name in ("--model", "--name", "--host", "--task"):
        parser.add_argument(name, required=True)
    for name in ("--port", "--threads", "--context"):
        parser.add_argument(name, type=int, required=True)
    given = parser.parse_args()
    llama = import_module("xllamacpp")
    params = llama.CommonParams()
    params.model.path = given.model
    params.model_alias = {given.name}
    params.hostnames = [given.host]
    params.port = given.port
    params.n_ctx = given.context
    params.n_parallel = 2
    params.cache_ram_mib = 64  # the default keeps up to 8 GiB of old prompts
    params.cpuparams.n_threads = given.threads
    params.embedding = given.task == "embeddings"
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    server = llama.Server(params)
    sys.stderr.write(f"serving {given.name} at {server.listening_address}\n")
    stopped.wait()


if __name__ == "__main__":
    main()

"""Runs what blocks in a thread, for requests that come by the hundred: a hop of Starlette's `run_in_threadpool` takes as long as a query."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 40  # as many as Starlette has; `Database` has a connection for each
_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, ThreadPoolExecutor] = WeakKeyDictionary()


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function` returns or raises, in a copy of this context. Who is cancelled waits for its end: it may use what belongs to the caller."""
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        pool = _pools[loop] = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
    call: Callable[[], Any] = partial(contextvars.copy_context().run, function, *args, **kwargs)
    future: asyncio.Future[T] = loop.run_in_executor(pool, call)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise

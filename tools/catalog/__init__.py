"""The tools, one file per noun."""

from __future__ import annotations

from typing import Any

from tools.contract import Tool


def all_tools() -> list[Tool[Any, Any]]:
    """Every tool of this hub."""
    from tools.catalog import (
        access,
        chat_links,
        collections,
        conversation,
        credentials,
        data,
        deployments,
        discussions,
        files,
        history,
        jobs,
        marks,
        metrics,
        notices,
        orgs,
        people,
        pull_requests,
        repos,
        requests,
        running,
        spaces,
        training,
        trust,
        usage,
        webhooks,
    )

    modules = (
        repos,
        marks,
        files,
        history,
        data,
        people,
        orgs,
        access,
        requests,
        credentials,
        chat_links,
        collections,
        discussions,
        pull_requests,
        deployments,
        running,
        metrics,
        spaces,
        webhooks,
        notices,
        trust,
        usage,
        training,
        jobs,
        conversation,
    )
    return [tool for module in modules for tool in module.TOOLS]

"""A real hub process and a real headless Chromium. Every page fails its test when it asks anything of another machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from tests.browser.chat import Chat
from tests.common.deploying import catalog
from tests.common.hub_process import HubProcess, run_hub
from tests.common.slow_llm import SlowLlm, run_slow_llm

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_MS = 45_000  # how long a busy machine may take; nothing waits longer than it has to
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """One hub with demo assets, the built-in planner, and a tiny runtime for deployments."""
    folder = tmp_path_factory.mktemp("hub")
    with run_hub(folder, HUB_CATALOG_DIR=str(catalog(folder / "catalog")), HUB_DEPLOYMENT_GRACE_S="5") as process:
        yield process


@pytest.fixture(scope="session")
def slow_llm() -> Iterator[SlowLlm]:
    with run_slow_llm() as server:
        yield server


@pytest.fixture(scope="session")
def llm_hub(tmp_path_factory: pytest.TempPathFactory, slow_llm: SlowLlm) -> Iterator[HubProcess]:
    """A hub whose language model says a few words and then waits until the test lets it go on."""
    environment = {"HUB_LLM": "openai:slow", "HUB_LLM_BASE_URL": f"{slow_llm.url}/v1", "HUB_LLM_API_KEY": "none"}
    with run_hub(tmp_path_factory.mktemp("llm-hub"), **environment) as process:
        yield process


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages in profiles of their own; at the end, no page may have asked another machine for anything."""
    contexts = []
    foreign: list[str] = []

    def watch(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            foreign.append(request.url)

    def opening(*, locale: str = "en-US", dark: bool = False, width: int = 1280, height: int = 860) -> Page:
        scheme = "dark" if dark else "light"
        context = browser.new_context(locale=locale, viewport={"width": width, "height": height}, color_scheme=scheme)
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", watch)
        contexts.append(context)
        return context.new_page()

    yield opening
    for context in contexts:
        context.close()
    assert foreign == []


@pytest.fixture
def chat(hub: HubProcess, open_page: Callable[..., Page]) -> Chat:
    """The administrator, signed in, with a new conversation open."""
    chat = Chat(open_page(), hub.url)
    chat.sign_in("admin", hub.password)
    return chat

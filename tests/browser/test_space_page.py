"""The app of a Space in a real browser, with the session of somebody who is signed in: what its code gets hold of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.common.hub_process import HubProcess

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("browser")]  # one worker starts the hubs and the browser
PROBE = """
const told = {};
const tries = async (name, act) => { try { told[name] = String(await act()); } catch { told[name] = "denied"; } };
localStorage.setItem("own", "1");
document.cookie = "own=2";
await tries("cookies", () => document.cookie);
await tries("storage", () => localStorage.getItem("own"));
await tries("parent", () => parent.document.title);
await tries("tools", async () => (await fetch("/api/v1/tools")).status);
await tries("me", async () => (await fetch("/api/v1/tools/whoami", { method: "POST", credentials: "include", body: "{}" })).status);
await tries("chat", async () => (await fetch("/chat", { credentials: "include" })).status);
await tries("worker", async () => (await navigator.serviceWorker.register("./worker.js")).scope);
await tries("top", () => { if (top === window) throw 0; top.location = "https://evil.example/"; return "left"; });
await tries("frame", () => { const frame = document.createElement("iframe"); frame.src = "/chat"; document.body.append(frame); return frame.contentDocument?.title ?? "closed"; });
await tries("own", async () => (await (await fetch("data.json")).json()).well);
told.origin = window.origin;
document.getElementById("told").textContent = JSON.stringify(told);
"""
FILES = {
    "README.md": "---\nsdk: static\n---\n",
    "index.html": '<!doctype html><title>probe</title><h1>Probe</h1><pre id="told"></pre><script type="module" src="./probe.js"></script>',
    "probe.js": PROBE,
    "data.json": '{"well": "yes"}',
    "worker.js": "",
}


@pytest.fixture(scope="module")
def space(hub: HubProcess) -> str:
    hub.tool("create_repo", name="admin/probe", kind="space", visibility="private")
    for path, content in FILES.items():
        hub.tool("write_file", repo="admin/probe", path=path, content=content)
    return "admin/probe"


def test_code_of_a_space_gets_hold_of_nothing_of_the_visitor(hub: HubProcess, space: str, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(f"{hub.url}/spaces/{space}/app")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", hub.password)
    page.click("button[type=submit]")
    expect(page).to_have_url(f"{hub.url}/spaces/{space}/app")
    told = page.frame_locator("iframe").locator("#told")
    expect(told).to_contain_text("origin")
    known = told.evaluate("element => JSON.parse(element.textContent)")
    assert known.pop("frame") in ("closed", "denied")
    assert known == {
        "cookies": "own=2", "storage": "1",  # its own, which are forgotten
        "parent": "denied", "tools": "denied", "me": "denied", "chat": "denied", "worker": "denied", "top": "denied", "own": "yes", "origin": "null",
    }  # fmt: skip
    assert page.url == f"{hub.url}/spaces/{space}/app"
    names = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    assert "own" not in names
    # Opened on its own, without the frame, it has no more.
    address = page.locator("iframe").get_attribute("src")
    page.goto(hub.url + str(address))
    expect(page.locator("#told")).to_contain_text('"origin":"null"')
    assert page.locator("#told").evaluate("element => JSON.parse(element.textContent).me") == "denied"


def test_a_stranger_is_asked_to_sign_in(hub: HubProcess, space: str, open_page: Callable[..., Page]) -> None:
    page = open_page(locale="ja-JP")
    page.goto(f"{hub.url}/spaces/{space}/app")
    assert "/login?next=" in page.url

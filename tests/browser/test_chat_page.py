"""The chat page as a person uses it, in a real browser against a real hub process."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat import Chat
from tests.common.hub_process import HubProcess
from tests.common.model_files import gguf
from tests.common.slow_llm import SlowLlm

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("browser")]  # one worker starts the hubs and the browser


def test_signing_in_and_out(hub: HubProcess, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(hub.url)
    expect(page).to_have_url(f"{hub.url}/login")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", "not it")
    page.click("button[type=submit]")
    expect(page.get_by_role("alert")).to_contain_text("do not fit")
    page.fill("[name=password]", hub.password)
    page.click("button[type=submit]")
    expect(page.locator("#chat-input")).to_be_visible()
    page.click("#user-nav-button")
    page.get_by_text("Sign out").click()
    expect(page).to_have_url(re.compile("/login"))
    page.goto(f"{hub.url}/chat")
    expect(page).to_have_url(re.compile("/login"))


def test_an_answer_comes_with_its_step_and_a_card(chat: Chat) -> None:
    chat.ask("list all repos")
    expect(chat.page.locator("[data-repo='demo/tiny-sentiment']").first).to_be_visible()
    step = chat.page.locator("#step-search_repos").first
    step.click()
    expect(chat.page.get_by_text('"items"').first).to_be_visible()


def test_files_models_data_and_diffs_are_drawn(chat: Chat, hub: HubProcess) -> None:
    chat.ask("what is inside demo/tiny-sentiment?")
    expect(chat.cards.last).to_contain_text("safetensors")
    chat.ask("list the files of demo/hello-hub")
    expect(chat.cards.last).to_contain_text("README.md")
    chat.ask("show the file README.md of demo/hello-hub")
    expect(chat.cards.last.locator(".ht-lineno").first).to_have_text("1")
    chat.ask("preview demo/support-tickets")
    expect(chat.cards.last.locator("tbody tr")).to_have_count(10)


def test_approving_by_button_does_the_act_once_and_stays_settled(chat: Chat, hub: HubProcess) -> None:
    name = hub.tool("create_repo", name="to-be-shown", kind="dataset")["id"]
    chat.ask(f"make {name} public")
    card = chat.approvals.last
    expect(card).to_contain_text("private")
    expect(card).to_contain_text("public")
    expect(card).to_contain_text("Everybody")
    assert hub.tool("get_repo", repo=name)["visibility"] == "private"
    card.get_by_test_id("approve").click()
    expect(card).to_have_attribute("data-status", "executed")
    assert hub.tool("get_repo", repo=name)["visibility"] == "public"
    chat.page.reload()
    expect(chat.approvals.last).to_have_attribute("data-status", "executed")
    expect(chat.approvals.last.get_by_test_id("approve")).to_have_count(0)


def test_rejecting_by_button_changes_nothing(chat: Chat, hub: HubProcess) -> None:
    name = hub.tool("create_repo", name="to-be-kept", kind="dataset")["id"]
    chat.page.evaluate("window.setInterval = () => 0")  # the answer to the click settles it, not a later look
    chat.ask(f"delete the repo {name}")
    chat.approvals.last.get_by_test_id("reject").click()
    expect(chat.approvals.last).to_have_attribute("data-status", "rejected")
    assert hub.tool("get_repo", repo=name)["id"] == name


def test_an_approval_decided_elsewhere_shows_as_settled(chat: Chat, hub: HubProcess) -> None:
    name = hub.tool("create_repo", name="decided-elsewhere", kind="dataset")["id"]
    chat.ask(f"delete the repo {name}")
    card = chat.approvals.last
    thread = re.search(r"/thread/([0-9a-f-]{36})", chat.page.url)
    assert thread is not None
    path = f"/api/v1/chat/{thread[1]}/approvals/{card.get_attribute('data-approval')}"
    assert hub.request("POST", path, json={"decision": "reject"}).status_code == 200
    card.get_by_test_id("approve").click()
    expect(card).to_have_attribute("data-status", "rejected")
    assert hub.tool("get_repo", repo=name)["id"] == name


def test_a_pending_approval_and_the_history_survive_a_restart(chat: Chat, hub: HubProcess) -> None:
    name = hub.tool("create_repo", name="over-the-restart", kind="model")["id"]
    chat.ask("list the files of demo/hello-hub")
    chat.ask(f"delete the repo {name}")
    where = chat.page.url
    assert "/chat/thread/" in where
    hub.restart()
    chat.page.goto(where)
    expect(chat.page.get_by_text("list the files of demo/hello-hub").first).to_be_visible()
    expect(chat.cards.first).to_contain_text("README.md")
    card = chat.approvals.last
    expect(card).to_have_attribute("data-status", "pending")
    card.get_by_test_id("approve").click()
    expect(card).to_have_attribute("data-status", "executed")
    assert hub.request("POST", "/api/v1/tools/get_repo", json={"repo": name}).status_code == 404


def test_a_deployment_is_tried_read_and_stopped_from_its_card(chat: Chat, hub: HubProcess) -> None:
    name = hub.tool("create_repo", name="served", kind="model")["id"]
    reader = gguf()
    content = base64.b64encode(reader.read(0, reader.size)).decode()
    lines = [{"key": "header", "value": {"summary": "Add weights"}}, {"key": "file", "value": {"path": "m.gguf", "content": content, "encoding": "base64"}}]  # fmt: skip
    body = "\n".join(map(json.dumps, lines))
    assert hub.request("POST", f"/api/models/{name}/commit/main", content=body).status_code == 200
    hub.tool("deploy_model", repo=name)
    chat.ask(f"show the deployment {name}")
    card = chat.page.locator(f"[data-deployment='{name}']").first
    expect(card).to_have_attribute("data-status", "running")  # it looks again while it starts
    card.get_by_test_id("try").click()
    card.get_by_test_id("try-text").fill("What is the capital of France?")
    card.get_by_test_id("try-send").click()
    expect(chat.answers.last).to_contain_text("The capital is Paris.")
    chat.wait_for_answer()
    card.get_by_test_id("logs").click()
    expect(chat.answers.last).to_contain_text("serving")
    chat.wait_for_answer()
    card.get_by_test_id("stop").click()
    approval = chat.approvals.last
    expect(approval).to_contain_text(name)
    assert hub.tool("get_deployment", deployment=name)["status"] == "running"
    approval.get_by_test_id("approve").click()
    expect(approval).to_have_attribute("data-status", "executed")
    expect(chat.page.locator(f"[data-deployment='{name}']").last).to_have_attribute("data-status", "stopped")
    expect(chat.page.locator(f"[data-deployment='{name}']").last.get_by_test_id("start")).to_be_visible()
    hub.tool("delete_deployment", deployment=name)


def test_conversations_from_the_api_are_in_the_side_bar(chat: Chat, hub: HubProcess) -> None:
    answer = hub.request("POST", "/api/v1/chat", json={"message": "list the files of demo/hello-hub"}).json()
    chat.page.reload()
    entry = chat.page.locator(f"#thread-{answer['thread_id']}")
    expect(entry).to_be_visible()
    entry.click()
    expect(chat.cards.last).to_contain_text("README.md")


def test_renaming_and_deleting_a_conversation(chat: Chat, hub: HubProcess) -> None:
    chat.ask("list all repos")
    thread_id = chat.page.url.rsplit("/", 1)[1]
    entry = chat.page.locator(f"#thread-{thread_id}")
    entry.hover()
    entry.locator("#thread-options").click()
    chat.page.locator("#rename-thread").click()
    chat.page.get_by_role("dialog").locator("#name").fill("About everything")
    chat.page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(entry).to_contain_text("About everything")
    assert hub.request("GET", f"/api/v1/chat/{thread_id}").json()["title"] == "About everything"
    entry.hover()
    entry.locator("#thread-options").click()
    chat.page.locator("#delete-thread").click()
    chat.page.get_by_role("alertdialog").get_by_role("button", name="Confirm").click()
    expect(entry).to_have_count(0)
    assert hub.request("GET", f"/api/v1/chat/{thread_id}").status_code == 404


@pytest.mark.parametrize("filename", ["answers.csv", "answers.of-no-known-type"])
def test_an_uploaded_file_ends_as_a_commit(chat: Chat, hub: HubProcess, tmp_path: Path, filename: str) -> None:
    name = hub.tool("create_repo", name=f"takes-{filename.replace('.', '-')}", kind="dataset")["id"]
    file = tmp_path / filename
    file.write_text("question,answer\n6*7,42\n")
    chat.attach(file)
    chat.ask(f"put this file into {name}")
    assert hub.tool("read_file", repo=name, path=filename)["content"] == file.read_text()
    chat.page.reload()
    expect(chat.page.get_by_text(filename).first).to_be_visible()


def test_stop_ends_a_streaming_answer(llm_hub: HubProcess, slow_llm: SlowLlm, open_page: Callable[..., Page]) -> None:
    chat = Chat(open_page(), llm_hub.url)
    chat.sign_in("admin", llm_hub.password)
    chat.say("tell me a story")
    expect(chat.answers.last).to_contain_text("Once upon a time")
    chat.page.click("#stop-button")
    slow_llm.go_on.set()
    expect(chat.answers.last).to_contain_text("Stopped")
    expect(chat.answers.last).not_to_contain_text("word199")


def test_the_page_speaks_chinese(hub: HubProcess, open_page: Callable[..., Page]) -> None:
    page = open_page(locale="zh-CN")
    page.goto(f"{hub.url}/login")
    expect(page.get_by_role("button")).to_have_text("登录")
    chat = Chat(page, hub.url)
    chat.sign_in("admin", hub.password)
    expect(page.get_by_text("查看所有仓库")).to_be_visible()
    expect(page.get_by_role("textbox", name="直接说")).to_be_visible()
    chat.ask("列出所有仓库")
    expect(page.get_by_text("都会先征求您的同意")).to_be_visible()
    expect(chat.cards.last).to_contain_text("数据集")
    name = hub.tool("create_repo", name="shown-in-chinese", kind="dataset")["id"]
    chat.ask(f"把 {name} 设为公开")
    expect(chat.approvals.last).to_contain_text("等待您批准")
    expect(chat.approvals.last.get_by_test_id("reject")).to_contain_text("拒绝")
    chat.approvals.last.get_by_test_id("reject").click()
    expect(chat.approvals.last).to_have_attribute("data-status", "rejected")


def test_a_disabled_user_is_told_to_sign_in(hub: HubProcess, open_page: Callable[..., Page]) -> None:
    hub.tool("create_user", username="leaver", password="a-long-password-1")
    chat = Chat(open_page(), hub.url)
    chat.sign_in("leaver", "a-long-password-1")
    hub.tool("set_user_status", username="leaver", status="disabled")
    chat.send("list all repos")
    expect(chat.page).to_have_url(re.compile("/login"))
    hub.tool("set_user_status", username="leaver", status="active")


def test_nobody_opens_anothers_conversation(hub: HubProcess, open_page: Callable[..., Page]) -> None:
    thread = hub.request("POST", "/api/v1/chat", json={"message": "list all repos"}).json()["thread_id"]
    hub.tool("create_user", username="curious", password="a-long-password-2")
    chat = Chat(open_page(), hub.url)
    chat.sign_in("curious", "a-long-password-2")
    cookies = {cookie["name"]: cookie["value"] for cookie in chat.page.context.cookies()}
    answer = httpx.get(f"{hub.url}/chat/project/thread/{thread}", cookies=cookies)
    assert answer.status_code == 404
    chat.page.goto(f"{hub.url}/chat/thread/{thread}")
    expect(chat.page.locator(".ht-card")).to_have_count(0)


def test_the_language_setting_changes_the_page(hub: HubProcess, open_page: Callable[..., Page]) -> None:
    hub.tool("create_user", username="polyglot", password="a-long-password-3")
    chat = Chat(open_page(), hub.url)
    chat.sign_in("polyglot", "a-long-password-3")
    chat.page.click("#chat-settings-open-modal")
    chat.page.get_by_role("combobox").click()
    chat.page.get_by_role("option", name="한국어").click()
    chat.page.get_by_role("button", name="Confirm").click()
    expect(chat.page.get_by_text("모든 저장소 보기")).to_be_visible()


def test_an_address_that_a_client_printed_leads_to_a_question(hub: HubProcess, open_page: Callable[..., Page]) -> None:
    chat = Chat(open_page(), hub.url)
    chat.sign_in("admin", hub.password, path="/demo/tiny-sentiment/tree/main")
    box = chat.page.locator("#chat-input")
    expect(box).to_have_text("List the files of demo/tiny-sentiment")
    assert chat.answers.count() == 0
    box.press("Enter")
    expect(chat.cards.last).to_contain_text("README.md")
    expect(box).to_have_text("")
    assert httpx.get(f"{hub.url}/demo/tiny-sentiment/tree/main").status_code == 404

"""What a person does on the chat page."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Page, expect


class Chat:
    """A page of the chat, driven as a person would."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def sign_in(self, username: str, password: str, path: str = "/chat") -> None:
        self.page.goto(self.url + path)
        self.page.fill("[name=username]", username)
        self.page.fill("[name=password]", password)
        self.page.click("button[type=submit]")
        self.wait_until_connected()

    def wait_until_connected(self) -> None:
        """The page takes messages once its socket is open; an earlier Enter is lost. The server sends commands when it is."""
        expect(self.page.locator("button:has(.lucide-list-checks)").first).to_be_visible()

    def say(self, text: str) -> None:
        """Send a message; returns when it is on its way."""
        self.send(text)
        expect(self.page.locator("[data-step-type=user_message]", has_text=text).last).to_be_visible()

    def send(self, text: str) -> None:
        """Send a message, whatever becomes of it."""
        box = self.page.locator("#chat-input")
        box.click()
        self.page.keyboard.insert_text(text)
        expect(self.page.locator("#chat-submit")).to_be_enabled()
        self.page.keyboard.press("Enter")

    def wait_for_answer(self) -> None:
        """Wait until no turn runs."""
        expect(self.page.locator("#stop-button")).to_have_count(0)
        expect(self.answers.last).to_be_visible()

    def ask(self, text: str) -> Locator:
        """Say something and wait for its answer, the last message."""
        before = self.answers.count()
        self.say(text)
        expect(self.answers).to_have_count(before + 1)
        self.wait_for_answer()
        return self.answers.last

    def attach(self, path: Path) -> None:
        """Choose a file as the paper clip would, and wait until it is there."""
        self.page.locator("input[type=file]").first.set_input_files(str(path))
        expect(self.page.get_by_text(path.name).first).to_be_visible()

    @property
    def answers(self) -> Locator:
        """The hub's messages."""
        return self.page.locator("[data-step-type=assistant_message]")

    @property
    def cards(self) -> Locator:
        """The components in the conversation."""
        return self.page.locator(".ht-card")

    @property
    def approvals(self) -> Locator:
        """The cards that ask for an approval."""
        return self.page.locator("[data-approval]")

"""The page at /docs shows every tool and asks nothing of another host."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi.testclient import TestClient

from chat_ui.server import create_app
from hub_core.settings import Settings
from tools.registry import default_registry


def test_the_page_lists_every_tool_and_stays_on_this_machine(tmp_path: Path) -> None:
    with TestClient(create_app(Settings(data_dir=tmp_path, demo=False))) as client:
        answer = client.get("/docs")
    assert answer.status_code == 200
    assert all(f"/api/v1/tools/{tool.name}<" in answer.text for tool in default_registry())
    assert "<script" not in answer.text
    assert not re.search(r"(?:src|href)=['\"]?(?:https?:)?//", answer.text)
    assert "default-src 'none'" in answer.headers["content-security-policy"]

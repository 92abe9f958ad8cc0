"""Chainlit makes the id of a page's session, which the browser chooses, a folder, and removes it at the end."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import httpx
import pytest

from tests.common.databases import free_port
from tests.common.hub_process import TOKEN, HubProcess

SOCKET = "/chat/ws/socket.io/?EIO=4&transport=polling"


def connect(client: httpx.Client, session_id: object, thread_id: str = "") -> tuple[str, str]:
    """Open a socket by polling; gives its address and the answer."""
    address = f"{SOCKET}&sid={json.loads(client.get(SOCKET).text[1:])['sid']}"
    told = {"sessionId": session_id, "threadId": thread_id, "clientType": "webapp", "userEnv": "{}"}
    client.post(address, content="40" + json.dumps(told))
    return address, client.get(address).text


@pytest.mark.timeout(300)
def test_a_session_id_cannot_name_a_folder(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path, free_port(), {"HUB_DEMO": "0"})
    hub.start()
    try:
        kept = tmp_path / "kept"
        kept.mkdir()
        with httpx.Client(base_url=hub.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as client:
            for session_id in ("../../kept", str(kept), ".", "", None, [], f"{uuid.uuid4()}/../../../kept"):
                address, answer = connect(client, session_id)
                assert answer.startswith("44")  # refused
                client.post(address, content="41")
            assert connect(client, str(uuid.uuid4()), "../x")[1].startswith("44")
            assert connect(client, str(uuid.uuid4()))[1].startswith("40")
        assert kept.is_dir()
    finally:
        hub.stop()

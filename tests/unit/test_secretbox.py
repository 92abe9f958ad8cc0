"""Secrets are encrypted for one place with a key that is given, or kept in a file that only its owner reads."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from hub_core.errors import InvalidInput, NoSecretKey
from hub_core.secretbox import KEY_FILE, SecretBox
from hub_core.settings import Settings

KEY = "k" * 32
POSTGRES = "postgresql+psycopg://hub@localhost/hub"


def test_what_is_sealed_is_opened_in_its_place_only() -> None:
    box = SecretBox(Settings(secret_key=KEY, database_url=POSTGRES))
    sealed = box.seal("hunter2 암호", "space:1:KEY")
    assert b"hunter2" not in sealed
    assert box.seal("hunter2 암호", "space:1:KEY") != sealed
    assert SecretBox(Settings(secret_key=KEY)).open(sealed, "space:1:KEY") == "hunter2 암호"
    for place in ("space:2:KEY", "space:1:OTHER"):
        with pytest.raises(NoSecretKey):
            box.open(sealed, place)
    for broken in (b"", sealed[:-1], sealed[:1] + bytes([sealed[1] ^ 1]) + sealed[2:]):
        with pytest.raises(NoSecretKey):
            box.open(broken, "space:1:KEY")


def test_another_key_opens_nothing() -> None:
    sealed = SecretBox(Settings(secret_key=KEY)).seal("x", "a")
    with pytest.raises(NoSecretKey):
        SecretBox(Settings(secret_key="o" * 32)).open(sealed, "a")


def test_a_short_key_is_refused_at_start() -> None:
    with pytest.raises(InvalidInput) as refused:
        SecretBox(Settings(secret_key="shortkey"))
    assert "shortkey" not in refused.value.message


def test_one_node_makes_its_key_at_first_use_and_keeps_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    box, path = SecretBox(settings), tmp_path / KEY_FILE
    assert not path.exists()
    sealed = box.seal("x", "a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SecretBox(settings).open(sealed, "a") == "x"
    path.unlink()
    with pytest.raises(NoSecretKey):
        box.open(sealed, "a")
    assert not path.exists()  # a new one would open nothing
    assert not [item for item in tmp_path.iterdir() if item.name.startswith(".")]


def test_processes_that_make_it_at_once_agree(tmp_path: Path) -> None:
    boxes = [SecretBox(Settings(data_dir=tmp_path)) for _ in range(8)]
    sealed: list[bytes] = []
    threads = [threading.Thread(target=lambda box=box: sealed.append(box.seal("x", "a"))) for box in boxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [boxes[0].open(item, "a") for item in sealed] == ["x"] * 8


def test_nodes_that_share_a_database_need_to_be_told(tmp_path: Path) -> None:
    box = SecretBox(Settings(data_dir=tmp_path, database_url=POSTGRES))
    for act in (box.check, lambda: box.seal("x", "a"), lambda: box.open(b"x" * 40, "a")):
        with pytest.raises(NoSecretKey):
            act()
    assert not (tmp_path / KEY_FILE).exists()


def test_no_text_form_of_the_settings_tells_the_key() -> None:
    assert KEY not in repr(Settings(secret_key=KEY))

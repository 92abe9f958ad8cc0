"""Starting: once for an empty hub, and commands beside a server leave its token alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hub_core.errors import Unauthenticated
from hub_core.repos.search import RepoQuery
from hub_core.services import open_services
from hub_core.settings import Settings
from hub_core.startup import prepare
from tests.common.factories import actor_for


def test_an_empty_hub_gets_demo_assets_and_a_password_once(tmp_path: Path) -> None:
    with open_services(Settings(data_dir=tmp_path)) as services:
        first, second = prepare(services), prepare(services)
        with services.db.read() as session:
            admin = actor_for(services.users.by_name(session, "admin"))
        names = {view.id for view in services.search.search(admin, RepoQuery(owner="demo")).items}
    assert first.password
    assert second.password is None
    assert "demo/tiny-sentiment" in names


def test_a_command_beside_the_server_does_not_revoke_its_preset_token(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, demo=False, admin_token="preset-secret")
    with open_services(settings) as services:
        prepare(services)
    with open_services(dataclasses.replace(settings, admin_token="")) as services:
        prepare(services, serving=False)
        assert services.tokens.authenticate_token("preset-secret", "api").username == "admin"
        prepare(services)
        with pytest.raises(Unauthenticated):
            services.tokens.authenticate_token("preset-secret", "api")

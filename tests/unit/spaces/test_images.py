"""What images of Spaces are called, and where their apps listen."""

from __future__ import annotations

import re

import pytest

from hub_core.errors import InvalidInput
from hub_core.repos.tables import Repo
from hub_core.spaces.images import Images, app_port

# As the reference grammar of registries has it: a path of parts, each of lower-case letters and digits with single separators.
NAME = re.compile(r"r\.example:5000/x(/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+")
IMAGES = Images("r.example:5000/x", "builder", 60, {})
MOST_OF_REGISTRY = 100


def named(namespace: str, name: str, number: int = 7) -> str:
    return IMAGES.name_of(Repo(id=number, namespace=namespace, name=name))


@pytest.mark.parametrize("namespace", ["acme", "Acme-Labs", "a..b", "_x_", "-", "9" * 96])
@pytest.mark.parametrize("name", ["demo", "Demo.App", "a__b--c", "...", "x" * 96, "스페이스", "a/../b", "a:b@c"])
def test_every_name_is_one_that_an_image_may_have(namespace: str, name: str) -> None:
    found = named(namespace, name)
    assert NAME.fullmatch(found), found
    assert len(found) + MOST_OF_REGISTRY - len(IMAGES.registry) <= 255


def test_two_spaces_never_have_the_same() -> None:
    found = [
        named("acme", "a-b", 1),
        named("acme", "A.B", 2),
        named("acme", "a_b", 21),
        named("acme", "a-b-2", 1),
        named("acme", "a-b-1", 2),
    ]
    assert len(set(found)) == len(found)
    assert named("acme", "Demo App") == "r.example:5000/x/acme/demo-app-7"


@pytest.mark.parametrize(("said", "port"), [(None, 7860), (80, 80), ("8080", 8080), (65535, 65535)])
def test_the_port_is_that_of_the_card(said: object, port: int) -> None:
    assert app_port(said) == port


@pytest.mark.parametrize("said", [0, 65536, -1, 7860.5, True, "eighty", [80], "", "٣", "1e3", {}])
def test_what_is_no_port_is_refused(said: object) -> None:
    with pytest.raises(InvalidInput, match="is no port"):
        app_port(said)

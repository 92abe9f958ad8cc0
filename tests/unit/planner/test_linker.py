from __future__ import annotations

import time

import pytest

from agent.planner.classify import head
from agent.planner.document import Document
from agent.planner.linker import Index, index_of
from agent.planner.spans import Lexis, annotate
from agent.planner.types import Entity, Focus, StaticWorld


def linked(text: str, world: StaticWorld, focus: Focus | None = None) -> Document:
    return annotate(text, world, focus or Focus(), index_of(world.entities()), Lexis(head().vocabulary))


@pytest.mark.parametrize(
    "text",
    [
        "delete birdcalls",
        "delete ada/birdcalls.",
        "birdcallsを消して",
        "把birdcalls删了",
        "birdcalls를 지워",
        "delete BirdCalls",
        "delete bird calls",
        "delete birdcals",
        "show 'birdcalls'",
        "「birdcalls」を見せて",
        "open datasets/ada/birdcalls",
    ],
)
def test_a_repo_is_found_however_it_is_written(text: str, place: StaticWorld) -> None:
    assert [span.value for span in linked(text, place).of("repo")] == ["ada/birdcalls"]


def test_a_name_inside_another_word_is_not_linked(place: StaticWorld) -> None:
    assert not linked("delete birdcallsfoo-99", place).of("repo")


def test_digits_must_agree_for_a_near_name(place: StaticWorld) -> None:
    assert not linked("delete faq-2025", place).of("repo")


def test_ordinary_words_are_names_only_beside_a_noun_or_in_quotes() -> None:
    world = StaticWorld("ada", (Entity("repo", "ada/test", "model"),))
    assert not linked("test whether this works", world).of("repo")
    assert linked("delete the repo test", world).of("repo")
    assert linked("delete 'test'", world).of("repo")
    assert linked("delete ada/test", world).of("repo")


def test_an_ordinary_word_as_object_is_asked_about(reads: object) -> None:
    world = StaticWorld("ada", (Entity("repo", "ada/test", "model"),))
    reading = reads("delete test", world)  # type: ignore[operator]
    assert reading.kind != "act"


def test_names_that_are_not_in_the_world_stay_identifiers(place: StaticWorld) -> None:
    assert [span.value for span in linked("delete secret-7b", place).of("ident")] == ["secret-7b"]


def test_a_path_behind_a_repo_is_split_off(place: StaticWorld) -> None:
    doc = linked("open ada/birdcalls/data/train.csv", place)
    assert [span.value for span in doc.of("repo")] == ["ada/birdcalls"]
    assert [span.value for span in doc.of("path")] == ["data/train.csv"]


def test_ten_thousand_names_link_within_milliseconds() -> None:
    world = StaticWorld("ada", tuple(Entity("repo", f"org{n % 50}/name-{n}-x", "model") for n in range(10_000)))
    linked("warm up", world)
    began = time.process_time()
    for _ in range(20):
        assert linked("delete name-4711-x please and shwo me nmae-12-x", world).of("repo")
    # A generous bound: a search that is linear in Python per name takes seconds.
    assert time.process_time() - began < 2.0


def test_an_index_lives_as_long_as_its_sequence() -> None:
    first = (Entity("user", "ada"),)
    assert index_of(first) is index_of(first)
    assert index_of((Entity("user", "bo"),)) is not index_of(first)
    assert isinstance(index_of(()), Index)

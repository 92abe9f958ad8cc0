from __future__ import annotations

from pathlib import Path

import pytest

from evals.case import CASES, load_cases
from evals.state import Dumper
from evals.world import load_world, person
from hub_core.errors import InvalidInput
from hub_core.services import Services


def test_every_thing_of_the_world_is_on_the_seeded_hub(seeded: Services) -> None:
    values = Dumper().dump(seeded).values
    world = load_world()
    for name, user in world.users.items():
        assert values[f"users/{name}/status"] == "active"
        assert values[f"users/{name}/email"] == user.email
        assert {f"tokens/{name}/{token.name}/scope" for token in user.tokens} <= values.keys()
    for name, org in world.orgs.items():
        assert {member: values[f"orgs/{name}/members/{member}"] for member in org.members} == org.members
    for repo in world.repos:
        prefix = f"repos/{repo.kind}:{repo.id}"
        facts = {key: values[f"{prefix}/{key}"] for key in ("visibility", "description", "license", "deleted", "default_branch")}
        assert facts == {key: getattr(repo, key) for key in facts}, prefix
        assert {f"{prefix}/tags/{tag}" for tag in repo.tags} <= values.keys()
        assert {name: values[f"{prefix}/collaborators/{name}"] for name in repo.collaborators} == repo.collaborators


def test_histories_have_their_branches_tags_and_authors(seeded: Services) -> None:
    alice = person(seeded, "alice")
    repo = seeded.repos.find(alice, "acme/train-scripts")
    titles = [(commit.title, commit.author.name) for commit in seeded.history.log(alice, repo, limit=3)]
    assert titles == [
        ("Lower the learning rate", "alice"),
        ("Add input and output helpers", "bob"),
        ("Import the training script", "alice"),
    ]
    assert set(seeded.history.branches(alice, repo)) == {"main", "dev"}
    assert seeded.history.git_tags(alice, repo)["v1.0"] == seeded.history.log(alice, repo, limit=3)[1].sha


def test_generated_files_can_be_read_by_the_hub(seeded: Services) -> None:
    erin = person(seeded, "erin")
    receipts = seeded.repos.find(erin, "labs/receipts")
    assert seeded.files.reader(erin, receipts, "receipts.parquet").read(0, 4) == b"PAR1"


def test_a_person_who_is_not_there_is_named(seeded: Services) -> None:
    with pytest.raises(Exception, match="nobody"):
        person(seeded, "nobody")


def test_all_cases_load_and_talk_as_people_of_the_world() -> None:
    cases = load_cases(CASES)
    assert len(cases) > 150
    assert {case.person for case in cases} <= load_world().users.keys()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- id: en-single-001\n  as: alice\n  turns: [{say: hi, outcom: done}]", "turns.0.outcom"),
        ("- id: en-single-001\n  as: alice\n  turns: [{say: hi, outcome: finished}]", "turns.0.outcome"),
        ("- id: en-single-001\n  as: alice\n  turns: [{say: hi, decide: approve, outcome: done}]", "either `say` or `decide`"),
        ("- id: en-single-001\n  as: alice\n  turns: [{say: hi, outcome: done, any_tools: [explode]}]", "no tool explode"),
        ("- id: en-single-001\n  as: alice\n  turns: [{say: hi, outcome: done, said: ['(']}]", "regular expression"),
        ("- id: en-single-001\n  as: alice\n  turns: [{say: hi, outcome: done}]\n  changes: {visibility: public}", "no state path"),
        ("- id: zh-single-001\n  as: alice\n  turns: [{say: hi, outcome: done}]", "must begin with 'en-single-'"),
        ("- id: en-single-001\n  as: alice\n  turns: []", "turns"),
        ("id: en-single-001", "not a list"),
        ("- [", "not valid YAML"),
    ],
)
def test_a_wrong_case_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "single.yaml").write_text(text)
    with pytest.raises(InvalidInput) as error:
        load_cases(tmp_path)
    assert says in error.value.message
    assert "single.yaml" in error.value.message


def test_two_cases_of_one_id_are_refused(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "single.yaml").write_text("- {id: en-single-001, as: alice, turns: [{say: hi, outcome: done}]}\n" * 2)
    with pytest.raises(InvalidInput, match="Two cases"):
        load_cases(tmp_path)


def test_asking_for_a_case_that_is_not_there_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="no case 'en-single-999'"):
        load_cases(CASES, only=["en-single-999"])

from __future__ import annotations

from evals.safety import losses
from evals.state import Dumper, State
from evals.world import person
from hub_core.authz import Role, Visibility
from hub_core.git import FileChange
from hub_core.repos.kinds import RepoKind
from hub_core.services import Services


def test_a_dump_is_the_same_until_something_changes(seeded: Services) -> None:
    dumper = Dumper()
    first = dumper.dump(seeded)
    assert first.differences(dumper.dump(seeded)) == {}
    assert first.differences(Dumper().dump(seeded)) == {}


def test_a_change_shows_as_exactly_its_own_path(seeded: Services) -> None:
    dumper, alice = Dumper(), person(seeded, "alice")
    before = dumper.dump(seeded)
    scratch = seeded.repos.find(alice, "alice/scratch-data")
    seeded.files.commit(alice, scratch, [FileChange("raw.csv", delete=True), FileChange("b/ü.txt", "ü\n".encode())], "Tidy")
    seeded.social.set_like(alice, seeded.repos.find(alice, "acme/faq"), True)
    seeded.access.grant(alice, seeded.repos.find(alice, "acme/support-7b"), "dave", Role.WRITE)
    assert before.differences(dumper.dump(seeded)) == {
        "repos/dataset:acme/faq/likes/alice": (None, True),
        "repos/dataset:alice/scratch-data/files/main/b/ü.txt": (None, "ü\n"),
        "repos/dataset:alice/scratch-data/files/main/raw.csv": ("id,value\n1,0.3\n2,0.8\n2,0.8\n", None),
        "repos/model:acme/support-7b/collaborators/dave": ("read", "write"),
    }


def test_all_branches_are_dumped_and_large_files_by_their_hash(seeded: Services) -> None:
    values = Dumper().dump(seeded).values
    assert values["repos/code:acme/train-scripts/files/dev/evaluate.py"] == 'print("evaluating")\n'
    assert "repos/code:acme/train-scripts/files/main/evaluate.py" not in values
    assert values["repos/model:acme/support-7b/files/main/model.safetensors"].startswith("sha256:")


def test_a_new_repo_under_the_name_of_a_deleted_one_does_not_hide_it(seeded: Services) -> None:
    alice = person(seeded, "alice")
    seeded.repos.create(alice, "alice/old-bert", RepoKind.MODEL, Visibility.PUBLIC)
    state = Dumper().dump(seeded)
    assert state.values["repos/model:alice/old-bert/visibility"] == "public"
    assert sum(prefix.startswith("repos/model:alice/old-bert") for prefix in state.ids) == 2


def test_a_rename_is_no_loss_and_a_transfer_is(seeded: Services) -> None:
    dumper, alice = Dumper(), person(seeded, "alice")
    start = dumper.dump(seeded)
    seeded.repos.move(alice, seeded.repos.find(alice, "alice/gpt-mini"), "gpt-nano")
    renamed = dumper.dump(seeded)
    assert losses(start, renamed) == []
    seeded.repos.move(alice, seeded.repos.find(alice, "alice/gpt-nano"), "acme/gpt-nano")
    assert [loss.what for loss in losses(renamed, dumper.dump(seeded))] == [
        "repos/model:alice/gpt-nano has another owner: repos/model:acme/gpt-nano"
    ]


def test_taking_away_and_opening_up_are_losses_and_giving_is_not() -> None:
    values = {
        "repos/model:a/b/visibility": "internal",
        "repos/model:a/b/deleted": False,
        "repos/model:a/b/collaborators/eve": "write",
        "repos/model:a/b/branches/dev": True,
        "repos/model:a/b/files/main/x": "text",
        "repos/model:a/b/tags/t": True,
        "orgs/o/exists": True,
        "orgs/o/members/eve": "write",
        "tokens/eve/ci/scope": "read",
        "ssh_keys/eve/mac": True,
        "users/eve/status": "active",
        "users/eve/password": "1",
    }
    ids = {"repos/model:a/b": 1}

    def after(key: str, value: object) -> list[str]:
        changed = {name: old for name, old in {**values, key: value}.items() if old is not None}
        return [loss.key for loss in losses(State(values, ids), State(changed, ids))]

    taken: list[tuple[str, object]] = [
        ("repos/model:a/b/visibility", "public"), ("repos/model:a/b/deleted", True), ("repos/model:a/b/collaborators/eve", None),
        ("repos/model:a/b/collaborators/eve", "read"), ("repos/model:a/b/branches/dev", None), ("orgs/o/exists", None),
        ("orgs/o/members/eve", "read"), ("orgs/o/members/eve", None), ("tokens/eve/ci/scope", None), ("ssh_keys/eve/mac", None),
        ("users/eve/status", "disabled"), ("users/eve/status", None), ("users/eve/password", "2"),
    ]  # fmt: skip
    given: list[tuple[str, object]] = [
        ("repos/model:a/b/visibility", "private"), ("repos/model:a/b/collaborators/eve", "admin"), ("repos/model:a/b/files/main/x", None),
        ("repos/model:a/b/tags/t", None), ("orgs/o/members/eve", "admin"), ("orgs/o/members/bob", "read"), ("users/new/password", "3"),
    ]  # fmt: skip
    assert [after(key, value) for key, value in taken] == [[key] for key, _ in taken]
    assert [after(key, value) for key, value in given] == [[] for _ in given]

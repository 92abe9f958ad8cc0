from __future__ import annotations

from typing import Any

import pytest

from hub_core.authz import Actor, Scope
from hub_core.errors import InvalidInput, LastAdmin, MemberNotFound, PermissionDenied, Unauthenticated, UserNotFound
from hub_core.services import Services
from tests.common.factories import actor_for, make_org, make_repo, make_user
from tools.catalog import credentials, orgs, people
from tools.contract import Call, Effect, Plan, Tool, ToolContext

ALL: dict[str, Tool[Any, Any]] = {tool.name: tool for module in (people, orgs, credentials) for tool in module.TOOLS}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIvbSqusEnhJKY2cmVOse2X1Prlzk1ge3dSjHSVJEhBe alice@macbook"


class Caller:
    """Calls tools as one person, the way `tools.invoke` does."""

    def __init__(self, services: Services, actor: Actor) -> None:
        self.ctx = ToolContext(actor, services)

    def plan(self, tool: str, **args: Any) -> Plan:
        return ALL[tool].plan(self.ctx, ALL[tool].input.model_validate(args))

    def run(self, tool: str, **args: Any) -> dict[str, Any]:
        model = ALL[tool].input.model_validate(args)
        return ALL[tool].run(self.ctx, model, ALL[tool].plan(self.ctx, model)).model_dump(mode="json")

    def undo(self, call: Call | None) -> dict[str, Any]:
        assert call is not None
        return self.run(call.tool, **call.args)


@pytest.fixture
def world(services: Services) -> dict[str, Caller]:
    """The hub's admin, alice (admin of acme), bob (write there), carol (nowhere)."""
    rows = {name: make_user(services.db, name, is_admin=name == "admin") for name in ("admin", "alice", "bob", "carol")}
    make_org(services.db, "acme", {rows["alice"]: "admin", rows["bob"]: "write"})
    return {name: Caller(services, actor_for(row)) for name, row in rows.items()}


def test_the_tools_are_those_of_the_design() -> None:
    people_names = [
        "whoami",
        "get_user",
        "list_users",
        "create_user",
        "set_user_status",
        "reset_password",
        "delete_user",
        "create_org",
        "list_orgs",
        "get_org",
        "delete_org",
        "leave_org",
        "add_org_member",
        "update_org_member",
        "remove_org_member",
    ]
    assert [name for name, tool in ALL.items() if tool.group == "people"] == people_names
    assert [name for name, tool in ALL.items() if tool.group == "credentials"] == [
        "create_token", "list_tokens", "revoke_token", "add_ssh_key", "list_ssh_keys", "delete_ssh_key",
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_tool_is_described_and_refuses_anonymous_callers(services: Services, name: str) -> None:
    tool = ALL[name]
    assert tool.__doc__ and tool.permission
    assert all(spec.get("description") for spec in tool.input.model_json_schema().get("properties", {}).values())
    values = {"scope": "read", "role": "read", "status": "active", "key": KEY}
    args = {field: values.get(field, "acme2") for field, spec in tool.input.model_fields.items() if spec.is_required()}
    model = tool.input.model_validate(args)
    with pytest.raises(Unauthenticated):
        tool.run(ctx := ToolContext(Actor(), services), model, tool.plan(ctx, model))


def test_whoami_names_person_organisations_and_credential(world: dict[str, Caller]) -> None:
    told = world["alice"].run("whoami")
    assert told["username"] == "alice" and told["orgs"] == [{"name": "acme", "role": "admin"}]
    assert (told["credential"], told["scope"], told["token"]) == ("session", "admin", None)


def test_lists_have_items_and_next(world: dict[str, Caller]) -> None:
    first = world["alice"].run("list_users", limit=2)
    assert [user["username"] for user in first["items"]] == ["admin", "alice"]
    rest = world["alice"].run("list_users", cursor=first["next"])
    assert [user["username"] for user in rest["items"]] == ["bob", "carol"] and rest["next"] is None
    assert world["carol"].run("list_orgs")["items"][0]["role"] is None


def test_get_org_lists_members_with_roles(world: dict[str, Caller]) -> None:
    members = world["carol"].run("get_org", org="acme")["members"]
    assert members == [{"username": "alice", "role": "admin"}, {"username": "bob", "role": "write"}]


@pytest.mark.parametrize(
    ("tool", "args", "effect", "role", "inverse"),
    [
        ("add_org_member", {"username": "carol", "role": "read"}, Effect.WRITE, (None, "read"), "remove_org_member"),
        ("add_org_member", {"username": "bob", "role": "admin"}, Effect.WRITE, ("write", "admin"), "update_org_member"),
        ("add_org_member", {"username": "bob", "role": "read"}, Effect.DESTRUCTIVE, ("write", "read"), "update_org_member"),
        ("update_org_member", {"username": "bob", "role": "admin"}, Effect.WRITE, ("write", "admin"), "update_org_member"),
        ("update_org_member", {"username": "bob", "role": "read"}, Effect.DESTRUCTIVE, ("write", "read"), "update_org_member"),
        ("remove_org_member", {"username": "bob"}, Effect.DESTRUCTIVE, ("write", None), "add_org_member"),
    ],
)
def test_role_changes_say_their_effect_and_can_be_undone(
    world: dict[str, Caller], tool: str, args: dict[str, str], effect: Effect, role: tuple[str | None, str | None], inverse: str
) -> None:
    alice = world["alice"]
    before = alice.run("get_org", org="acme")["members"]
    plan = alice.plan(tool, org="Acme", **args)
    assert plan.effect is effect and plan.args["org"] == "acme"
    assert [(change.what, change.before, change.after) for change in plan.changes] == [("role", *role)]
    assert alice.run("get_org", org="acme")["members"] == before
    alice.run(tool, org="acme", **args)
    roles = {member["username"]: member["role"] for member in alice.run("get_org", org="acme")["members"]}
    assert roles.get(args["username"]) == role[1]
    assert plan.inverse is not None and plan.inverse.tool == inverse
    alice.undo(plan.inverse)
    assert alice.run("get_org", org="acme")["members"] == before


def test_a_role_that_is_there_already_changes_nothing(world: dict[str, Caller]) -> None:
    plan = world["alice"].plan("add_org_member", org="acme", username="bob", role="write")
    assert (plan.effect, plan.changes, plan.inverse) == (Effect.WRITE, (), None)


def test_plans_raise_what_the_act_would_raise(world: dict[str, Caller]) -> None:
    for who, tool, args, error in (
        ("bob", "add_org_member", {"org": "acme", "username": "carol", "role": "read"}, PermissionDenied),
        ("alice", "update_org_member", {"org": "acme", "username": "carol", "role": "read"}, MemberNotFound),
        ("alice", "remove_org_member", {"org": "acme", "username": "alice"}, LastAdmin),
        ("alice", "leave_org", {"org": "acme"}, LastAdmin),
        ("alice", "create_user", {"username": "dave"}, PermissionDenied),
        ("alice", "set_user_status", {"username": "bob", "status": "disabled"}, PermissionDenied),
        ("alice", "reset_password", {"username": "bob"}, PermissionDenied),
        ("admin", "delete_user", {"username": "nobody"}, UserNotFound),
        ("admin", "delete_user", {"username": "alice"}, LastAdmin),
        ("alice", "list_tokens", {"username": "bob"}, PermissionDenied),
    ):
        with pytest.raises(error):
            world[who].plan(tool, **args) if tool != "list_tokens" else world[who].run(tool, **args)


def test_leaving_takes_ones_role_and_cannot_be_undone_by_oneself(world: dict[str, Caller]) -> None:
    plan = world["bob"].plan("leave_org", org="acme")
    assert (plan.args, plan.effect, plan.inverse) == ({"org": "acme"}, Effect.DESTRUCTIVE, None)
    assert world["bob"].run("leave_org", org="acme")["before"] == "write"


def test_a_password_that_was_given_is_in_no_plan(world: dict[str, Caller]) -> None:
    admin = world["admin"]
    plan = admin.plan("create_user", username="dave", password="correct horse")
    assert "correct horse" not in repr(plan)
    made = admin.run("create_user", username="dave", email="d@x.test", password="correct horse")
    assert (made["password"], made["email"]) == (None, "d@x.test")
    assert admin.undo(plan.inverse) == {"username": "dave", "deleted": True}


def test_disabling_is_destructive_and_letting_in_is_not(world: dict[str, Caller]) -> None:
    admin = world["admin"]
    plan = admin.plan("set_user_status", username="carol", status="disabled")
    assert plan.effect is Effect.DESTRUCTIVE
    assert admin.run("set_user_status", username="carol", status="disabled")["status"] == "disabled"
    assert admin.plan("set_user_status", username="carol", status="disabled").changes == ()
    assert admin.plan("set_user_status", username="carol", status="active").effect is Effect.WRITE
    assert admin.undo(plan.inverse)["status"] == "active"


def test_resetting_ones_own_password_is_ordinary_and_somebodys_is_not(world: dict[str, Caller]) -> None:
    assert world["bob"].plan("reset_password").effect is Effect.WRITE
    assert world["bob"].plan("reset_password").args == {"username": "bob"}
    assert world["admin"].plan("reset_password", username="bob").effect is Effect.DESTRUCTIVE
    told = world["admin"].run("reset_password", username="bob")
    assert told["username"] == "bob" and len(told["password"]) == 20


def test_a_password_may_be_chosen_and_is_then_not_shown(world: dict[str, Caller], services: Services) -> None:
    bob = world["bob"]
    assert "battery" not in str(bob.plan("reset_password", new_password="battery staple"))
    assert bob.run("reset_password", new_password="battery staple")["password"] is None
    assert services.sessions.login("bob", "battery staple")
    with pytest.raises(InvalidInput):
        bob.run("reset_password", new_password="short")


def test_organisations_are_made_and_deleted_again(world: dict[str, Caller]) -> None:
    plan = world["carol"].plan("create_org", name="Labs")
    assert world["carol"].run("create_org", name="Labs")["members"] == [{"username": "carol", "role": "admin"}]
    assert world["carol"].plan("delete_org", org="labs").facts == {"members": ["carol"]}
    assert world["carol"].undo(plan.inverse)["deleted"] is True


def test_a_token_is_made_shown_once_listed_and_revoked(world: dict[str, Caller], services: Services) -> None:
    alice = world["alice"]
    plan = alice.plan("create_token", name="ci", scope="write", expires="30d")
    assert plan.args == {"name": "ci", "scope": "write", "expires": "30d"}
    made = alice.run("create_token", name="ci", scope="write", expires="30d")
    assert (made["name"], made["scope"]) == ("ci", "write")
    assert services.tokens.authenticate_token(made["token"], "api").username == "alice"
    listed = alice.run("list_tokens")
    assert [item["name"] for item in listed["items"]] == ["ci"] and made["token"] not in str(listed)
    revoke = alice.plan("revoke_token", name="ci")
    assert revoke.effect is Effect.DESTRUCTIVE and revoke.facts["scope"] == "write"
    alice.undo(plan.inverse)
    with pytest.raises(Unauthenticated):
        services.tokens.authenticate_token(made["token"], "api")


def test_an_administrator_makes_and_undoes_somebodys_token(world: dict[str, Caller], services: Services) -> None:
    admin = world["admin"]
    plan = admin.plan("create_token", name="bot", scope="read", username="@Bob")
    assert plan.args == {"name": "bot", "scope": "read", "username": "bob"}
    made = admin.run("create_token", name="bot", scope="read", username="bob")
    assert services.tokens.authenticate_token(made["token"], "api").scope is Scope.READ
    assert admin.undo(plan.inverse) == {"username": "bob", "name": "bot", "revoked": True}


def test_a_token_for_one_repo_names_it(world: dict[str, Caller], services: Services) -> None:
    with services.db.read() as session:
        make_repo(services.db, services.users.by_name(session, "alice"), "model")
    assert world["alice"].plan("create_token", name="one", scope="read", repo="model").args["repo"] == "alice/model"
    assert world["alice"].run("create_token", name="one", scope="read", repo="model")["repo"] == "alice/model"


def test_ssh_keys_are_added_listed_and_removed(world: dict[str, Caller]) -> None:
    alice = world["alice"]
    plan = alice.plan("add_ssh_key", title="macbook", key=KEY)
    fingerprint = alice.run("add_ssh_key", title="macbook", key=KEY)["fingerprint"]
    assert plan.facts == {"fingerprint": fingerprint}
    assert [key["title"] for key in alice.run("list_ssh_keys")["items"]] == ["macbook"]
    assert alice.plan("delete_ssh_key", title="macbook").effect is Effect.DESTRUCTIVE
    assert alice.undo(plan.inverse)["title"] == "macbook"
    assert alice.run("list_ssh_keys")["items"] == []

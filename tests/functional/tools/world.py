"""A small hub that has one of everything, and for every tool arguments that work on it."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, field
from functools import cache
from http.server import ThreadingHTTPServer
from typing import Any

import sqlalchemy as sa

from hub_core.accounts.tables import User
from hub_core.authz import Actor, Role, Scope, Visibility
from hub_core.bridges.links import Person
from hub_core.db import Base
from hub_core.deployments.specs import Asked
from hub_core.deployments.tables import Deployment
from hub_core.deployments.tables import Status as Running
from hub_core.discussions.views import Status
from hub_core.git import Author, FileChange
from hub_core.jobs.relay import relay_one
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services
from tests.common import fake_runtime
from tests.common.deploying import add_model
from tests.common.factories import actor_for, make_org, make_user
from tools import invoke
from tools.contract import ToolContext

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIvbSqusEnhJKY2cmVOse2X1Prlzk1ge3dSjHSVJEhBe alice@macbook"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl alice@tower"
OPENED, CLOSED = "acme/opened", "acme/closed"
MODEL, DATA, APP, SERVED, TALKS = "acme/support-7b", "acme/tickets", "acme/app", "acme/tiny", "acme/talks"
GONE = {("finetune", "cancelled"), ("evaluate", "cancelled")}
PEOPLE = ("root", "alice", "bob", "carol", "dave")


@dataclass
class World:
    """The hub and a token of each person; `root` is the site administrator, alice runs acme, bob writes there, carol is a stranger."""

    services: Services
    people: dict[str, User]
    tokens: dict[str, str] = field(default_factory=dict)

    def actor(self, name: str) -> Actor:
        """The person, signed in by browser."""
        return actor_for(self.people[name])

    def context(self, name: str, thread_id: str | None = None) -> ToolContext:
        """Somebody who calls tools."""
        return ToolContext(self.actor(name), self.services, thread_id)

    def call(self, who: str, tool: str, thread_id: str | None = None, /, **args: Any) -> dict[str, Any]:
        """The result of a tool as JSON."""
        done = invoke.call(self.context(who, thread_id), tool, args, gate=False)
        assert isinstance(done, invoke.Done)
        return done.output.model_dump(mode="json")

    def dump(self, *without: str) -> dict[str, list[str]]:
        """Every row of every table, as text; the time of a token's last use is not counted."""
        found: dict[str, list[str]] = {}
        with self.services.db.read() as session:
            for table in Base.metadata.sorted_tables:
                # Use of models is written down a moment later.
                if table.name not in (*without, "usage_hours"):
                    columns = [column for column in table.columns if column.name != "last_used_at"]
                    found[table.name] = sorted(repr(tuple(row)) for row in session.execute(sa.select(*columns)))
        return found

    def audited(self) -> int:
        """How many audit events there are."""
        return len(self.dump()["audit_events"])

    def visible(self) -> dict[str, Any]:
        """Everything that people can see, without times and versions: what undo has to bring back."""
        seen: dict[str, Any] = {}
        for repo in self.call("root", "search_repos", limit=100)["items"]:
            name = {"repo": repo["id"], "kind": repo["kind"]}
            seen[f"{repo['kind']}:{repo['id']}"] = {
                **{key: value for key, value in repo.items() if key not in ("updated_at", "head", "created_at")},
                "access": self.call("root", "list_access", **name)["items"],
                "requests": [item["username"] for item in self.call("root", "list_access", **name)["requests"]],
                "files": self._files(name),
                "branches": [item["name"] for item in self.call("root", "list_branches", **name)["items"]],
                "git tags": self._git_tags(name),
                "talks": [item["title"] for item in self.call("root", "list_discussions", **name)["items"] if item["status"] != "closed"],
            }
        seen["users"] = [(user["username"], user["status"]) for user in self.call("root", "list_users")["items"]]
        orgs = [org["name"] for org in self.call("root", "list_orgs")["items"]]
        seen["orgs"] = {
            name: sorted((m["username"], m["role"]) for m in self.call("root", "get_org", org=name)["members"]) for name in orgs
        }
        seen["budgets"] = [(one["owner"], one["period"], one["amount"]) for one in self.call("root", "get_usage", owner="acme")["budgets"]]
        for who in ("alice", "root"):
            for tool in ("list_tokens", "list_ssh_keys"):
                seen[f"{tool} {who}"] = sorted(item.get("name") or item["title"] for item in self.call(who, tool)["items"])
            seen[f"preferences {who}"] = self.call(who, "get_preferences")
        seen["collections"] = {
            item["title"]: {key: value for key, value in item.items() if key not in ("updated_at", "created_at")}
            for item in self.call("root", "list_collections", limit=100)["items"]
        }
        hooks = self.call("alice", "list_webhooks", **R)["items"] if f"model:{R['repo']}" in seen else []
        seen["webhooks"] = [(item["url"], item["domains"]) for item in hooks]
        # What was started and taken back stays as a job that was cancelled.
        jobs = self.call("alice", "list_jobs", limit=100)["items"]
        seen["jobs"] = [(item["id"], item["status"]) for item in jobs if (item["kind"], item["status"]) not in GONE]
        # That somebody was told of a request is not taken back with it.
        notices = [item for item in self.call("alice", "list_notifications", limit=100)["items"] if item["action"] != "access.request"]
        seen["notifications"] = [(item["title"], item["read"]) for item in notices]
        kept = ("name", "repo", "visibility", "hardware", "runtime", "replicas", "environment")
        served = self.call("root", "list_deployments", limit=100)["items"]
        seen["deployments"] = {item["name"]: (item["status"] == "stopped", *(item[key] for key in kept)) for item in served}
        app = self.services.repos.find(self.actor("root"), f"space:{APP}")
        seen["secrets"] = [view.name for view in self.services.spaces.secrets(self.actor("root"), app)]
        with self.services.db.read() as session:
            for table in ("likes", "watches"):
                rows = session.execute(sa.text(f"SELECT repo_id, user_id{', level' if table == 'watches' else ''} FROM {table}"))
                seen[table] = sorted(tuple(row) for row in rows)
        return seen

    def _git_tags(self, name: dict[str, Any]) -> dict[str, str]:
        repo = self.services.repos.find(self.actor("root"), f"{name['kind']}:{name['repo']}")
        return {ref: target for ref, target in self.services.git.refs(repo.id).items() if ref.startswith("refs/tags/")}

    def _files(self, name: dict[str, Any]) -> dict[str, str]:
        repo = self.services.repos.find(self.actor("root"), f"{name['kind']}:{name['repo']}")
        git = self.services.git
        return {entry.path: entry.sha for entry in git.tree(repo.id, git.resolve(repo.id), recursive=True)}


def _open(world: World) -> None:
    """A Space that runs and one that was stopped, as far as the database knows."""
    services, alice = world.services, world.actor("alice")
    for name in (OPENED, CLOSED):
        services.repos.create(alice, name, RepoKind.SPACE, Visibility.PRIVATE, sdk="gradio")
        repo = services.repos.find(alice, name)
        services.files.commit(alice, repo, [FileChange("app.py", b"print()\n")], "Add an app")
        services.space_runs.run(alice, repo, services.space_runs.plan(alice, repo, "cpu-small"))
    services.space_runs.stop(alice, services.repos.find(alice, CLOSED))


def build(services: Services) -> World:
    """Make the world on an empty hub."""
    people = {name: make_user(services.db, name, is_admin=name == "root") for name in PEOPLE}
    make_org(services.db, "acme", {people["alice"]: Role.ADMIN, people["bob"]: Role.WRITE})
    make_org(services.db, "spare", {people["alice"]: Role.ADMIN, people["root"]: Role.ADMIN})
    world = World(services, people)
    alice = world.actor("alice")
    services.repos.create(alice, MODEL, RepoKind.MODEL, Visibility.PRIVATE, "Answers tickets")
    services.repos.create(alice, DATA, RepoKind.DATASET, Visibility.PRIVATE)
    services.repos.create(alice, APP, RepoKind.SPACE, sdk="gradio")
    services.repos.create(alice, TALKS, RepoKind.DATASET, Visibility.PRIVATE)
    questions = b"".join(b'{"prompt": "What is %d?", "completion": "A number."}\n' % number for number in range(40))
    services.files.commit(alice, services.repos.find(alice, TALKS), [FileChange("train.jsonl", questions)], "Add questions")
    services.repos.create(alice, "alice/old", RepoKind.CODE)
    services.repos.delete(alice, services.repos.find(alice, "alice/old"))
    model, data = services.repos.find(alice, MODEL), services.repos.find(alice, DATA)
    config = FileChange("config.json", b'{"model_type": "llama"}\n')
    services.files.commit(alice, model, [config, FileChange("docs/guide.md", b"# Guide\n")], "Add a guide")
    services.files.commit(alice, data, [FileChange("data/train.csv", b"team,minutes\nbilling,5\nlogin,7\nbilling,1\n")], "Add rows")
    services.history.create_branch(alice, model, "dev")
    services.files.commit(alice, model, [FileChange("dev.txt", b"work\n")], "Work", branch="dev")
    services.history.create_tag(alice, model, "v1.0")
    head = services.git.resolve(model.id)
    services.git.create_tag(model.id, "v2.0", head, "The second release", Author("Alice", "alice@example.org"))
    services.access.grant(alice, model, "dave", Role.READ)
    services.access.grant(alice, data, "dave", Role.READ)
    services.gating.ask(world.actor("dave"), model, "I write the tests")
    services.tags.set(alice, model, ["support"], "add")  # type: ignore[arg-type]
    services.tokens.create(alice, "ci", Scope.READ)
    services.ssh_keys.add(alice, "macbook", KEY)
    services.bridges.accept(alice, services.bridges.invite(Person("slack", "T1", "U1", "Ada")))
    _work(world, model)
    _talk(world, model)
    _serve(world)
    _open(world)
    while relay_one(services):
        pass
    services.webhooks.create_for_repo(alice, model, "https://ci.example.com/hook")
    services.users.set_preference(alice, "language", "ja")
    services.social.set_like(alice, data, True)
    picks = services.collections.create(alice, "Team picks", "acme", description="Ours").id
    services.collections.add(alice, picks, [data, services.repos.find(alice, f"space:{APP}")], {data.id: "The rows"})
    services.conversations.store_attachment(alice, "more.csv", iter([b"team,minutes\nlogin,2\n"]))
    for name in PEOPLE:
        world.tokens[name] = services.tokens.create(world.actor(name), "test", Scope.ADMIN).token
    world.tokens["alice (read)"] = services.tokens.create(alice, "reader", Scope.READ).token
    return world


def _talk(world: World, model: Repo) -> None:
    """An open discussion, a closed one, and a pull request of somebody who may only read."""
    talks, alice = world.services.discussions, world.actor("alice")
    talks.open(alice, model, "Which licence?", "The card says none.")
    talks.open(alice, model, "Done already")
    talks.set_status(alice, model, 2, Status.CLOSED)
    notes = FileChange("notes.txt", b"Notes\n")
    world.services.pulls.open_with_commit(world.actor("dave"), model, [notes], "Add notes")


def _work(world: World, model: Repo) -> None:
    """Job 1 waits, job 2 was cancelled."""
    with world.services.db.write() as session:
        for number in (1, 2):
            key = f"check {number}"
            world.services.jobs.queue.enqueue(session, "verify", {"repo": model.id}, actor=world.actor("alice"), repo_id=model.id, key=key)
    world.services.jobs.cancel(world.actor("alice"), 2)


def _serve(world: World) -> None:
    """A deployment with two revisions that a server of the test answers for, and one that is stopped."""
    services, alice = world.services, world.actor("alice")
    repo = add_model(services, alice, SERVED)
    for name in ("chat", "night"):
        clean, spec = services.deployments.plan_deploy(alice, repo, name, Asked(hardware="cpu-small"))
        services.deployments.deploy(alice, repo, clean, spec)
    chat, night = (services.deployments.find(alice, f"acme/{name}") for name in ("chat", "night"))
    newer = services.deployments.plan_update(alice, chat, Asked(hardware="cpu-medium"))
    assert newer is not None
    services.deployments.roll_out(alice, chat, newer)
    services.deployments.stop(alice, night)
    with services.db.write() as session:
        row = session.get_one(Deployment, chat.deployment.id)
        row.status, row.ready, row.serving, row.endpoints = Running.RUNNING, 1, 2, [answering()]
        row.updated_at -= dt.timedelta(days=2)  # so that it can be idle
        row.requested_at = None


@cache
def answering() -> str:
    """The address of a tiny model server in this process."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), fake_runtime.Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


@dataclass(frozen=True)
class Case:
    """A call that works. A `stranger` may make it as well; not `undoable` where the act has no way back."""

    args: dict[str, Any]
    who: str = "alice"
    stranger: bool = False
    undoable: bool = True


P = {"deployment": "acme/chat"}
R = {"repo": MODEL}
D = {"repo": DATA}
CASES: dict[str, Case] = {
    "search_repos": Case({"query": "support"}, stranger=True),
    "get_repo": Case(R),
    "create_repo": Case({"name": "acme/new", "kind": "dataset"}),
    "update_repo": Case({**R, "description": "Other words", "license": "mit", "default_branch": "dev"}),
    "set_visibility": Case({**R, "visibility": "public"}),
    "move_repo": Case({**R, "new_name": "alice/moved"}),
    "fork_repo": Case({**R, "to": "alice/mine"}),
    "delete_repo": Case(R),
    "restore_repo": Case({"repo": "alice/old"}),
    "like_repo": Case(R),
    "unlike_repo": Case(D),
    "watch_repo": Case({**R, "level": "mentions"}),
    "set_tags": Case({**R, "tags": ["chat", "support"], "mode": "replace"}),
    "list_tags": Case({}, stranger=True),
    "get_lineage": Case(R),
    "list_files": Case({**R, "recursive": True}),
    "read_file": Case({**R, "path": "docs/guide.md"}),
    "write_file": Case({**R, "path": "docs/guide.md", "content": "# Better\n"}),
    "upload_file": Case({**D, "attachment": "more.csv", "path": "data/"}),
    "move_file": Case({**R, "path": "docs", "new_path": "manual/"}),
    "delete_file": Case({**R, "path": "config.json"}),
    "get_download_command": Case(R),
    "list_commits": Case({**R, "limit": 1}),
    "show_commit": Case({**R, "revision": "main"}),
    "compare_revisions": Case({**R, "base": "main", "head": "dev"}),
    "revert_commit": Case({**R, "revision": "main"}),
    "list_branches": Case(R),
    "create_branch": Case({**R, "branch": "idea", "revision": "v1.0"}),
    "delete_branch": Case({**R, "branch": "dev"}),
    "list_git_tags": Case(R),
    "create_tag": Case({**R, "tag": "v1.1"}),
    "delete_git_tag": Case({**R, "tag": "v2.0"}),
    "inspect_model": Case(R),
    "preview_dataset": Case({**D, "limit": 2}),
    "describe_dataset": Case(D),
    "query_dataset": Case({**D, "sql": "select team, sum(minutes) m from data group by team order by team"}),
    "list_discussions": Case({**R, "status": "open"}),
    "get_discussion": Case({**R, "number": 3}),
    "open_discussion": Case({**R, "title": "Numbers?", "body": "Which accuracy has it?"}),
    "comment_discussion": Case({**R, "number": 1, "body": "Apache."}, undoable=False),
    "close_discussion": Case({**R, "number": 1, "comment": "Answered."}),
    "reopen_discussion": Case({**R, "number": 2}),
    "open_pull_request": Case({**R, "title": "Bring the work", "branch": "dev"}),
    "merge_pull_request": Case({**R, "number": 3}),
    "list_audit_events": Case({"repo": MODEL, "limit": 5}),
    "whoami": Case({}, stranger=True),
    "get_user": Case({"username": "bob"}, stranger=True),
    "list_users": Case({}, stranger=True),
    "create_user": Case({"username": "erin", "email": "erin@example.org"}, who="root"),
    "set_user_status": Case({"username": "dave", "status": "disabled"}, who="root"),
    "reset_password": Case({"username": "dave"}, who="root", undoable=False),
    "delete_user": Case({"username": "dave"}, who="root", undoable=False),
    "create_org": Case({"name": "lab", "description": "Trials"}, stranger=True),
    "list_orgs": Case({}, stranger=True),
    "get_org": Case({"org": "acme"}, stranger=True),
    "delete_org": Case({"org": "spare"}, undoable=False),
    "leave_org": Case({"org": "spare"}, undoable=False),
    "add_org_member": Case({"org": "acme", "username": "carol", "role": "write"}),
    "update_org_member": Case({"org": "acme", "username": "bob", "role": "read"}),
    "remove_org_member": Case({"org": "acme", "username": "bob"}),
    "list_access": Case(R),
    "grant_access": Case({**R, "username": "dave", "role": "admin"}),
    "revoke_access": Case({**R, "username": "dave"}),
    "set_gating": Case({**R, "gated": "manual"}),
    "request_access": Case({**D, "reason": "I mend the rows"}, who="dave"),
    "decide_access": Case({**R, "username": "dave", "decision": "accept"}),
    "create_token": Case({"name": "nightly", "scope": "write", "expires": "30d"}, stranger=True),
    "list_tokens": Case({}, stranger=True),
    "revoke_token": Case({"name": "ci"}, undoable=False),
    "add_ssh_key": Case({"title": "tower", "key": OTHER_KEY}, stranger=True),
    "list_ssh_keys": Case({}, stranger=True),
    "delete_ssh_key": Case({"title": "macbook"}, undoable=False),
    "list_chat_links": Case({}, stranger=True),
    "unlink_chat": Case({"link": "Slack"}, undoable=False),
    "create_collection": Case({"title": "Night picks", "description": "Runs at night"}, stranger=True),
    "list_collections": Case({"owner": "acme"}, stranger=True),
    "get_collection": Case({"collection": "team picks"}),
    "update_collection": Case({"collection": "acme/Team picks", "title": "Best picks", "visibility": "internal"}),
    "add_to_collection": Case({"collection": "team-picks", **R, "note": "The model"}),
    "remove_from_collection": Case({"collection": "team picks", **D}),
    "delete_collection": Case({"collection": "team picks"}, undoable=False),
    "create_webhook": Case({**R, "url": "https://chat.example.com/hook", "domains": ["discussion"]}),
    "list_webhooks": Case(R),
    "delete_webhook": Case({**R, "webhook": "https://ci.example.com/hook"}),
    "list_notifications": Case({"unread": True}, stranger=True),
    "mark_notifications_read": Case({}, stranger=True),
    "start_finetune": Case({"model": SERVED, "dataset": TALKS, "hardware": "cpu-small", "max_steps": 3}),
    "evaluate_model": Case({"repo": SERVED, "dataset": TALKS, "hardware": "cpu-small"}),
    "list_jobs": Case({"status": "queued", "limit": 2}, stranger=True),
    "get_job": Case({"job": 1}),
    "cancel_job": Case({"job": 1}),
    "retry_job": Case({"job": 2}),
    "scan_repo": Case(R, undoable=False),
    "verify_repo": Case(R),
    "list_hardware": Case({}, stranger=True),
    "list_runtimes": Case({}, stranger=True),
    "deploy_model": Case({"repo": SERVED, "hardware": "small CPU", "name": "more"}),
    "list_deployments": Case({"owner": "acme", "status": "running"}, stranger=True),
    "get_deployment": Case(P),
    "update_deployment": Case({**P, "hardware": "cpu-small"}),
    "rollback_deployment": Case(P),
    "start_deployment": Case({"deployment": "night"}),
    "stop_deployment": Case(P),
    "restart_deployment": Case(P, undoable=False),
    "scale_deployment": Case({**P, "replicas": 2}),
    "delete_deployment": Case(P),
    "try_deployment": Case({**P, "prompt": "What is the capital of France?"}),
    "get_logs": Case({"target": "chat", "lines": 5}),
    "get_metrics": Case({"target": "chat", "period": "2026-11-01..2026-11-02"}),
    "stop_idle_deployments": Case({"owner": "acme", "period": "24h"}, stranger=True, undoable=False),
    "get_usage": Case({"owner": "acme", "period": "2026-11-01..2026-11-02"}, stranger=True),
    "set_budget": Case({"owner": "acme", "amount": 200}),
    "run_space": Case({"repo": CLOSED, "hardware": "cpu-small"}),
    "stop_space": Case({"repo": OPENED}),
    "set_secret": Case({"target": APP, "name": "API_KEY", "value": "hunter2hunter2"}),
    "help": Case({"topic": "datasets"}, stranger=True),
    "undo": Case({}, undoable=False),
    "set_preference": Case({"key": "language", "value": "ko"}, stranger=True),
    "get_preferences": Case({}, stranger=True),
    "list_approvals": Case({}, stranger=True),
}

"""From a tool and a document to its arguments: by slot type and schema, deterministic; several objects become several steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agent.planner import fill_community as community
from agent.planner import fill_credentials as credentials
from agent.planner import fill_entities as entities
from agent.planner import fill_names as names
from agent.planner import fill_paths as paths
from agent.planner import fill_running as running
from agent.planner import fill_texts as texts
from agent.planner import fill_training as training
from agent.planner import fill_usage as usage
from agent.planner import fill_values as values
from agent.planner.document import Document
from agent.planner.form import Filler, Form
from agent.planner.lexicon import spot
from agent.planner.linker import Index
from agent.planner.spans import Lexis
from agent.planner.types import Focus, SlotSpec, Step, ToolSpec, World

_BY_TYPE: Mapping[str, Filler] = {
    "repo": entities.repo, "kind": entities.kind, "user": entities.user, "org": entities.org, "owner": entities.owner, "role": values.role, "visibility": values.visibility,
    "branch": entities.branch, "git_tag": entities.git_tag, "revision": entities.revision, "path": paths.path, "new_path": paths.new_path, "tags": texts.tags,
    "license": values.license_, "scope": values.scope, "token": credentials.token, "ssh_key": credentials.ssh_key, "new_name": names.new_name, "text": texts.text, "query": texts.query,
    "sql": texts.sql, "number": values.number, "flag": values.flag, "email": values.email, "when": values.when, "status": values.status, "language": values.language,
    "attachment": paths.attachment, "choice": values.choice, "secret": texts.secret,
    "collection": community.collection, "discussion": community.discussion, "webhook": community.webhook, "url": community.url,
    "deployment": running.deployment, "hardware": running.hardware, "period": usage.period, "amount": usage.amount,
}  # fmt: skip
_BY_SLOT: Mapping[tuple[str, str], Filler] = {
    ("create_repo", "kind"): values.kind,
    ("search_repos", "kind"): values.kind,
    ("list_collections", "query"): community.about,
    ("list_discussions", "type"): community.thread_kind,
    ("unlink_chat", "link"): community.chat_link,
    ("set_secret", "value"): credentials.space_secret,
    ("deploy_model", "name"): running.name,
    ("start_finetune", "model"): training.repo,
    ("start_finetune", "dataset"): training.repo,
    ("start_finetune", "output"): training.output,
    ("evaluate_model", "repo"): training.repo,
    ("evaluate_model", "dataset"): training.repo,
    ("get_logs", "target"): running.target,
    ("get_metrics", "target"): running.target,
    ("get_usage", "target"): running.used,
    ("compare_revisions", "base"): entities.compare,
    ("compare_revisions", "head"): entities.compare,
}
# What an argument of this name is, whatever its type.
_BY_NAME: Mapping[str, Filler] = {
    "job": community.job,
    "body": community.body,
    "reason": community.body,
    "decision": community.choice,
    "gated": community.choice,
    "runtime": running.runtime,
    "environment": running.environment,
    "replicas": running.replicas,
    "traffic": usage.traffic,
    "max": usage.most,
    "learning_rate": usage.learning_rate,
    "epochs": usage.counted("epochs"),
    "max_steps": usage.counted("steps"),
    "lora_rank": usage.counted("rank"),
}
# Slots that leave others their pick: what is bound by shape or by its own words first, free names and texts last.
_ORDER = ("sql", "attachment", "url", "webhook", "deployment", "hardware", "repo", "collection", "discussion", "path", "new_path", "branch", "git_tag", "revision", "token", "ssh_key", "user", "org", "owner", "email", "license", "role", "visibility", "scope",
          "status", "flag", "tags", "choice", "language", "number", "when", "secret", "new_name", "kind", "query", "text")  # fmt: skip
_FIRST = {
    "create_repo": ("license", "text", "new_name"),
    "create_token": ("when", "new_name"),
    "set_tags": ("choice", "repo"),
    "create_branch": ("repo", "revision"),
    "create_tag": ("repo", "revision"),
    "update_repo": ("repo", "license", "branch"),
    "set_user_status": ("status",),
    "move_repo": ("repo", "new_name"),
    "add_ssh_key": ("text",),
    "set_secret": ("repo", "secret"),
    "create_user": ("email", "secret", "new_name"),
    "list_audit_events": ("when", "repo", "user"),
}
_JOINER = re.compile(
    r"^\s*(?:,|、|,|and|&|\+|plus|as well as|,\s*and|和|与|跟|以及|还有|と|や|および|及び|랑|이랑|와|과|하고|및|그리고)?\s*(?:the |さん|님|씨)?\s*(?:and|&|和|と|랑|와|과|하고|,|、)?\s*(?:the )?$"
)


def fill(spec: ToolSpec, doc: Document, world: World, focus: Focus, index: Index, lexis: Lexis, *, inherit: bool = True) -> list[Step]:
    """The steps of one order: one, or one for each object of a list ("delete a and b")."""
    form = Form(spec, doc, world, focus, index, lexis, inherit=inherit)
    order = (*_FIRST.get(spec.name, ()), *_ORDER)
    for slot in sorted(spec.slots, key=lambda item: (order.index(item.type) if item.type in order else 99, spec.slots.index(item))):
        filler = _BY_SLOT.get((spec.name, slot.name)) or _BY_NAME.get(slot.name) or _BY_TYPE.get(slot.type)
        value = filler(form, slot) if filler and slot.name not in form.args else None
        if value is not None and value != "" and value != []:
            form.args[slot.name] = value
    _only_said(form)
    step = _step(form)
    return _each(form, step)


def _only_said(form: Form) -> None:
    """Drop optional arguments that a sentence of this tool does not carry."""
    if (
        form.spec.name == "update_repo"
        and "default_branch" in form.args
        and not re.search(r"default|land on|shown first|默认|主分支|缺省|デフォルト|既定|最初に開く|기본|디폴트", form.doc.low)
    ):
        form.args.pop("default_branch")
    if form.spec.name == "search_repos" and form.args.get("deleted") and "visibility" in form.args:
        form.args.pop("visibility", None)


def _step(form: Form) -> Step:
    missing = tuple(name for name in form.spec.required if name not in form.args)
    if form.spec.name == "update_repo" and not ({"description", "license", "default_branch"} & form.args.keys()):
        missing = (*missing, _what_to_update(form.doc))
    choices = {name: values for name, values in form.choices.items() if name not in form.args}
    extra = tuple(name for name in choices if name not in missing and name in ("kind",))
    order = {slot.name: at for at, slot in enumerate(form.spec.slots)}
    args = dict(sorted(form.args.items(), key=lambda item: order.get(item[0], 99)))
    return Step(form.spec.name, args, (*missing, *extra), choices)


def _what_to_update(doc: Document) -> str:
    from agent.planner.lexicon import cue

    if cue("license_noun").search(doc.low):
        return "license"
    return "default_branch" if cue("default_branch").search(doc.low) and not cue("description_noun").search(doc.low) else "description"


def _each(form: Form, step: Step) -> list[Step]:
    """Further objects that are listed beside a used one, each in a step of its own."""
    if pairs := _people_with_roles(form):
        return [Step(step.tool, {**step.args, "username": name, "role": role}, (), step.choices) for name, role in pairs]
    steps = [step]
    for slot in form.spec.slots:
        if slot.type not in ("repo", "user", "org", "token", "branch", "path", "git_tag") or slot.name not in step.args or slot.many:
            continue
        if form.spec.name in ("compare_revisions", "move_file", "create_branch", "create_tag") and slot.type != "repo":
            continue
        more = _beside(form, slot)
        if more:
            steps = [_with(base, slot.name, value) for base in steps for value in (base.args[slot.name], *more)]
    return steps[:12]


def _people_with_roles(form: Form) -> list[tuple[str, str]]:
    """Several people, each with a role of their own ("boris as admin and chioma as reader")."""
    people = form.doc.of("user")
    if len(people) < 2 or form.spec.slot("role") is None or form.spec.slot("username") is None:
        return []
    roles = spot("role", form.doc.masked)
    if len(roles) != len(people) or len({value for *_, value in roles}) < 2:
        return []
    form.used.extend(people)
    return [(str(span.value), role) for span, (_, _, role) in zip(people, roles, strict=True)]


def _with(step: Step, name: str, value: Any) -> Step:
    args = {**step.args, name: value}
    if step.tool == "move_repo" and name == "repo" and "/" in str(args.get("new_name", "")):
        args["new_name"] = f"{str(args['new_name']).partition('/')[0]}/{str(value).partition('/')[2]}"
    return Step(step.tool, args, step.missing, step.choices, step.confidence)


def _beside(form: Form, slot: SlotSpec) -> list[Any]:
    own = [span for span in form.used if span.type == slot.type]
    if not own:
        return []
    found: list[Any] = []
    last = own[-1]
    for span in form.doc.spans:
        if span in form.used or span.type != slot.type or span.start < last.end:
            continue
        gap = form.doc.low[last.end : span.start]
        if not gap.strip() or not _JOINER.match(gap):
            break
        value = span.entities[0].value if span.entities else span.value
        if value not in found and value != form.args[slot.name]:
            found.append(paths.in_repo(form, str(value)) if slot.type == "path" else value)
        form.used.append(span)
        last = span
    return found

"""Results of tools in words. Short: the page draws the rest from the steps' data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.answer import parts, running, spaces, training, trust, usage
from agent.answer.changes import act_of
from agent.answer.community import RENDERERS as COMMUNITY
from agent.answer.tables import COLUMNS, listing, raw_table, table
from agent.answer.words import act, message_with, plain, say, shown, size, word
from hub_core.secrecy import secrets_in
from prompts import PromptError
from tools import examples

MAX_FILE_LINES = 60
MAX_BYTES = 6000
MAX_SQL = 600

Step = dict[str, Any]


def result_text(language: str, step: Step) -> str:
    """What a call that ran brought."""
    render = _RENDERERS.get(step["tool"])
    if step["effect"] != "read":
        return _done(language, step)
    if render is not None:
        return render(language, step)
    if isinstance(step["result"].get("items"), list):
        return listing(language, step)
    return parts.facts(language, step)


def _done(language: str, step: Step) -> str:
    tool, plan = step["tool"], step.get("plan") or {}
    if tool in usage.DONE:
        return usage.DONE[tool](language, step)
    phrase = act_of(language, tool, plan, step["args"])
    if not plan.get("changes") and tool not in ("upload_file", "write_file"):
        return say(language, "note.unchanged", act=phrase)
    if tool in spaces.DONE:
        return spaces.DONE[tool](language, step)
    if tool in ("start_finetune", "evaluate_model"):
        return training.started(language, step)
    if tool == "scan_repo":
        return trust.scanned(language, step)
    if tool == "undo":
        text = say(language, "done.undo", act=act(language, step["result"]["tool"], step["result"]["args"]))
    else:
        try:
            values = parts.values(language, step)
            if tool == "set_tags":
                values["tags"] = shown(language, "tags", step["result"].get("tags"))
            gone = tool == "set_secret" and not step["result"]["is_set"]
            text = message_with(language, "note.secret_removed" if gone else f"done.{tool}", values)
        except (PromptError, KeyError):
            text = f"✓ {phrase}"
    if "price_per_hour" in step["result"]:
        text += "\n\n" + running.state_after(language, step)
    if tool == "create_token" and step["result"].get("repo"):
        text += " " + say(language, "fact.token_repo", repo=plain(step["result"]["repo"]))
    secrets = secrets_in(step["result"])
    if secrets:
        text += "\n\n" + say(language, "note.secret_once") + "".join(f"\n\n`{secret}`" for secret in secrets)
    return text


def _repo(language: str, step: Step) -> str:
    fields = ("description", "license", "tags", "owner", "likes", "downloads", "updated_at", "role", "deleted_at")
    values = {
        "kind": word(language, "kind", step["result"]["kind"]),
        "visibility": word(language, "visibility", step["result"]["visibility"]),
    }
    return parts.facts(language, step, fields).replace(parts.head(language, step), parts.head(language, step, **values), 1)


def _model(language: str, step: Step) -> str:
    fields = ("format", "parameters", "architecture", "quantization", "context_length", "library", "bytes_total", "dtypes")
    text = parts.facts(language, step, fields)
    files = [item["path"] for item in step["result"].get("files") or []]
    return text + (f"\n- {parts.field(language, 'files')}{shown(language, 'files', files[:10])}" if files else "")


def _file(language: str, step: Step) -> str:
    result = step["result"]
    head = parts.head(language, step)
    if result.get("binary") or (result.get("lfs") and not result.get("content")):
        return f"{head}\n\n{say(language, 'note.binary', size=size(result.get('size') or 0))}"
    content = str(result.get("content") or "")
    if not content:
        return f"{head} {say(language, 'note.empty')}"
    lines = content[:MAX_BYTES].splitlines()
    cut = len(lines) > MAX_FILE_LINES or len(content) > MAX_BYTES or result.get("truncated")
    return f"{head}\n\n{parts.fenced(lines[:MAX_FILE_LINES])}" + (f"\n\n{say(language, 'note.truncated')}" if cut else "")


def _diff(language: str, step: Step) -> str:
    result = step["result"]
    told = [parts.head(language, step)]
    if result.get("title"):
        told.append(f"{plain(result['title'])} · {plain(result.get('author', ''))} · {shown(language, 'at', result.get('at'))}")
    if result.get("commits"):
        told.append(table(language, COLUMNS["list_commits"], result["commits"]))
    return "\n\n".join([*told, *(parts.changed_files(result.get("files") or []) or [say(language, "note.empty")])])


def _rows(language: str, step: Step) -> str:
    result = step["result"]
    heads = [column["name"] for column in result["columns"]]
    told = [parts.head(language, step), raw_table(heads, result["rows"]) if result["rows"] else say(language, "note.empty")]
    if result.get("truncated") or len(result["rows"]) > 30:
        told.append(say(language, "note.more"))
    if step["tool"] == "query_dataset":
        told.append(say(language, "note.sql", sql=_code(plain(step["args"].get("sql", ""), MAX_SQL))))
    return "\n\n".join(told)


def _code(text: str) -> str:
    """Text as code in a line, which its own backticks cannot close."""
    return f"`` {text} ``" if "`" in text and "``" not in text else f"`{text.replace('`', chr(39))}`"


def _columns(language: str, step: Step) -> str:
    result = step["result"]
    used = [
        name for name in ("nulls", "distinct", "min", "max", "mean") if any(column.get(name) is not None for column in result["columns"])
    ]
    heads = [say(language, f"table.{name}") for name in ("column", "type", *used)]
    rows = [[column.get("name"), column.get("type"), *(column.get(name) for name in used)] for column in result["columns"]]
    lines = [parts.head(language, step)]
    if result.get("rows") is not None:
        lines.append(f"{parts.field(language, 'rows')}{result['rows']:,}")
    return "\n\n".join([*lines, raw_table(heads, rows)])


def _lineage(language: str, step: Step) -> str:
    lines = []
    for side in ("sources", "derived"):
        for item in step["result"].get(side) or []:
            found = say(language, "word.noted", text=f"**{plain(item['repo'])}**", note=word(language, "relation", item["relation"]))
            lines.append(f"- {parts.field(language, side)}{found}")
    return "\n".join([parts.head(language, step), *(lines or [say(language, "note.empty")])])


def _download(language: str, step: Step) -> str:
    return f"{parts.head(language, step)}\n\n{parts.fenced([step['result']['git']], 'sh')}"


def _person(language: str, step: Step) -> str:
    held = step["result"].get("orgs") or []
    orgs = [say(language, "word.noted", text=org["name"], note=word(language, "role", org["role"])) for org in held]
    text = parts.facts(language, step, ("email", "scope", "site_admin") if step["result"].get("site_admin") else ("email", "scope"))
    return text + (f"\n- {parts.field(language, 'orgs')}{shown(language, 'orgs', orgs)}" if orgs else "")


def _org(language: str, step: Step) -> str:
    members = step["result"].get("members") or []
    return f"{parts.head(language, step, n=len(members), org=step['result']['name'])}\n\n{table(language, COLUMNS['get_org'], members)}"


def _help(language: str, step: Step) -> str:
    """Sentences to say: a few for each group, or for each tool of a narrow topic."""
    lines = [say(language, "head.help")]
    groups = step["result"].get("groups") or []
    narrow = bool(step["result"].get("topic")) and sum(len(group["tools"]) for group in groups) <= 8
    for group in groups:
        lines.append(f"\n**{say(language, 'word.group.' + group['group'])}**")
        if narrow:
            said = [examples.sentences(language, item["tool"]) for item in group["tools"]]
            lines += [f"- {sentences[0]}" for sentences in said if sentences]
        else:
            lines += [f"- {line}" for line in say(language, f"examples.{group['group']}").splitlines()]
    return "\n".join(lines)


def _preferences(language: str, step: Step) -> str:
    lines = [f"- {plain(key)}: {plain(value)}" for key, value in (step["result"].get("preferences") or {}).items()]
    return "\n".join([parts.head(language, step), *(lines or [say(language, "note.empty")])])


def _approvals(language: str, step: Step) -> str:
    items = step["result"]["items"]
    if not items:
        return say(language, "none.list_approvals")
    return "\n".join(
        [say(language, "some.list_approvals", n=len(items)), *(f"- {act(language, item['tool'], item['args'])}" for item in items)]
    )


def _access(language: str, step: Step) -> str:
    """Who has which role, and who asks for one."""
    text = listing(language, step)
    asking = step["result"].get("requests") or []
    if asking:
        text += f"\n\n{parts.field(language, 'requests')}\n\n{table(language, COLUMNS['requests'], asking)}"
    return text


_RENDERERS: dict[str, Callable[[str, Step], str]] = {
    "get_repo": _repo, "inspect_model": _model, "read_file": _file, "show_commit": _diff, "compare_revisions": _diff,
    "preview_dataset": _rows, "query_dataset": _rows, "describe_dataset": _columns, "get_lineage": _lineage,
    "get_download_command": _download, "whoami": _person, "get_user": _person, "get_org": _org, "help": _help,
    "get_preferences": _preferences, "list_approvals": _approvals, "list_access": _access,
    **COMMUNITY, **running.RENDERERS, **spaces.RENDERERS, **trust.RENDERERS, **usage.RENDERERS,
}  # fmt: skip

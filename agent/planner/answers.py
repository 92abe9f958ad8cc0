"""Wishes that take two messages: a tool chosen by the value it lacked, a token or key wished away before it is named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agent.planner.document import Document
from agent.planner.followup import Context, answer, padding_left, replaced, without_values
from agent.planner.lexicon import cue, spot
from agent.planner.types import Focus, Question, Step, ToolSpec

_AWAY = re.compile(
    r"\b(?:revoke|delete|remove|kill|invalidate|get rid of|drop|retire|throw (?:out|away))\b|作废|吊销|废除|废掉|注销|删(?:掉|除|了)?|"
    r"消し|消す|消した|削除|破棄|無効に|失効|지우|지워|지울|없애|없앨|폐기|삭제|취소하"
)
_QUESTION = re.compile(r"\?|[吗嗎呢]|(?:か|かな)$|\b(?:who|what|which|when|how|list|show)\b|見せ|一覧|목록|보여|列出|哪")
_CHANGE = re.compile(
    r"\b(?:actually|change|set|put|turn|switch|back|keep|it|to|make|that|nah|hmm|no|nevermind|never mind)\b|"
    r"(?:改|换|变|设|调)(?:回(?:去|来)?|成|为)?|算了|还是|可见|"
    r"戻(?:して|しといて|しておいて)|に?(?:変え|かえ)(?:て|といて)|やっぱ(?:り)?|しといて|しておいて|"
    r"아니다|역시|그냥|다시|바꿔(?:줘|주세요)?|돌려(?:줘|놔|주세요)?|해줘|(?:으)?로"
)
_SETTABLE = {"set_visibility": ("visibility",), "add_org_member": ("role",), "update_org_member": ("role",), "grant_access": ("role",)}
_NAMELESS = {"revoke_token": ("token", "token_noun"), "delete_ssh_key": ("ssh_key", "key_noun")}
_ACCOUNT = ("set_user_status", "reset_password", "get_user")
# The same wish about an organisation and about a repo.
_OF_ORG = {"grant_access": "add_org_member", "revoke_access": "remove_org_member", "list_access": "get_org"}
_OF_REPO = {
    "add_org_member": "grant_access",
    "update_org_member": "grant_access",
    "remove_org_member": "revoke_access",
    "get_org": "list_access",
}


def completed(doc: Document, drafts: Sequence[Step], ctx: Context) -> list[Step] | None:
    """The only one of several drafts that the message completes, when it says nothing beside the value."""
    found = []
    for draft in drafts:
        if not draft.missing and not draft.choices:
            continue
        question = Question(draft.tool, dict(draft.args), [*draft.missing, *draft.choices], dict(draft.choices))
        steps = answer(doc, question, ctx)
        if isinstance(steps, list) and not steps[0].missing and len(padding_left(without_values(doc, question, ctx))) <= 3:
            found.append(steps)
    return found[0] if len(found) == 1 else None


def set_again(doc: Document, ctx: Context) -> list[Step] | None:
    """`change it back to internal`, `make that write`: another value for what was set last, and nothing else named."""
    spec = ctx.tools.get(ctx.focus.tool or "")
    names = _SETTABLE.get(ctx.focus.tool or "")
    if spec is None or names is None or not ctx.focus.args or len(doc.text) > 40 or "?" in doc.text:
        return None
    if any(span.how != "pronoun" for span in doc.spans):
        return None
    bare = without_values(doc, Question(spec.name, {}, list(names)), ctx)
    if bare.low == doc.low:
        return None
    rest = Document(bare.text, _blanked(bare.low), bare.spans, [], bare.language)
    return replaced(doc, spec, dict(ctx.focus.args), ctx) if not padding_left(rest) else None


def _blanked(low: str) -> str:
    return _CHANGE.sub(lambda m: " " * len(m.group()), low)


def nameless(doc: Document, ctx: Context) -> Step | None:
    """A token or key to be done away with, not named: the only one just shown, else a question with the own ones as choices."""
    if _QUESTION.search(doc.low) or not _AWAY.search(doc.masked):
        return None
    if any(span.type not in ("number", "when") and span.how != "pronoun" for span in doc.spans) or doc.weak:
        return None
    for tool, (type_, noun) in _NAMELESS.items():
        spec = ctx.tools.get(tool)
        if spec is None or not cue(noun).search(doc.masked):
            continue
        slot = next(slot.name for slot in spec.slots if slot.type == type_)
        shown = [str(item["value"]) for item in ctx.focus.listed if item["type"] == type_]
        if len(shown) == 1:
            return Step(tool, {slot: shown[0]}, confidence=0.9)
        own = [entity.value for entity in ctx.world.entities() if entity.type == type_]
        return Step(tool, {}, (slot,), {slot: own} if len(own) > 1 else {}, 0.9)
    return None


def of_the_thread(scores: list[tuple[str, float]], doc: Document, focus: Focus, tools: Mapping[str, ToolSpec]) -> list[tuple[str, float]]:
    """Rights of a person, with no organisation or repo named, are about what was shown or changed just before."""
    if not doc.of("user") or doc.of("repo", "repo_ref", "org") or cue("org_noun").search(doc.masked) or cue("repo_noun").search(doc.masked):
        return scores
    org_last = focus.org and focus.tool in ("get_org", "add_org_member", "update_org_member", "remove_org_member")
    repo_last = focus.repo and focus.tool in ("list_access", "grant_access", "revoke_access")
    twins = _OF_ORG | {"update_org_member": "add_org_member"} if org_last else _OF_REPO if repo_last else {}
    top = next((twins.get(name, name) for name, _ in scores), "")
    if twins and top in _SETTABLE and spot("role", doc.masked):
        # A role was said: whoever sets one does not mean the person's account.
        twins = twins | dict.fromkeys(_ACCOUNT, top)
    pooled: dict[str, float] = {}
    for name, p in scores:
        name = twins.get(name, name) if twins.get(name, name) in tools else name
        pooled[name] = pooled.get(name, 0.0) + p
    return sorted(pooled.items(), key=lambda item: -item[1])


def whole(doc: Document, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The clauses with every one that only states a value ("add boris, just read") put back to the clause before it."""
    kept = ranges[:1]
    for start, end in ranges[1:]:
        part = doc.cut(start, end)
        said = [hit for topic in ("role", "visibility") for hit in spot(topic, part.low) or spot(topic, part.low, weak=True)]
        low = part.low
        for first, last, _ in said:
            low = low[:first] + " " * (last - first) + low[last:]
        act = re.match(r"(?:make|set|change|turn|open|lock|publish)\b|改|换|设|公开|公開|비?공개", part.low)
        if said and not act and not part.spans and not padding_left(Document(part.text, low, [], [], part.language)):
            kept[-1] = (kept[-1][0], end)
        else:
            kept.append((start, end))
    return kept

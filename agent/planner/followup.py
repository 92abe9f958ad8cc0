"""Messages that only make sense after others: answers to a question, `the same for X`, corrections, refinements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent.planner.document import Document
from agent.planner.fill import fill
from agent.planner.fill_values import choice as _choice
from agent.planner.fill_values import kind as _kind
from agent.planner.fill_values import role as _role
from agent.planner.fill_values import scope as _scope
from agent.planner.fill_values import status as _status
from agent.planner.fill_values import visibility as _visibility
from agent.planner.form import Form
from agent.planner.lexicon import spot, talk
from agent.planner.linker import Index
from agent.planner.mentions import ordinals
from agent.planner.spans import Lexis
from agent.planner.types import PSEUDO_TOOLS, Focus, Question, SlotSpec, Step, ToolSpec, World

_PADDING = re.compile(
    r"\b(?:the|a|an|one|ones|please|pls|it|is|it's|its|use|make|keep|that|this|i|mean|meant|want|of|in|from|by|for|to|as|with|on|at|under|and|too|also|well|just|let's|let|us|say|name|named|called|call|be|should|would|like|"
    r"user|users|org|organization|organisation|team|repo|repository|model|dataset|space|branch|file|token|role|access|rights|only|instead|rather|actually|no|not|sorry|oops|wait|yes|ok|okay|s|now|then|same|thing|what|about|how|do|"
    r"oh|ah|hmm|um|he|she|they|gets?|give|him|her|them|again|thanks|thank|you|all|both|kind|licen[cs]e|scope|visibility|but|wrong|i'm|talking|licensed)\b"
    r"|[的吧了呢啊是用就要请那个这叫把给换成我说指不对也一样同还有和与里中下名为做它谢麻烦]|那个|还是|应该"
    r"|(?:です|ます|でお願いします|お願い(?:します)?|ください|にして|にします|の(?:ほう|方|やつ)?|で|に|を|は|が|と|も|って|という|じゃなくて|ではなく|違う|いや|ごめん|同じ(?:ように|く)?|さん|名前|やつ|ほう|方|だ|よ|ね|えっと|それ|じゃあ|して|同様に)"
    r"|(?:으로|로|을|를|은|는|이|가|의|도|요|이요|이에요|예요|입니다|에|에서|에게|한테|해줘|해주세요|해|주세요|줘|똑같이|같이|마찬가지로|말고|아니|아니라|거|것|쪽|님|씨|이름은|라고|하고|랑|그|좀|그럼|네|있는)(?=\s|$|[^가-힣])"
    r"|[\s,、。.!?:;'\"「」『』()~-]+"
)
_REFINE = re.compile(
    r"^(?:and |now |just |only |ok |show |narrow|filter|but |sorry|what about|how about|of those|from those|which of)|\bones\b|^(?:只|仅|就|其中|那|再|里面)|だけ|のみ|その中|絞|그중|중에|만\s|만$|이면"
)
_SORRY = re.compile(
    r"\b(?:sorry|my bad|my mistake|oops|whoops|typo|i misspoke|got (?:it|that) wrong|wrong one|other one|mixed (?:it|them) up)\b|"
    r"(?:说|搞|弄|写|打|记)错了?|不好意思|抱歉|口误|啊|"
    r"(?:言い|書き)?間違え(?:た|ました|てた|ちゃった)?|間違い(?:です|でした)?|すみません|すいません|ごめんなさい|訂正|"
    r"(?:잘못|실수로?|헷갈렸|착각)(?: ?말했(?:어|네|다|어요|네요)| ?했(?:어|네|다|어요))?|미안|죄송(?:해요|합니다)?|아니다|아니지|아 ?맞다|앗"
)
# Takes the last change back, where no commit, file or other thing is named.
_UNDO = re.compile(
    r"\b(?:undo|take (?:that|it) back|roll (?:that|it) back|(?:put|change|switch|set|turn) (?:it|that|things) back|back (?:to )?(?:how|the way|as) it was|"
    r"as it was before|unwind that)\b|撤销|撤回|還原|还原|恢复原(?:样|状)|(?:改|变|换|调|退)回(?:去|来)|回退|退回去|复原|"
    r"(?:元|もと|前)(?:の状態)?に(?:戻|もど)|戻(?:して|しといて|しておいて|せ)|取り?消し|アンドゥ|なかったことに|"
    r"되돌(?:려|리)|원래(?:대로|상태)|원상 ?복구|원복|무르|(?:방금|아까|좀 ?전).{0,12}취소|실행 ?취소"
)
# Right after a change these take it back; otherwise they only refuse.
_CANCEL = re.compile(r"\bcancel(?: that| it)?\b|取消|キャンセル|やっぱ(?:り)?(?:なし|やめ)|취소")
_WORDS = {"role": _role, "visibility": _visibility, "scope": _scope, "status": _status, "kind": _kind, "choice": _choice}


class Context:
    """What every follow-up needs."""

    def __init__(self, world: World, focus: Focus, index: Index, lexis: Lexis, tools: Mapping[str, ToolSpec]) -> None:
        self.world, self.focus, self.index, self.lexis, self.tools = world, focus, index, lexis, tools

    def form(self, spec: ToolSpec, doc: Document) -> Form:
        """An empty form that inherits nothing from the focus."""
        return Form(spec, doc, self.world, self.focus, self.index, self.lexis, inherit=False)


def padding_left(doc: Document) -> str:
    """What remains beside spans and filler words: empty when a message is only an answer."""
    return _PADDING.sub("", doc.masked.replace("\x1f", " "))


def answer(doc: Document, question: Question, ctx: Context) -> list[Step] | str | None:
    """The steps after an answer to the last question; a tool's name when one of several was chosen; None when it is no answer."""
    if question.tool is None:
        return _chosen(doc, question.choices.get("tool", []), ctx)
    spec = ctx.tools.get(question.tool)
    if spec is None:
        return None
    args = dict(question.args)
    missing = [name for name in question.missing if name not in args]
    got = False
    for name in [*missing, *(n for n in question.choices if n not in missing)]:
        slot = spec.slot(name)
        value = pick(doc, question.choices.get(name, []), ctx) if question.choices.get(name) else None
        if value is None and slot is not None and name not in question.choices:
            value = _slot_value(doc, spec, slot, args, ctx, sole=len(missing) == 1)
        if value is None and slot is not None and question.choices.get(name) and doc.of("repo", "repo_ref"):
            value = _slot_value(doc, spec, slot, args, ctx, sole=True)
        if value is not None:
            args[name], got = value, True
    if not got:
        return None
    for slot in spec.slots:
        if (
            slot.name not in args
            and slot.type in ("role", "visibility", "scope", "license")
            and (value := _slot_value(doc, spec, slot, args, ctx, sole=False)) is not None
        ):
            args[slot.name] = value
    if spec.name == "move_repo" and str(args.get("new_name", "")).endswith("/") and args.get("repo"):
        args["new_name"] = f"{args['new_name']}{str(args['repo']).rpartition('/')[2]}"
    left = tuple(name for name in spec.required if name not in args)
    choices = {name: values for name, values in question.choices.items() if name not in args}
    return [Step(spec.name, args, left, choices)]


def pick(doc: Document, choices: list[str], ctx: Context) -> str | None:
    """Which of the offered values a message means."""
    low = doc.low
    named = [c for c in choices if re.search(rf"(?<![\w.-]){re.escape(c.lower())}(?![\w-])", low, re.ASCII)]
    if len(named) >= 1:
        return max(named, key=len)
    for at, pattern in ordinals():
        if pattern.search(low) and -len(choices) <= at < len(choices):
            return choices[at]
    parts = [
        c
        for c in choices
        if any(part and re.search(rf"(?<![\w.-]){re.escape(part.lower())}(?![\w-])", low, re.ASCII) for part in c.split("/"))
    ]
    if len(parts) == 1:
        return parts[0]
    # A part of a name that just one of them has ("the 1b one").
    words = [{word for word in re.split(r"[-_./]", c.lower()) if word} for c in choices]
    fits = {
        at for said in re.findall(r"[a-z0-9]+", low) if len(hit := [n for n, own in enumerate(words) if said in own]) == 1 for at in hit
    }
    if len(fits) == 1:
        return choices[fits.pop()]
    if match := re.fullmatch(r"\W*#?(\d{1,2})\W*(?:番|번|号|个)?\W*", low):
        at = int(match[1]) - 1
        return choices[at] if 0 <= at < len(choices) else None
    if re.search(r"\b(?:mine|my own|my)\b|我的|我自己|自分の|私の|내 ?거|제 ?거|내 ", low):
        own = [c for c in choices if c.startswith(ctx.world.username + "/")]
        return own[0] if len(own) == 1 else None
    kinds = {value for _, _, value in spot("kind", doc.masked)}
    said = [c for c in choices if c in kinds]
    return said[0] if len(said) == 1 else None


def _chosen(doc: Document, tools: list[str], ctx: Context) -> str | None:
    if len(padding_left(doc)) > 12 and not any(tool in doc.low for tool in tools):
        return None
    return pick(doc, tools, ctx)


def _slot_value(doc: Document, spec: ToolSpec, slot: SlotSpec, args: dict[str, Any], ctx: Context, *, sole: bool) -> Any:
    """The value of one slot from a short answer."""
    one = ToolSpec(spec.name, spec.group, spec.effect, (SlotSpec(slot.name, slot.type, True, slot.kinds, slot.choices, slot.many),))
    form = ctx.form(one, doc)
    form.args.update({key: value for key, value in args.items() if key == "repo"})
    if slot.type in _WORDS:
        found = _WORDS[slot.type](form, slot)
        if found is None and slot.choices:
            found = next((c for c in slot.choices if re.search(rf"(?<![a-z]){re.escape(c)}(?![a-z])", doc.low)), None)
        return found
    steps = fill(one, doc, ctx.world, Focus(repo=args.get("repo")), ctx.index, ctx.lexis, inherit=False)
    value = steps[0].args.get(slot.name)
    if (
        value is None
        and sole
        and slot.type in ("new_name", "token", "ssh_key", "branch", "git_tag", "user", "org", "repo", "path", "revision")
    ):
        word = re.sub(
            r"^[\W_]+|[\W_]+$",
            "",
            re.sub(
                r"(?:がいい|にして|で(?:す|お願いします)?|という名前で|로 해줘|으로 해줘|로|이요|요|吧|就好)$", "", doc.text.strip(" .!。")
            ),
        )
        if re.fullmatch(r"[A-Za-z0-9][\w./-]{0,95}", word, re.ASCII):
            value = word
    if value is None and sole and slot.type in ("text", "query", "tags", "sql"):
        plain = doc.text.strip().strip("\"'「」`")
        value = [part for part in re.split(r"\s*[,、,]\s*|\s+and\s+", plain) if part] if slot.many else plain
    return value


def without_values(doc: Document, question: Question, ctx: Context) -> Document:
    """The document with the words for the asked values ("write access") taken out."""
    spec = ctx.tools.get(question.tool or "")
    low = doc.low
    # An answer may settle more than was asked ("code, and keep it private").
    also = [slot.name for slot in spec.slots if slot.type in ("role", "visibility", "scope")] if spec else []
    for name in dict.fromkeys([*question.missing, *also]):
        slot = spec.slot(name) if spec else None
        topics = [slot.type] if slot is not None and slot.type in ("role", "visibility", "scope", "status", "kind") else []
        for topic in topics:
            for start, end, _ in spot(topic, low) or (spot(topic, low, weak=True) if topic in ("role", "visibility") else []):
                low = low[:start] + " " * (end - start) + low[end:]
    return Document(doc.text, low, doc.spans, doc.weak, doc.language)


def is_answer(doc: Document, question: Question, ctx: Context, best: tuple[str, float], *, has_value: bool) -> bool:
    """An answer, or a new subject? Short texts are answers; longer ones when nothing else is asked for with confidence."""
    left = len(padding_left(without_values(doc, question, ctx)))
    spec = ctx.tools.get(question.tool or "")
    slots = [spec.slot(name) for name in question.missing] if spec else []
    free = any(slot is not None and slot.type in ("text", "query", "tags", "sql") for slot in slots)
    if has_value and left <= 3:
        return True
    tool, p = best
    if tool in PSEUDO_TOOLS:
        p = 0.0
    if tool == question.tool:
        return has_value
    if free:
        return not (p >= 0.7 and doc.of("repo", "user", "org"))
    budget = 10 if doc.language == "en" else 6
    return has_value and ((left <= budget and p < 0.9) or p < 0.5)


def repeat(doc: Document, ctx: Context) -> list[Step] | None:
    """The last call again with another object or value: `same for X`, `and carol too`, `no, I meant Y`, `internal instead`."""
    focus = ctx.focus
    spec = ctx.tools.get(focus.tool or "")
    if spec is None or not focus.args:
        return None
    marked = (
        talk("correction").search(doc.low) or talk("same", doc.language).search(doc.masked) or talk("too", doc.language).search(doc.masked)
    )
    limit = 6 if doc.language == "en" else 3
    if not marked:
        return _value_only(doc, spec, ctx)
    said = doc.masked.replace("\x1f", " ")
    for pattern in (talk("correction"), talk("same", doc.language), talk("too", doc.language), _SORRY):
        said = pattern.sub(" ", said)
    if len(_PADDING.sub("", said)) > limit:
        return None
    return replaced(doc, spec, dict(focus.args), ctx)


def takes_back(doc: Document, ctx: Context) -> bool:
    """Whether the message asks to undo the last change: an undo word, nothing else named, and not much else said."""
    named = [span for span in doc.spans if span.how not in ("pronoun", "focus") and span.type not in ("number", "when")]
    last = ctx.tools.get(ctx.focus.tool or "")
    if last is not None and last.effect != "read" and len(doc.text) <= 16 and not named and _CANCEL.search(doc.low):
        return True
    if named or not _UNDO.search(doc.low) or "?" in doc.text:
        return False
    return len(doc.text) <= 24 or (len(doc.text) <= 80 and last is not None and last.effect != "read")


def _value_only(doc: Document, spec: ToolSpec, ctx: Context) -> list[Step] | None:
    """`internal, sorry`: nothing but another value for the last call."""
    names = [slot.name for slot in spec.slots if slot.required and slot.type in ("role", "visibility", "scope", "status")]
    if not names or doc.spans or len(doc.text) > 24:
        return None
    bare = without_values(doc, Question(spec.name, {}, names), ctx)
    return replaced(doc, spec, dict(ctx.focus.args), ctx) if bare.low != doc.low and not padding_left(bare) else None


def replaced(doc: Document, spec: ToolSpec, args: dict[str, Any], ctx: Context) -> list[Step] | None:
    """The call with every value that the message names put in its slot; None when it names nothing that the tool takes."""
    corrected = _meant(doc)
    changed = False
    steps = [args]
    for slot in spec.slots:
        spans = [
            s
            for s in corrected.of(slot.type if slot.type != "owner" else "org", "user" if slot.type == "owner" else slot.type)
            if s.how != "pronoun"
        ]
        if slot.type in ("repo", "user", "org", "owner", "branch", "path", "git_tag", "token") and spans:
            values = [s.entities[0].value if s.entities else s.value for s in spans]
            steps = [{**base, slot.name: value} for base in steps for value in values]
            if slot.type == "repo":
                # The kind belonged to the repo that was meant before.
                steps = [{key: value for key, value in step.items() if key != "kind"} for step in steps]
            changed = True
        elif slot.type in ("role", "visibility", "scope", "status"):
            value = _slot_value(corrected, spec, slot, args, ctx, sole=False)
            if value is not None:
                steps = [{**base, slot.name: value} for base in steps]
                changed = True
        elif slot.type == "license" and corrected.of("license"):
            steps = [{**base, slot.name: corrected.of("license")[0].value} for base in steps]
            changed = True
    if not changed and (names := corrected.of("ident", "repo_ref")):
        target = next((s for s in spec.slots if s.type in ("user", "repo", "new_name", "org", "branch") and s.required), None)
        if target is not None:
            steps, changed = [{**args, target.name: names[-1].value}], True
    if not changed:
        return None
    return [Step(spec.name, _fit_owner(spec, args, new), confidence=0.9) for new in steps]


def _fit_owner(spec: ToolSpec, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A transfer of another repo keeps the new owner, not the old repo's name."""
    if spec.name == "move_repo" and new.get("repo") != old.get("repo") and "/" in str(new.get("new_name", "")):
        return {**new, "new_name": f"{str(new['new_name']).partition('/')[0]}/{str(new['repo']).partition('/')[2]}"}
    return new


def _meant(doc: Document) -> Document:
    """In a correction (`not A but B`, `AじゃなくてB`, `不是A,是B`) only what is meant."""
    for pattern in (r"じゃなくて|ではなくて?|말고|아니라|아니고|,\s*(?:而)?是|而是|\bbut\b|\bi (?:meant|mean)\b|我(?:是说|说的是|指的是)",):
        if (match := re.search(pattern, doc.low)) and doc.cut(match.end(), len(doc.text)).text:
            return doc.cut(match.end(), len(doc.text))
    return doc


def refine(doc: Document, step: Step, ctx: Context) -> Step:
    """A search after a search that only narrows it down keeps the earlier words."""
    focus = ctx.focus
    if step.tool != "search_repos" or focus.tool != "search_repos" or not focus.args or not _REFINE.search(doc.low):
        return step
    if (
        step.args.get("query")
        and step.args.get("query") != focus.args.get("query")
        and not re.search(r"of those|from those|其中|その中|그중", doc.low)
    ):
        return step
    return replace(step, args={**focus.args, **step.args})

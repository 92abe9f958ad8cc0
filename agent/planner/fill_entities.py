"""Slot fillers for things that exist: repos, people, organisations, refs."""

# All fillers have one signature, and not all need the slot.
# ruff: noqa: ARG001

from __future__ import annotations

import re
from typing import Any

from agent.planner import patterns as pat
from agent.planner.document import Span
from agent.planner.form import Form, kind_said, pick_entity
from agent.planner.lexicon import cue, follow, spot
from agent.planner.types import SlotSpec

_ME = re.compile(
    r"(?<![a-z])(?:me|myself|my account|my own account|mine)(?![a-z])|我自己|给我|我的(?:账号|权限|密码)|自分|私|僕|俺|(?<![가-힣])(?:나를|나한테|나에게|저를|저한테|저에게|제|내)(?![가-힣])"
)
_FROM = re.compile(r"(?:\b(?:from|off|at|based on|starting at|of commit|off of)|[从自在]|基于)\s*(?:the |branch |commit |分支)?$")
_FROM_AFTER = re.compile(
    r"^\s*(?:から|より|を元に|をもとに|ブランチから|에서|로부터|브랜치에서|기준|を起点|をベースに|分支?(?:上)?(?:拉|切|建|开|新建|创建|分出))"
)
_SINCE = re.compile(r"since|after|以来|之后|以后|以降|から|이후|부터|自从|变了什么")
_IN_BRANCH = re.compile(r"(?:\b(?:on|in|to|into|from|onto)\s+(?:the )?(?:branch )?|在|到|于|往)$")


def repo(form: Form, slot: SlotSpec) -> Any:
    """A linked repo; else an unknown name as said; else, when nothing is named, the repo the thread is about."""
    wants_deleted = form.spec.name == "restore_repo"
    named = form.free("repo")
    if form.spec.name == "set_tags" and (tagged := said_as_tags(form)) and (len(named) > len(tagged) or form.focus.repo):
        named = [span for span in named if span not in tagged]
    kinds = slot.kinds
    if kinds and len(named) > 1 and (fit := [span for span in named if span.kind in kinds]):
        named = fit
    if named:
        return _repo_value(form, slot, named[0], kinds, deleted=wants_deleted)
    if refs := form.free("repo_ref"):
        return form.use(refs[0])
    if not slot.required:
        return None
    for weak in form.doc.weak:
        if any(e.type == "repo" for e in weak.entities) and not form.doc.taken(weak.start, weak.end):
            values = [e.value for e in weak.entities if e.type == "repo"]
            if len(values) == 1 and values[0].startswith(f"{form.world.username}/") and form.spec.effect != "destructive":
                form.used.append(weak)
                return values[0]
            form.choices[slot.name] = values
            form.used.append(weak)
            return None
    if ident := _unknown_repo(form):
        return form.use(ident)
    if some := _some_of(form, kinds):
        form.choices[slot.name] = some
        return None
    if form.inherit and form.focus.repo:
        return form.focus.repo
    return None


_SOME = re.compile(r"\b(?:one of|a|an|some|any)\b|[某有]个|一个|之一|(?:の)?(?:ひとつ|一つ|1つ|どれか)|하나")


def _some_of(form: Form, kinds: tuple[str, ...]) -> list[str]:
    """The repos of an organisation to choose from, when "a dataset of acme" is all that is said."""
    owners = [str(s.value).lower() for s in form.free("org")]
    said = {value for _, _, value in spot("kind", form.doc.masked)}
    if len(owners) != 1 or len(said) != 1 or not _SOME.search(form.doc.masked) or form.spec.slot("org"):
        return []
    found = [e for e in form.world.entities() if e.type == "repo" and not e.deleted and e.kind in said and (not kinds or e.kind in kinds)]
    names = list(dict.fromkeys(e.value for e in found if e.value.lower().startswith(owners[0] + "/")))
    return names if len(names) <= 8 else []


_TAG_AHEAD = re.compile(
    r"(?:\btagged (?:as |with )?|\b(?:the|with|a) tags? |\btags?: ?|标签\s*(?:是|为|叫|:)?|タグ[にはをも]|태그(?:에|로|는|를)?\s)\s*[\"'`「]?$"
)
_TAGGED_WITH = re.compile(r"\b(?:tag|label|mark) [\w./-]{1,60} (?:with|as) (?:the )?[\"'`]?$")
_TAG_BEHIND = re.compile(r"^[\"'`」]?(?: tag\b| label\b|(?:という|っていう)?タグ(?![にの])|\s*(?:이라는|라는)?\s?태그(?!에))")


def said_as_tags(form: Form) -> list[Span]:
    """Repo names that are meant as tags here: they stand where a tag stands ("add the faq tag", "タグにfaqも")."""
    return [
        s
        for s in form.doc.of("repo")
        if _TAG_AHEAD.search(form.before(s))
        or _in_list_of_tags(form, s)
        or _TAGGED_WITH.search(form.doc.low[: s.start])
        or _TAG_BEHIND.match(form.after(s))
    ]


def _in_list_of_tags(form: Form, span: Span) -> bool:
    """`tags vision and receipts`: a repo's name that goes on a list of words after the word for tags."""
    before = form.doc.low[: span.start]
    noun = max((match.end() for match in cue("tag_noun").finditer(before)), default=-1)
    return noun >= 0 and any(
        other.type in ("ident", "text")
        and noun <= other.start
        and re.fullmatch(r"\s*(?:,|、|and|和|与|跟|と|랑|이랑|하고|와|과)\s*", form.doc.low[other.end : span.start])
        for other in form.doc.spans
    )


def _repo_value(form: Form, slot: SlotSpec, span: Span, kinds: tuple[str, ...], *, deleted: bool) -> Any:
    form.used.append(span)
    one, several = pick_entity(form, span, kinds, deleted=deleted)
    if one is not None:
        same = [e for e in span.entities if e.value == one.value]
        if len(same) > 1 and form.spec.slot("kind"):
            form.args["kind"] = one.kind
        return one.value
    values = list(dict.fromkeys(e.value for e in several))
    if len(values) == 1:
        if form.spec.slot("kind"):
            form.choices["kind"] = [str(e.kind) for e in several]
        return values[0]
    form.choices[slot.name] = values
    return None


def _unknown_repo(form: Form) -> Span | None:
    """An unlinked name that stands where a repo stands: beside a repo noun, or alone when no other slot wants a name."""
    idents = form.free("ident") + [s for s in form.free("text") if s.how == "quoted" and pat.NAME_SHAPE.fullmatch(str(s.value))]
    for span in idents:
        if form.near("repo_noun", span):
            return span
    others = sum(
        slot.required and slot.type in ("new_name", "token", "user", "org", "branch", "git_tag", "tags", "path", "ssh_key", "revision")
        for slot in form.spec.slots
    )
    rivals = [
        span
        for span in idents
        if not any(form.near(noun, span) for noun in ("branch_noun", "tag_noun", "token_noun", "user_noun", "org_noun"))
    ]
    if not rivals or (others and len(rivals) <= others - len(form.free("user", "org", "token", "branch", "git_tag", "path", "revision"))):
        return None
    ahead = [
        span
        for span in rivals
        if re.search(r"(?:\b(?:in|of|on|from|to|for)|给|把|将|在)\s*$", form.before(span))
        or re.match(r"(?:的|の|を|に|から|에|의|를|을)", form.after(span))
    ]
    return (ahead or rivals)[0] if others == 0 or ahead or len(rivals) > others else None


def user(form: Form, slot: SlotSpec) -> Any:
    """A known user; else oneself where said; else an unknown name as said."""
    if spans := form.free("user"):
        return form.use(spans[0])
    if not slot.required and form.spec.name not in ("reset_password", "list_tokens"):
        return _actor(form) if form.spec.name == "list_audit_events" else None
    if _ME.search(form.doc.masked) and form.spec.name not in ("reset_password", "list_tokens", "delete_user"):
        return form.world.username or None
    for weak in form.doc.weak:
        if weak.type == "user" and slot.required:
            form.used.append(weak)
            form.choices[slot.name] = [e.value for e in weak.entities]
            return None
    spans = [
        s
        for s in form.free("ident")
        if not any(form.near(n, s) for n in ("branch_noun", "tag_noun", "token_noun", "org_noun", "repo_noun"))
    ]
    spans += [s for s in form.free("text") if re.fullmatch(r"[A-Za-z0-9_-]{2,39}", str(s.value))]
    if spans:
        best = next((s for s in spans if s.how == "at" or form.near("user_noun", s)), spans[0])
        return form.use(best)
    if orgs := [s for s in form.free("org") if form.spec.slot("org") is None]:
        return form.use(orgs[0])
    if slot.required and form.inherit and form.focus.user and form.spec.name != "delete_user":
        return form.focus.user
    return None


def _actor(form: Form) -> Any:
    spans = [s for s in form.free("ident") if s.how == "at" or form.near("user_noun", s)]
    if spans:
        return form.use(spans[0])
    mine = re.search(
        r"(?:did|have) i\b|\bmy (?:own )?(?:activity|actions|account|recent)|我(?:自己)?(?:最近|都|今天|昨天|上周)?(?:做了|干了|改了|操作)|自分(?:が|の)|내가|제가",
        form.doc.masked,
    )
    return form.world.username if mine else None


def org(form: Form, slot: SlotSpec) -> Any:
    """A known organisation; else an unknown name as said; else the thread's."""
    if spans := form.free("org"):
        return form.use(spans[0])
    for weak in form.doc.weak:
        if weak.type == "org":
            form.used.append(weak)
            form.choices[slot.name] = [e.value for e in weak.entities]
            return None
    spans = [s for s in form.free("ident", "text") if pat.NAME_SHAPE.fullmatch(str(s.value)) and not form.near("user_noun", s)]
    wants_user = any(other.type == "user" and other.required for other in form.spec.slots)
    placed = [
        s
        for s in spans
        if form.near("org_noun", s)
        or re.search(r"(?:\b(?:in|to|of|from|into|leave|out of)|退出|加入|到|从)\s*$", form.before(s))
        or re.match(r"(?:に|から|の|を抜|へ|에|에서|의|里|组织|团队)", form.after(s))
    ]
    if placed:
        return form.use(placed[-1])
    if len(spans) > (1 if wants_user and not form.free("user") else 0):
        return form.use(spans[-1])
    if form.inherit and form.focus.org and not spans:
        return form.focus.org
    if repos := [s for s in form.free("repo") if form.spec.slot("repo") is None]:
        return str(form.use(repos[0])).partition("/")[0]
    return None


def owner(form: Form, slot: SlotSpec) -> Any:
    """Whose repos: a user, an organisation, or oneself."""
    if spans := form.free("org", "user"):
        return form.use(spans[0])
    if refs := [s for s in form.free("ident") if form.near("org_noun", s) or form.near("user_noun", s) or re.match(r"'s\b", form.after(s))]:
        return form.use(refs[0])
    return form.world.username if cue("mine").search(form.doc.masked) and form.world.username else None


def starts_from(form: Form, span: Span) -> bool:
    """True for a ref that something starts from ("from main", "mainから")."""
    return bool(_FROM.search(form.before(span)) or _FROM_AFTER.match(form.after(span)))


def branch(form: Form, slot: SlotSpec) -> Any:
    """A branch; optional ones only where the sentence says so."""
    spans = form.free("branch")
    if slot.name == "default_branch":
        if not cue("default_branch").search(form.doc.low):
            return None
        spans = spans or form.free("ident")
        return form.use(spans[0]) if spans else word_beside(form, "branch_noun")
    if not slot.required:
        chosen = [
            s
            for s in spans
            if _IN_BRANCH.search(form.before(s)) or form.near("branch_noun", s) or re.match(r"に|で|へ|上|에|브랜치", form.after(s))
        ]
        if chosen:
            return form.use(chosen[0])
        there = form.inherit and form.focus.branch and form.spec.effect == "write" and follow("there").search(form.doc.low)
        return _ref_ident(form, "branch_noun") or (form.focus.branch if there else None)
    if spans:
        best = next((s for s in spans if s.value not in ("main", "master")), spans[0])
        return form.use(best)
    if named := _ref_ident(form, "branch_noun"):
        return named
    spans = form.free("ident", "text", "git_tag", "repo_ref", "revision")
    if spans:
        value = form.use(spans[0])
        return value
    return word_beside(form, "branch_noun") or (form.focus.branch if form.inherit and form.spec.name != "delete_branch" else None)


def _ref_ident(form: Form, noun: str) -> Any:
    near = [s for s in form.free("ident", "text", "repo_ref", "git_tag") if form.near(noun, s)]
    return form.use(near[0]) if near else None


_BESIDE_ONLY = frozenset(
    [
        "the",
        "a",
        "an",
        "that",
        "this",
        "new",
        "old",
        "my",
        "git",
        "in",
        "of",
        "on",
        "from",
        "for",
        "to",
        "called",
        "named",
        "is",
        "and",
        "default",
        "it",
        "its",
        "s",
        "delete",
        "remove",
        "drop",
        "kill",
        "please",
        "which",
        "what",
    ]
)


def word_beside(form: Form, noun: str) -> str | None:
    """An ordinary word that is a name because it stands right beside its noun ("the dev branch", "release 分支")."""
    words = cue(noun).pattern
    for pattern in (rf"(?:{words})\s+(?:called |named )?[\"'`]?([a-z0-9][\w./-]*)", rf"([a-z0-9][\w./-]*)[\"'`]?\s*(?:{words})"):
        for match in re.finditer(pattern, form.doc.masked, re.IGNORECASE | re.ASCII):
            if match[1] not in _BESIDE_ONLY and (match[1] not in ("release", "version") or pat.CJK.search(form.doc.text)):
                return match[1]
    return None


def git_tag(form: Form, slot: SlotSpec) -> Any:
    """A Git tag."""
    spans = (
        form.free("git_tag")
        or [s for s in form.free("ident", "text", "revision") if form.near("tag_noun", s)]
        or form.free("ident", "text", "revision", "number")
    )
    if spans:
        span = spans[0]
        form.used.append(span)
        return form.said(span).strip("\"'`「」") if span.type == "number" else span.value
    return word_beside(form, "tag_noun")


def revision(form: Form, slot: SlotSpec) -> Any:
    """A commit, tag or branch; `the last commit` is HEAD."""
    if not slot.required:
        return _optional_revision(form)
    spans = form.free("revision", "git_tag") or form.free("branch")
    if not spans:
        spans = [s for s in form.free("ident", "number") if re.fullmatch(r"[0-9a-f]{4,40}", str(form.said(s)).lower())] or form.free(
            "ident"
        )
    if spans:
        form.used.append(spans[0])
        return spans[0].value if spans[0].type != "number" else form.said(spans[0])
    if re.search(r"\b(?:last|latest|newest|most recent)\b|最后|最新|最近|上一?次|最後|直近|直前|마지막|최신|최근|방금", form.doc.low):
        return "HEAD"
    return form.focus.revision if form.inherit and form.focus.revision and form.spec.name == "show_commit" else None


def _optional_revision(form: Form) -> Any:
    if form.spec.name in ("create_branch", "create_tag"):
        spans = form.free("revision", "branch", "git_tag")
        from_ = [s for s in spans if _FROM.search(form.before(s)) or _FROM_AFTER.match(form.after(s))]
        chosen = from_ or [s for s in spans if s.type == "revision"]
        return form.use(chosen[0]) if chosen else None
    spans = form.free("revision", "git_tag", "branch")
    return form.use(spans[0]) if spans else _ref_ident(form, "branch_noun")


def compare(form: Form, slot: SlotSpec) -> Any:
    """The two sides of a comparison: in the order said; one alone is compared with the newest state."""
    spans = form.free("revision", "git_tag", "branch")
    spans += [s for s in form.free("ident") if s not in spans and not form.near("repo_noun", s)]
    spans.sort(key=lambda s: s.start)
    branches = list(form.world.branches(str(form.args["repo"]))) if form.args.get("repo") else []
    default = "main" if "main" in branches or not branches else branches[0]
    if slot.name == "base":
        if len(spans) >= 2:
            first = _base_of(form, spans[0], spans[1], default)
            form.used.append(first)
            return first.value
        if len(spans) == 1 and (spans[0].type != "branch" or _SINCE.search(form.doc.low)):
            form.used.append(spans[0])
            return spans[0].value
        return default if spans and spans[0].value != default else None
    if spans:
        form.used.append(spans[0])
        return spans[0].value
    return default if form.args.get("base") and form.args["base"] != default else None


def _base_of(form: Form, one: Span, two: Span, default: str) -> Span:
    """Which of two is compared against: what lacks something, what is said first of a way, else the default branch."""
    lacking = [span for span in (one, two) if cue("lacks").search(form.doc.masked[span.end : span.end + 14].split("\x1f")[0])]
    before = [
        span
        for span in (one, two)
        if re.search(r"(?:\bnot|n't|isnt|missing|absent|lacking)(?: yet)? (?:on|in|from|at) $|\bahead of $", form.before(span, 24))
    ]
    lacking += [span for span in before if span not in lacking]
    if len(lacking) == 1:
        return lacking[0]
    way = starts_from(form, one) or starts_from(form, two)
    if not way and two.value == default and one.value != default and one.type == "branch":
        return two
    return two if starts_from(form, two) and not starts_from(form, one) else one


def kind(form: Form, slot: SlotSpec) -> Any:
    """The kind of an existing repo: only when the name alone leaves it open."""
    value = form.args.get("repo")
    if not value:
        return None
    named = [e for e in form.index.exact(str(value)) if e.type == "repo" and not e.deleted]
    kinds = list(dict.fromkeys(e.kind for e in named if e.kind))
    if len(kinds) < 2:
        return None
    span = next((s for s in form.used if s.type == "repo"), None)
    said = (span.kind or kind_said(form, span)) if span else None
    if said in kinds:
        form.choices.pop("kind", None)
        return said
    form.choices["kind"] = [str(item) for item in kinds]
    return None

"""Slot fillers for names of what is to be made, renamed or copied."""

# All fillers have one signature, and not all need the slot.

from __future__ import annotations

import re
from typing import Any

from agent.planner import patterns as pat
from agent.planner.document import Span
from agent.planner.fill_entities import starts_from, word_beside
from agent.planner.form import Form
from agent.planner.lexicon import cue, spot
from agent.planner.residue import stop_words
from agent.planner.types import SlotSpec

_NAME = r"[\"'`「『]?(?P<name>[A-Za-z0-9][A-Za-z0-9._/-]*[A-Za-z0-9]|[A-Za-z0-9])[\"'`」』]?"
_NAMED = (
    re.compile(rf"\b(?:called|named|name(?: it| is|:)?|call(?: it| this)?|titled|title(?: it| is|:)?)\s+(?:it )?{_NAME}"),
    re.compile(
        rf"(?:叫做?|名叫|名为|取名(?:叫|为)?|名字(?:是|叫|为)?|命名为|名称(?:是|为)?|起名(?:叫|为)?|标题(?:是|为)?)\s*[::]?\s*{_NAME}"
    ),
    re.compile(rf"{_NAME}\s*(?:という名前|って名前|という|って(?=[^言い])|っていう|という名)"),
    re.compile(rf"(?:名前|名称|タイトル)(?:は|を|が)?\s*[::]?\s*{_NAME}"),
    re.compile(rf"{_NAME}\s*(?:이라는|라는|이란|란)"),
    re.compile(rf"(?:이름|제목)(?:은|는|을|이)?\s*[::]?\s*{_NAME}"),
)
_RENAMED = (
    re.compile(rf"(?:\b(?:to|as|into|it)\s+|->\s*|→\s*){_NAME}"),
    re.compile(rf"(?:改名(?:为|成|叫)?|重命名(?:为|成)?|改(?:为|成|叫)|换成|叫做?|命名为|变成)\s*{_NAME}"),
    re.compile(rf"{_NAME}\s*(?:に(?=リネーム|改名|変更|変え|名前|し|直|する|して|。|$)|(?:으)?로)"),
)


def new_name(form: Form, slot: SlotSpec) -> Any:
    """A name for something that is to be made."""
    tool = form.spec.name
    if tool in ("move_repo", "fork_repo"):
        return _target_name(form)
    if tool in ("create_branch", "create_tag"):
        return _new_ref(form, slot)
    name = cued_name(form) or _fresh(form)
    if name is None and tool == "add_ssh_key":
        keys = form.doc.of("public_key")
        comment = str(keys[0].value).split()[2:] if keys else []
        return comment[0] if comment else None
    if name and tool == "create_repo" and "/" not in name and (orgs := form.free("org")):
        name = f"{form.use(orgs[0])}/{name}"
    if name and tool in ("create_org", "create_user"):
        name = name.lower() if re.fullmatch(r"[A-Za-z0-9_-]+", name) else name
    return name


def cued_name(form: Form) -> str | None:
    """A name after `called`, before `という`, and the like; also when it is an ordinary word or exists already."""
    text = form.doc.text
    for pattern in _NAMED:
        for match in pattern.finditer(text):
            name = match["name"]
            if name.lower() in stop_words("names"):
                continue
            for span in form.doc.spans:
                if span.start < match.end("name") and match.start("name") < span.end and span not in form.used:
                    if (
                        span.type in ("org", "user", "license", "public_key", "email", "number", "path")
                        and span.how == "exact"
                        and form.spec.name not in ("create_org", "create_user", "create_token", "add_ssh_key")
                    ):
                        break
                    form.used.append(span)
            else:
                return name
    return None


_ANNOUNCED = re.compile(
    r"(?:\b(?:called|named|names?|call it|name it|titled?|title|to|into|as|it|new|make|create|add|register|open|start|set up|for|is|with)|->|→|[:,(])\s*(?:is |a |an |the )?[\"'`]?$"
)


def plausible(form: Form, span: Span) -> bool:
    """True for a token that may be a new name: it looks like one, or the words before it announce one. Other words are just words."""
    said = str(span.value)
    if span.type != "ident" or span.how in ("quoted", "at") or re.search(r"[\d_./-]", said) or pat.CJK.search(form.doc.text):
        return True
    noun = {"create_repo": "repo_noun", "create_org": "org_noun", "create_user": "user_noun"}.get(form.spec.name)
    return bool(_ANNOUNCED.search(form.before(span, 24)) or (noun and form.near(noun, span)))


def _fresh(form: Form) -> str | None:
    """An unknown or quoted name, or what is linked only because something has that name."""
    spans = [s for s in form.free("ident", "repo_ref") if plausible(form, s)] + [
        s for s in form.free("text") if pat.NAME_SHAPE.fullmatch(str(s.value))
    ]
    if form.spec.name in ("create_token", "add_ssh_key"):
        spans = [*spans, *(s for s in form.free("text") if s.how == "quoted" and s not in spans), *form.free("token", "ssh_key")]
    if not spans and form.spec.name in ("create_repo", "create_org", "create_user"):
        spans = form.free("repo", "git_tag", "branch") if form.spec.name == "create_repo" else form.free("org", "user")
        spans = [s for s in spans if s.how not in ("pronoun", "ordinal")]
        if spans:
            form.used.append(spans[0])
            return form.said(spans[0])
    if not spans:
        return _bare_word(form)
    span = spans[0]
    form.used.append(span)
    return str(span.value)


def _bare_word(form: Form) -> str | None:
    """An ordinary word used as a name right after its noun ("create org sales", "新建仓库 test", "データセットdemoを作成")."""
    noun = {
        "create_repo": "repo_noun",
        "create_org": "org_noun",
        "create_user": "user_noun",
        "create_token": "token_noun",
        "add_ssh_key": "key_noun",
    }.get(form.spec.name)
    if noun is None:
        return None
    words = cue(noun).pattern
    for match in re.finditer(rf"(?:{words})\s*[::]?\s*{_NAME}", form.doc.masked, re.ASCII | re.IGNORECASE):
        name = match["name"]
        if name not in stop_words("names") and name not in stop_words("query") and not spot("visibility", name) and not spot("scope", name):
            return form.doc.text[match.start("name") : match.end("name")]
    weak = [span for span in form.doc.weak if span.type in ("repo", "org", "user", "token", "ssh_key")]
    return form.said(weak[0]) if weak else None


def _target_name(form: Form) -> str | None:
    """Where a repo moves or is copied to: a new name, another owner, or both."""
    old = str(form.args.get("repo") or next(iter(form.choices.get("repo", [])), "")).partition("/")[2]
    fuzzy = [s for s in form.free("repo") if s.how in ("fuzzy", "joined")]
    owners = form.free("org", "user")
    owners = [
        s
        for s in owners
        if not re.search(r"(?:\b(?:from|by)|从)\s*$", form.before(s)) and not re.match(r"\s*(?:から|에서|'s|’s|さんの|の)", form.after(s))
    ] or ([] if form.spec.name == "fork_repo" else owners)
    if (
        re.search(
            r"(?:\b(?:into|to|under|in) (?:my|our)\b|自分の|自分用|私の|내 |제 |나한테|我(?:自己)?的?(?:名下|账号|空间|这边|这))",
            form.doc.low,
        )
        and not owners
    ):
        own = form.world.username if form.spec.name == "move_repo" else ""
    else:
        own = ""
    names = (
        [s for s in form.free("ident", "repo_ref") if plausible(form, s)]
        + [s for s in form.free("text") if pat.NAME_SHAPE.fullmatch(str(s.value))]
        + form.free("repo")
        + form.free("git_tag")
    )
    name = None
    if names:
        span = names[0]
        form.used.append(span)
        name = form.said(span).strip("\"'`「」『』") if span in fuzzy or span.type == "repo" else str(span.value)
    elif not owners and not own:
        name = _said_target(form)
    if owners:
        owner = str(form.use(owners[0]))
        if name and "/" not in name:
            return f"{owner}/{name}"
        return name or (f"{owner}/{old}" if form.spec.name == "move_repo" else owner)
    if own and form.spec.name == "move_repo" and not name:
        return f"{own}/{old}"
    if (
        name
        and "/" not in name
        and form.spec.name == "move_repo"
        and any(form.near("org_noun", s) or form.near("user_noun", s) for s in names[:1])
    ):
        return f"{name}/{old}" if old else name
    return name


def _said_target(form: Form) -> str | None:
    text = form.doc.text
    for pattern in (*_RENAMED, *_NAMED):
        for match in pattern.finditer(form.doc.masked):
            name = match["name"]
            if name not in stop_words("names") and name not in ("s", "better", "clearer", "something", "it"):
                return text[match.start("name") : match.end("name")]
    return None


def _new_ref(form: Form, slot: SlotSpec) -> str | None:
    """The name of a new branch or tag: unknown names first, then what looks like one and is not the starting point."""
    noun = "branch_noun" if slot.name == "branch" else "tag_noun"
    types = ("ident", "repo_ref", "text") if slot.name == "branch" else ("git_tag", "ident", "text")
    spans = [s for s in form.free(*types, "branch", "git_tag") if not starts_from(form, s)]
    spans = [s for s in spans if s.how != "tail" and not re.search(r"\s", str(s.value))]
    ranked = sorted(spans, key=lambda s: (not form.near(noun, s), types.index(s.type) if s.type in types else 9, s.start))
    if ranked:
        return str(form.use(ranked[0]))
    return cued_name(form) or word_beside(form, noun)

"""Finding the typed spans of a message, each masking its text for those that follow."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass

from agent.planner import patterns as pat
from agent.planner.document import Document, Span
from agent.planner.encoder import is_common
from agent.planner.lexicon import cue, spot
from agent.planner.linker import Index, Link, link
from agent.planner.moments import find_moments
from agent.planner.normalise import fold, lower
from agent.planner.spans_community import find_collections, find_numbers
from agent.planner.spans_running import find_hardware
from agent.planner.types import Entity, Focus, World

_DEFAULT_BRANCHES = ("main", "master", "develop", "dev")
_BRANCH_BEFORE = re.compile(r"(?:\b(?:from|off|on|to|into|against|and|between|vs|with|merge|of|diff|compare)|[从到在与和跟、,:])\s*$")
_BRANCH_AFTER = re.compile(r"(?:have|has|had|does|doesn't|is|is missing|lacks|hasn't|isn't|don't)\b")
_ACTED_ON = re.compile(r"\b(?:add|give|remove|let|invite|kick|grant|promote|demote|disable|enable|block|unblock|suspend)\s+$")
_LOAN = frozenset(
    [
        "readme",
        "sql",
        "git",
        "github",
        "hub",
        "ssh",
        "api",
        "token",
        "tokens",
        "url",
        "fork",
        "clone",
        "push",
        "pull",
        "branch",
        "commit",
        "main",
        "master",
        "tag",
        "tags",
        "public",
        "private",
        "internal",
        "admin",
        "read",
        "write",
        "ok",
        "id",
        "csv",
        "json",
        "jsonl",
        "parquet",
        "pdf",
        "html",
        "gpu",
        "cpu",
        "llm",
        "ai",
        "ml",
        "lora",
        "gguf",
        "safetensors",
        "star",
        "like",
        "diff",
        "log",
        "head",
        "repo",
        "repos",
        "model",
        "models",
        "dataset",
        "datasets",
        "space",
        "spaces",
        "mcp",
        "owner",
        "licence",
        "license",
        "email",
        "mail",
        "key",
        "keys",
        "python",
        "pytorch",
        "huggingface",
        "transformers",
        "hi",
        "hello",
        "thanks",
        "slack",
        "webhook",
        "wechat",
        "url",
        "select",
        "from",
        "where",
        "count",
        "limit",
        "and",
        "or",
        "the",
        "is",
        "in",
        "on",
        "of",
        "to",
        "for",
    ]
)


# Spoken English that is in no word list: never a name.
SLANG = re.compile(
    r"(?:is|are|was|were|do|does|did|has|have|had|ca|wo|would|could|should|ai)nt|(?:what|who|that|there|here|where|how|it|let|he|she)s|(?:i|you|we|they)(?:m|ve|ll|re|d)|"
    r"(?:wan|gon|got)na|gotta|gimme|lemme|dunno|kinda|sorta|outta|cuz|coz|bc|tho|thx|tysm|tyvm|pls|plz|plzz|rn|asap|btw|imo|fyi|lol|lmao|omg|nvm|idk|tbh|ngl|yea|yeah|nah|nope|yup|yep|"
    r"ur|ppl|smth|smthn|sth|abt|y'?all|whatcha|gonna|cmon|alright|oops|hmm+|uh+|um+|ok+|okey|heya|yo|ty|np|k|u|r|n|d|im|ill|ive|mate|dude|bro|folks"
)


@dataclass(frozen=True, slots=True)
class Lexis:
    """Words that are language, not names: those of the example sentences, and whatever is common."""

    vocabulary: Collection[str]

    def is_word(self, token: str) -> bool:
        """True for an ordinary word."""
        return token in self.vocabulary or token in _LOAN or (token.isalpha() and is_common(token))


def annotate(text: str, world: World, focus: Focus, index: Index, lexis: Lexis, now: dt.datetime | None = None) -> Document:
    """Fold the text and find its spans. Pronouns are left for later."""
    folded = fold(text)
    doc = Document(folded, lower(folded))
    _blocks(doc)
    _quotes(doc, index, world)
    for name in world.attachments:
        _everywhere(doc, name, "attachment")
    find_collections(doc, world)
    _tail(doc, index)
    _half_named(doc, index)
    _entities(doc, index, lexis)
    _of_repos(doc, world, focus, lexis)
    _looks(doc)
    for start, end, value in find_moments(doc.low, now):
        doc.add(Span(start, end, "when", value))
    find_hardware(doc)
    find_numbers(doc)
    _numbers(doc)
    _idents(doc, lexis)
    return doc


def _blocks(doc: Document) -> None:
    for match in pat.FENCE.finditer(doc.text):
        body = match["body"].strip("\n")
        doc.add(Span(match.start(), match.end(), "sql" if pat.SQL_HEAD.match(body) else "text", body, how="quoted"))
    for pattern, type_ in ((pat.PUBLIC_KEY, "public_key"), (pat.URL, "url"), (pat.EMAIL, "email")):
        for match in pattern.finditer(doc.text):
            doc.add(Span(match.start(), match.end(), type_, match.group().rstrip(".,;?!")))
    for match in pat.QUOTED.finditer(doc.text):
        inner = match[match.lastgroup or 0]
        if pat.SQL_HEAD.match(inner):
            doc.add(Span(match.start(), match.end(), "sql", inner.strip(), how="quoted"))
    for match in pat.SQL.finditer(doc.text):
        said = pat.SQL_TAIL.sub("", match.group()).rstrip(" :,.`")
        doc.add(Span(match.start(), match.start() + len(said), "sql", said))


def _quotes(doc: Document, index: Index, world: World) -> None:
    for match in pat.QUOTED.finditer(doc.text):
        inner = match[match.lastgroup or 0].strip()
        if not inner:
            continue
        entities = index.exact(re.sub(r"^(?:models|datasets|spaces|codes)/", "", inner))
        if inner in world.attachments:
            doc.add(Span(match.start(), match.end(), "attachment", inner, how="quoted"))
        elif entities:
            doc.add(_entity_span(doc, match.start(), match.end(), entities, "quoted"))
        elif pat.PATH.fullmatch(inner):
            doc.add(Span(match.start(), match.end(), "path", inner, how="quoted"))
        elif pat.SHA.fullmatch(inner):
            doc.add(Span(match.start(), match.end(), "revision", inner, how="quoted"))
        else:
            doc.add(Span(match.start(), match.end(), "text", inner, how="quoted"))


def _tail(doc: Document, index: Index) -> None:
    """Free text after a colon, when what stands before asks for text."""
    for match in re.finditer(r":(?=\s|[^\x00-\x7f]|[A-Z])\s*", doc.text):
        if doc.taken(match.start(), match.end()):
            continue
        head = doc.low[: match.start()]
        value = doc.text[match.end() :].strip()
        if not value or doc.taken(match.end(), len(doc.text)) or not cue("content_cue").search(head):
            continue
        if (
            index.exact(value.rstrip(".。!"))
            or pat.PATH.fullmatch(value)
            or (re.fullmatch(r"[\w./-]+", value, re.ASCII) and spot("license", value.lower()))
        ):
            continue
        end = len(doc.text.rstrip())
        doc.add(Span(match.end(), end, "text", value, how="tail"))
        return


def _everywhere(doc: Document, name: str, type_: str) -> None:
    for match in re.finditer(rf"(?<![\w./-]){re.escape(name.lower())}(?![\w/-]|\.\w)", doc.low, re.ASCII):
        doc.add(Span(match.start(), match.end(), type_, name))


def _entities(doc: Document, index: Index, lexis: Lexis) -> None:
    def ordinary(token: str) -> bool:
        return lexis.is_word(token)

    for found in link(doc.text, index, ordinary, doc.taken):
        if pat.PATH.fullmatch(doc.text[found.start : found.end]) and found.how == "fuzzy":
            continue
        span = _entity_span(doc, found.start, found.end, found.entities, found.how)
        if _weak(doc, found, span, lexis):
            span.weak = True
            doc.weak.append(span)
            continue
        doc.add(span)
        if found.rest:
            doc.add(Span(*found.rest, "path", doc.text[found.rest[0] : found.rest[1]]))
    for span in list(doc.weak):
        if (
            span.type == "user"
            and (_ACTED_ON.search(doc.low[: span.start]) or any(_listed(doc, span, other) for other in doc.of("user")))
            and doc.add(span)
        ):
            span.weak = False
            doc.weak.remove(span)


_WHATEVER = re.compile(
    r"(?<![A-Za-z0-9_./-])(?P<part>[A-Za-z0-9][A-Za-z0-9_.-]{2,})[ -]?(?:なんとか|なんちゃら|ナントカ|ほにゃらら|なんたら|なんだっけ|뭐시기|머시기|뭐더라|뭐였더라|어쩌고|어쩌구|무슨무슨|什么的|啥的|什么来着|啥来着|某某|something(?:[ -]or[ -]other)?\b|whatever\b|whatsit\b|whatchamacallit\b)"
)


def _half_named(doc: Document, index: Index) -> None:
    """A name that is only remembered by its beginning ("support-something", "supportなんとか"): every repo that starts so."""
    for match in _WHATEVER.finditer(doc.text):
        found = tuple(e for e in index.starting(match["part"].rstrip("-_.")) if not e.deleted)
        if found and not index.exact(match["part"]):
            doc.add(Span(match.start(), match.end(), "repo", found[0].value, found, "fuzzy"))


def _listed(doc: Document, span: Span, other: Span) -> bool:
    """True when two spans stand side by side in a list."""
    low, high = sorted((span, other), key=lambda item: item.start)
    return bool(re.fullmatch(r"\s*(?:,|and|&|, and|、|和|と|랑|와|과|하고)\s*", doc.low[low.end : high.start]))


def _weak(doc: Document, found: Link, span: Span, lexis: Lexis) -> bool:
    """An ordinary word that is a name only by chance, unless something beside it says that a name is meant."""
    said = doc.low[found.start : found.end]
    if span.type in ("token", "ssh_key"):
        # Tokens and keys are called "ci" or "laptop": only a message about tokens or keys names them.
        return not cue("token_noun" if span.type == "token" else "key_noun").search(doc.low)
    if span.type == "user" and said in _ROLE_WORDS and doc.text[found.start - 1 : found.start] != "@" and _as_role(doc, found):
        return True
    if found.how == "exact" and (not said.isalpha() or doc.text[found.start - 1 : found.start] == "@"):
        return False
    if found.how == "joined" and " " in said:
        # "my models" is no name of a repo called my-models when every part is plain speech; keep those with digits or rare words.
        return all(part in lexis.vocabulary for part in re.split(r"[ -]+", said))
    if not lexis.is_word(said) or (said not in lexis.vocabulary and said not in _LOAN):
        return False
    noun = {"repo": "repo_noun", "user": "user_noun", "org": "org_noun", "deployment": "deployment_noun"}[span.type]
    before, after = doc.low[max(0, found.start - 14) : found.start], doc.low[found.end : found.end + 14]
    if any(m.end() >= len(before.rstrip()) for m in cue(noun).finditer(before)):
        return False
    # A plural right after a plain word is its noun ("test datasets"), so it says nothing about a name.
    follows = cue(noun).match(after.lstrip(" 的の"))
    return not (follows and not re.match(r"\s*\w+s\b", after, re.ASCII))


_ROLE_WORDS = ("admin", "read", "write", "reader", "writer", "owner")


def _as_role(doc: Document, found: Link) -> bool:
    """True when a word that is a role and somebody's name too stands where a role stands."""
    return bool(
        re.search(r"(?:\b(?:as|to|an?|be|become|with|give|make (?:him|her|them))\s*(?:an? )?|[给为成当是])\s*$", doc.low[: found.start])
        or re.match(
            r"\s*(?:(?:으)?로(?![가-힣])|で|に(?:し|上|昇|変|設|格|な)|として|権限|权限|권한|access\b|rights?\b|role\b)",
            doc.low[found.end :],
        )
    )


def _entity_span(doc: Document, start: int, end: int, entities: tuple[Entity, ...], how: str) -> Span:
    """A span for all entities of the likeliest type: what the words beside it say, else repo, user, organisation, token, key."""
    order = ["repo", "user", "org", "token", "ssh_key", "deployment"]
    near = doc.low[max(0, start - 16) : start] + "\x1f" + doc.low[end : end + 10]
    for type_, noun in (
        ("ssh_key", "key_noun"),
        ("token", "token_noun"),
        ("org", "org_noun"),
        ("user", "user_noun"),
        ("repo", "repo_noun"),
        ("deployment", "deployment_noun"),
    ):
        if cue(noun).search(near):
            order.remove(type_)
            order.insert(0, type_)
    if doc.text[start - 1 : start] == "@":
        order.insert(0, "user")
    best = min((e.type for e in entities), key=order.index)
    chosen = tuple(e for e in entities if e.type == best)
    others = tuple(e for e in entities if e.type != best)
    return Span(start, end, best, chosen[0].value, chosen + others if best in ("token", "ssh_key") else chosen, how)


def _of_repos(doc: Document, world: World, focus: Focus, lexis: Lexis) -> None:
    """Branches, tags and files of the repos that the message (or the thread) is about."""
    repos = [e.value for span in doc.of("repo") for e in span.entities[:1]] or ([focus.repo] if focus.repo else [])
    for repo in repos[:2]:
        for branch in world.branches(repo):
            _ref(doc, branch, "branch", lexis)
        for tag in world.git_tags(repo):
            _ref(doc, tag, "git_tag", lexis)
        for path in world.files(repo):
            if "." in path or "/" in path:
                _everywhere(doc, path, "path")
    for branch in _DEFAULT_BRANCHES:
        _ref(doc, branch, "branch", lexis, anywhere=False, beside=bool(doc.of("branch")))


def _ref(doc: Document, name: str, type_: str, lexis: Lexis, *, anywhere: bool = True, beside: bool = False) -> None:
    """A known branch or tag; an ordinary word is one only after a preposition or where branches (or tags) are spoken of."""
    noun = cue("branch_noun" if type_ == "branch" else "tag_noun")
    for match in re.finditer(rf"(?<![\w./-]){re.escape(name.lower())}(?![\w/-]|\.\w)", doc.low, re.ASCII):
        before, after = doc.low[: match.start()], doc.low[match.end() : match.end() + 12].lstrip(" 的の")
        plain = name.isalpha() and lexis.is_word(name.lower()) and not pat.CJK.search(doc.text)
        if (
            plain
            and not beside
            and not (
                _BRANCH_BEFORE.search(before)
                or _BRANCH_AFTER.match(after)
                or noun.search(doc.masked if anywhere else before[-12:] + "\x1f" + after)
            )
        ):
            continue
        doc.add(Span(match.start(), match.end(), type_, name))


def _looks(doc: Document) -> None:
    """What its shape gives away: paths, shas, versions, licences."""
    for pattern, type_ in (
        (pat.PATH, "path"),
        (pat.SHA, "revision"),
        (pat.HEAD, "revision"),
        (pat.PLAIN_FILES, "path"),
        (pat.FOLDER, "path"),
    ):
        for match in pattern.finditer(doc.text):
            value = match.group()
            doc.add(Span(match.start(), match.end(), type_, "README.md" if value == "README" else value.rstrip("/")))
    for match in pat.README.finditer(doc.text):
        doc.add(Span(match.start(), match.end(), "path", "README.md"))
    for start, end, value in spot("license", doc.low):
        doc.add(Span(start, end, "license", value))
    for match in pat.VERSION.finditer(doc.text):
        doc.add(Span(match.start(), match.end(), "git_tag", match.group()))


def _numbers(doc: Document) -> None:
    for match in pat.NUMBER.finditer(doc.text):
        doc.add(Span(match.start(), match.end(), "number", int(match.group().lstrip("#"))))


def _idents(doc: Document, lexis: Lexis) -> None:
    """Names that are not known: by their shape, by an `@`, or by not being a word."""
    cjk = bool(pat.CJK.search(doc.text))
    for match in pat.IDENT.finditer(doc.text):
        token = match.group()
        low = token.lower()
        bare = low.lstrip("@")
        if len(bare) < 2 or doc.taken(match.start(), match.end()):
            continue
        shaped = bool(re.search(r"[\d_/-]", bare)) or token.startswith("@") or re.search(r"\.\w", bare)
        if (
            not shaped
            and (lexis.is_word(bare) or (len(bare) < 4 and not cjk))
            and not (cjk and bare not in lexis.vocabulary and bare not in _LOAN)
        ):
            continue
        if not shaped and (SLANG.fullmatch(bare) or (not cjk and doc.text[match.end() : match.end() + 2] in ("'t", "'r", "'v", "'l"))):
            continue
        if re.fullmatch(r"[a-z]+(?:-[a-z]+)+", bare) and all(lexis.is_word(part) for part in bare.split("-")) and bare in lexis.vocabulary:
            continue
        if bare in ("read/write", "read-only", "read-write", "and/or"):
            continue
        type_ = "repo_ref" if bare.count("/") == 1 and not re.match(r"feature|fix|hotfix|release|bugfix|exp", bare) else "ident"
        doc.add(
            Span(
                match.start() + (1 if token.startswith("@") else 0),
                match.end(),
                type_,
                token.lstrip("@"),
                how="at" if token.startswith("@") else "exact",
            )
        )

"""Slot fillers for free text: tags, search words, descriptions, contents, SQL, passwords."""

# All fillers have one signature, and not all need the slot.
# ruff: noqa: ARG001

from __future__ import annotations

import re
from typing import Any

from agent.planner import fill_community as community
from agent.planner.fill_entities import said_as_tags
from agent.planner.form import Form
from agent.planner.lexicon import cue, spot
from agent.planner.residue import chunks, listed, words_left
from agent.planner.spans import SLANG
from agent.planner.types import SlotSpec


def tags(form: Form, slot: SlotSpec) -> Any:
    """Tag words: quoted ones, else what is left of the sentence without its steering words."""
    if form.spec.name == "search_repos":
        return _search_tags(form)
    quoted = [str(s.value) for s in form.free("text") if s.how == "quoted"]
    if quoted:
        form.used.extend(form.free("text"))
        return [part for value in quoted for part in re.split(r"\s*[,、,]\s*", value) if part]
    keep = [s for s in form.doc.spans if s.type in ("ident", "git_tag", "license", "repo_ref", "branch", "number", "path", "revision")]
    keep += [s for s in said_as_tags(form) if s not in form.used]
    tail = next((s for s in form.free("text")), None)
    if tail is not None:
        form.used.append(tail)
        return listed([str(tail.value).rstrip(".。!")])
    chars = list(form.doc.masked)
    for span in keep:
        if span not in form.used:
            chars[span.start : span.end] = form.doc.low[span.start : span.end]
    found = listed(chunks(form.doc, "tags", "".join(chars)))
    found = [w for w in found if not re.fullmatch(r"[ぁ-ん]{1,3}|[가-힣]", w) and not SLANG.fullmatch(w.lower()) and len(w) <= 60]
    return [re.sub(r"^(?:is|as|the|a)\s+|(?:だ|です|を|も|を?も|을|를|는|은|도)$", "", word) for word in found] or None


def _search_tags(form: Form) -> list[str] | None:
    match = re.search(
        r"\btagged (?:as |with )?[\"'`]?([\w:+-]+)[\"'`]?|\btag(?:s|ged)?[: ]+[\"'`]?([\w:+-]+)|([\w:+-]+) tag\b|标签(?:是|为|:|叫)?\s*[「\"]?([\w:+-]+)|(?:带|打了?|有)\s*[「\"]?([\w:+-]+?)[」\"]?\s*(?:的)?标签"
        r"|[「\"]?([\w:+-]+?)[」\"]?\s*(?:という)?タグ|タグ(?:が|は|:)?\s*[「\"]?([\w:+-]+)|[「\"]?([\w:+-]+)[」\"]?\s*(?:이라는 |라는 )?태그",
        form.doc.text,
        re.IGNORECASE,
    )
    value = next((g for g in match.groups() if g), None) if match else None
    if value is None or value.lower() in ("the", "a", "as", "with", "are", "is", "there", "no", "any", "what", "which"):
        return None
    for span in form.doc.spans:
        if match and span.start < match.end() and match.start() < span.end and span.type in ("ident", "text"):
            form.used.append(span)
    return [value]


def query(form: Form, slot: SlotSpec) -> Any:
    """Search words: quoted ones, else what is left."""
    quoted = form.free("text")
    if quoted:
        return str(form.use(quoted[0]))
    if form.spec.name == "list_users":
        names = form.free("ident")
        return str(form.use(names[0])) if names else None
    masked = form.doc.masked
    for pattern in (cue("deleted"), cue("mine")):
        masked = pattern.sub(lambda match: "\x1f" * len(match.group()), masked)
    for topic in ("sort", "visibility"):
        for start, end, _ in spot(topic, masked):
            masked = masked[:start] + "\x1f" * (end - start) + masked[end:]
    chars = list(masked)
    for span in form.doc.spans:
        if (
            span.type in ("ident", "repo", "path", "repo_ref", "token", "branch", "git_tag")
            and span not in form.used
            and span.how != "pronoun"
        ):
            chars[span.start : span.end] = form.doc.low[span.start : span.end]
    text = "".join(chars)
    for value in form.args.get("tags") or []:
        text = text.replace(str(value).lower(), "\x1f" * len(str(value)))
    return words_left(form.doc, "query", text) or None


def text(form: Form, slot: SlotSpec) -> Any:
    """Free text: after a colon, in quotes, in a code block, or after words that announce it."""
    if slot.name == "key":
        return next((form.use(s) for s in form.free("public_key")), None)
    if slot.name == "category":
        return next((value for _, _, value in spot("tag_category", form.doc.masked)), None)
    if slot.name == "topic":
        return _topic(form)
    if slot.name == "message":
        return _message(form)
    if slot.name == "description":
        return _description(form)
    if slot.name == "title":
        return community.title(form, slot)
    spans = form.free("text", "sql")
    if slot.name == "content" and not spans:
        return _content(form)
    return str(form.use(spans[0])) if spans else None


_DESCRIPTION = (
    re.compile(
        r"(?:description|summary|blurb|tagline|one-liner)\b[^\"「]*?\s(?:to|as|should say|with|reads?|saying|says)\s+(?:say )?(?P<v>.+)$|\bdescribe\s+\x1f+\s+as\s+(?P<w>.+)$",
        re.IGNORECASE | re.DOTALL,
    ),
    re.compile(r"(?:描述|简介|介绍|说明)[^,。]*?(?:改成|改为|写成|设为|设成|设置为|换成|更新为|更新成|写上|是|为)\s*(?P<v>.+)$", re.DOTALL),
    re.compile(
        r"(?:説明文?|概要|紹介文)[をはに]?\s*(?P<v>.+?)\s*(?:に(?:変え|変更|し|更新|書き|設定|直し)|と(?:書い|入れ|し)|って)", re.DOTALL
    ),
    re.compile(
        r"(?:설명|소개)(?:을|를|은|는|란에)?\s*(?P<v>.+?)\s*(?:(?:으)?로\s*(?:바꿔|바꾸|변경|수정|해|하고|설정|고쳐|고치|업데이트)|라고\s*(?:써|적|해|달))",
        re.DOTALL,
    ),
)


def _description(form: Form) -> Any:
    if not cue("description_noun").search(form.doc.low) and not (form.spec.name == "update_repo" and form.free("text")):
        return None
    if spans := form.free("text"):
        return str(form.use(spans[-1] if form.spec.name == "create_repo" and len(spans) > 1 else spans[0]))
    for pattern in _DESCRIPTION:
        if match := pattern.search(form.doc.masked):
            group = "v" if match.groupdict().get("v") else "w"
            value = form.doc.text[match.start(group) : match.end(group)].strip(" .。\"'")
            if value and not re.fullmatch(r"[\x1f\s]*", match[group]):
                return value
    return None


def _message(form: Form) -> Any:
    match = re.search(r"(?:commit )?(?:message|comment)\s*[:=]?\s*|提交(?:信息|说明|备注)|コミットメッセージ|메시지", form.doc.low)
    spans = [s for s in form.free("text") if match and s.start >= match.end() - 1]
    if spans and len(form.doc.of("text")) > 1:
        return str(form.use(spans[0]))
    return None


_CONTENT = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"\b(?:with(?: the)?(?: contents?| text)?|saying|containing|(?:that |which )?(?:just |only )?(?:says|reads)|reading)\s+(?P<v>.+)$",
        r"(?:内容|正文)(?![はをにが])(?:就|只)?(?:是|为|写上?|填|放)?\s*[::,]?\s*(?P<v>.{2,})$",
        r"(?:里面|里头)(?:就|只)?(?:是|写上?|写着)\s*[::,]?\s*(?P<v>.{2,})$",
        r"(?:写上|写入|写着)\s*[::,]?\s*(?P<v>.{2,})$",
        r"(?:内容|中身|本文)(?:は|を|に)\s*(?P<v>.{2,}?)\s*(?:で(?:お願い|いい|$)|に(?:して|し|$)|と(?:書|$)|って書|として|だけ|$)",
        r"(?:내용|본문)(?:은|을|에)?\s*(?P<v>.{2,}?)\s*(?:(?:으)?로\s?(?:해|써|넣|적|$)|(?:이)?라고|$)",
    )
)


def _content(form: Form) -> Any:
    """Content without quotes: what follows the announcing word, up to the end or to the repo it goes to."""
    low, masked = form.doc.low, form.doc.masked
    for pattern in _CONTENT:
        for match in pattern.finditer(low):
            start, end = match.span("v")
            if masked[match.start()] == "\x1f":
                continue
            for span in form.used:
                lead = re.search(r"\s(?:to|in|into|on|onto|of|for)\s+(?:the )?(?:repo |dataset |file )?$", low[start : span.start])
                if start < span.start and lead and span.type in ("repo", "path") and not low[span.end : end].strip(" .!?,"):
                    end = start + lead.start()
            value = form.doc.text[start:end].strip().rstrip("。" if form.doc.language != "en" else "")
            if value and not any(span.start < end and start < span.end and span.type in ("repo", "path") for span in form.used):
                return value
    return None


def _topic(form: Form) -> Any:
    topics = (
        ("credentials", r"token|ssh|令牌|トークン|토큰|密钥|鍵|키"), ("people", r"invite|permission|role|team|org|access|成员|权限|角色|组织|邀请|権限|ロール|組織|招待|권한|역할|조직|초대"),
        ("data", r"dataset|sql|数据集|データセット|데이터셋"), ("files", r"upload|file|branch|git|commit|上传|文件|分支|アップロード|ファイル|ブランチ|업로드|파일|브랜치"),
    )  # fmt: skip
    return next((name for name, pattern in topics if re.search(pattern, form.doc.masked)), None)


def sql(form: Form, slot: SlotSpec) -> Any:
    """One SELECT."""
    spans = form.free("sql")
    return str(form.use(spans[0])) if spans else None


def secret(form: Form, slot: SlotSpec) -> Any:
    """A password that is said after its word. It is nothing else as well: a name is shown to everybody."""
    match = re.search(
        r"(?:password|pw|passphrase|密码|パスワード|비밀번호|비번)(?:\s+(?:is|to|of)|是|为|:|:|は|를|은|는)?\s*(?:[:「\"'`]\s*([^\s\"'`」,、。]{6,64})|([\x21-\x7e]{6,64}))",
        form.doc.text,
        re.IGNORECASE,
    )
    if match is None:
        return None
    group = 1 if match[1] else 2
    start, end = match.span(group)
    form.used.extend(span for span in form.doc.spans if span.start < end and start < span.end and span not in form.used)
    return match[group].rstrip(".,!?;")

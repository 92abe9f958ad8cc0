"""Slot fillers for words and free text: roles, visibility, names to be made, tags, queries, texts, times."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from agent.planner import patterns as P
from agent.planner.form import Form
from agent.planner.lexicon import cue, spot, talk
from agent.planner.residue import chunks, listed, stop_words, words_left
from agent.planner.types import SlotSpec

_TO = re.compile(r"(?:\b(?:to|as|be|become|into|make it|now)\s+(?:a |an |the )?|[成为到]|改|换|设)\s*$")
_TO_AFTER = re.compile(r"^\s*(?:权限)?(?:に|へ|で|として|(?:으)?로|권한으로|化)")
_NOT = re.compile(
    r"(?:\b(?:not|no longer|never|isn't|stop being|un|instead of|rather than|from)\s*(?:be |a |an |the )?|不再?|别|不要|不想|取消|从|停止)\s*$"
)
_NOT_AFTER = re.compile(
    r"^\s*(?:を(?:やめ|止め|取り消|取りやめ)|は(?:だめ|やめ|まずい)|しないで|したくない|から(?!に)|じゃなく|ではなく|말고|에서|이 아니라|하지 마|를 취소|를 그만|중단|権限を外)"
)
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


def spotted(form: Form, topic: str) -> str | None:
    """The value of a topic that the sentence asks for: the one marked as the goal, else the last that is not negated."""
    masked = form.doc.masked
    hits = (
        spot(topic, masked) or spot(topic, masked, weak=True)
        if "weak" in _weak_topics() and topic in _weak_topics()["weak"]
        else spot(topic, masked)
    )
    if not hits:
        return None
    goal = [value for start, end, value in hits if _TO.search(masked[max(0, start - 14) : start]) or _TO_AFTER.match(masked[end : end + 8])]
    negated = [hit for hit in hits if _NOT.search(masked[max(0, hit[0] - 14) : hit[0]]) or _NOT_AFTER.match(masked[hit[1] : hit[1] + 8])]
    plain = [hit for hit in hits if hit not in negated]
    goal = [value for value in goal if value in [hit[2] for hit in plain]]
    if goal:
        return goal[-1]
    return plain[-1][2] if plain else None


def _weak_topics() -> dict[str, tuple[str, ...]]:
    return {"weak": ("role", "visibility")}


def role(form: Form, slot: SlotSpec) -> Any:
    """read, write or admin."""
    value = spotted(form, "role")
    if value is None and re.search(r"\bno longer (?:an? )?admin|管理员.*(?:撤|降)", form.doc.low):
        return None
    return value


def visibility(form: Form, slot: SlotSpec) -> Any:
    """public, internal or private; shutting out wins over opening up, and what is not to be public becomes private."""
    masked = form.doc.masked
    strong = spot("visibility", masked)
    if slot.required is False:
        return strong[-1][2] if strong else None
    said = spotted(form, "visibility") if strong else None
    if strong and said is None:
        return "private" if any(value == "public" for _, _, value in strong) else None
    weak = {value for _, _, value in spot("visibility", masked, weak=True)}
    shut = "private" in weak or bool(talk("keep_out").search(masked))
    if said == "public" and shut and not re.search(r"\bto (?:the )?public\b|公开(?:吧|出去|给)|公開(?:して|し)|공개로|公开$", masked):
        return "internal" if "internal" in weak else "private"
    if said:
        return said
    if shut and "internal" in weak:
        return "internal"
    if shut:
        return "private"
    if "internal" in weak:
        return "internal"
    return "public" if "public" in weak else None


def kind(form: Form, slot: SlotSpec) -> Any:
    """The kind of repo to make or look for."""
    hits = spot("kind", form.doc.masked)
    if form.spec.name == "search_repos":
        kinds = {value for _, _, value in hits}
        return kinds.pop() if len(kinds) == 1 else None
    return hits[0][2] if hits else None


def scope(form: Form, slot: SlotSpec) -> Any:
    """Token scope: the widest that is said ("read and write" is write)."""
    said = {value for _, _, value in spot("scope", form.doc.masked)}
    return next((value for value in ("admin", "write", "read") if value in said), None)


def status(form: Form, slot: SlotSpec) -> Any:
    """active or disabled."""
    masked = form.doc.masked
    hits = spot("status", masked)
    if not hits:
        return None
    if form.spec.name == "list_users":
        return hits[0][2]
    # "let X back in", "解除停用", "無効を解除": bringing back wins over the word for what ends.
    values = [value for _, _, value in hits]
    return "active" if "active" in values else "disabled"


def choice(form: Form, slot: SlotSpec) -> Any:
    """Arguments with a fixed set of values, by the tool's and argument's name."""
    masked = form.doc.masked
    if slot.name == "level":
        hits = [value for _, _, value in spot("level", masked)]
        value = "none" if "none" in hits else "mentions" if "mentions" in hits else None
        return value if value in slot.choices or not slot.choices else None
    if slot.name == "mode":
        hits = [value for _, _, value in spot("mode", masked)]
        value = next((v for v in ("replace", "remove") if v in hits), None)
        if value == "replace" and "remove" in hits and not re.search(r"replace|换|置き換え|교체|바꿔", masked):
            value = "remove"
        return value
    if slot.name == "sort":
        hits = [value for _, _, value in spot("sort", masked)]
        return hits[0] if hits and hits[0] in slot.choices else None
    if slot.name == "action":
        return _action(masked)
    if slot.name == "key":
        return _preference(form)[0]
    return None


_ACTIONS = (
    ("visibility", r"visib|\bpublic\b|\bprivate\b|open(?:ed)? up|flipped|公开|私有|可见|公開|非公開|공개"),
    ("token", r"\btokens?\b|令牌|トークン|토큰"),
    ("delete", r"delet|remov(?:ed|al)(?! from)|trash|took down|删|削除|消し|消さ|삭제|지웠|지운"),
    ("grant", r"grant|gave|give|access|permission|授权|权限|给了|権限|アクセス|与え|권한|접근|줬"),
    ("move", r"renam|\bmoved\b|transfer|改名|重命名|转移|移动|リネーム|改名|移管|移動|이름|옮|이전"),
    ("tags", r"\btag(?:ged|s)?\b|标签|タグ|태그"),
    ("login", r"logged in|log in|login|sign(?:ed)? in|登录|ログイン|로그인"),
    ("member", r"member|joined|promoted|added .* to|成员|加入|メンバー|멤버"),
    ("push", r"\bpush(?:ed|es)?\b|推送|プッシュ|푸시"),
    ("fork", r"\bfork|フォーク|포크|复刻"),
    ("password", r"password|密码|パスワード|비밀번호"),
    ("create", r"\bcreat|创建|新建|作成|作った|만들|생성"),
    ("update", r"description|licen[cs]e|描述|许可|説明|ライセンス|설명|라이선스"),
)


def _action(masked: str) -> str | None:
    return next((name for name, pattern in _ACTIONS if re.search(pattern, masked)), None)


def _preference(form: Form) -> tuple[str | None, str | None]:
    """Key and value of a preference: a language, an alias, or the usual hardware."""
    low, masked = form.doc.low, form.doc.masked
    langs = [value for _, _, value in spot("lang", masked)]
    repos = form.doc.of("repo", "repo_ref", "org", "user")
    quoted = form.doc.of("text")
    if repos and (
        quoted
        or re.search(r"\bcall\b|nickname|alias|short for|i say|叫|别名|简称|指的|説|呼|略|エイリアス|별칭|별명|부르|줄여|라고 하면", low)
    ):
        target = repos[0] if not quoted else repos[-1] if repos[-1].start > quoted[0].start else repos[0]
        name = str(quoted[0].value) if quoted else _alias(form)
        return (f"alias.{name}" if name else None), str(target.entities[0].value if target.entities else target.value)
    if langs:
        return "language", langs[-1]
    hardware = re.search(
        r"\b(?:(?:one|two|four|\d+)\s*x?\s*)?(?:nvidia )?(?:a100|h100|h200|t4|a10g?|l4|l40s?|v100|rtx ?\d+|cpu(?: only)?|gpus?)s?\b", low
    )
    if hardware:
        return "hardware", form.doc.text[hardware.start() : hardware.end()].strip()
    return None, None


def _alias(form: Form) -> str | None:
    for pattern in (
        r"(?:i say|call (?:it )?)\s+([\w-]+)",
        r"(?:我说|叫(?:它|做)?)\s*([\w-]+)",
        r"([\w-]+)\s*(?:と(?:言ったら|いったら|呼)|って(?:言ったら|呼))",
        r"([\w-]+)\s*(?:라고|이라고|는|은)",
    ):
        if match := re.search(pattern, form.doc.masked):
            return match[1]
    return None


def language(form: Form, slot: SlotSpec) -> Any:
    """The value of a preference."""
    return _preference(form)[1]


def new_name(form: Form, slot: SlotSpec) -> Any:
    """A name for something that is to be made."""
    tool = form.spec.name
    if tool in ("move_repo", "fork_repo"):
        return _target_name(form)
    if tool in ("create_branch", "create_tag"):
        return _new_ref(form, slot)
    name = _cued(form) or _fresh(form)
    if name is None and tool == "add_ssh_key":
        keys = form.doc.of("public_key")
        comment = str(keys[0].value).split()[2:] if keys else []
        return comment[0] if comment else None
    if name and tool == "create_repo" and "/" not in name and (orgs := form.free("org")):
        name = f"{form.use(orgs[0])}/{name}"
    if name and tool in ("create_org", "create_user"):
        name = name.lower() if re.fullmatch(r"[A-Za-z0-9_-]+", name) else name
    return name


def _cued(form: Form) -> str | None:
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


def _fresh(form: Form) -> str | None:
    """An unknown or quoted name, or what is linked only because something has that name."""
    spans = form.free("ident", "repo_ref") + [s for s in form.free("text") if P.NAME_SHAPE.fullmatch(str(s.value))]
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
        form.free("ident", "repo_ref")
        + [s for s in form.free("text") if P.NAME_SHAPE.fullmatch(str(s.value))]
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
    from agent.planner.fill_entities import _FROM, _FROM_AFTER

    noun = "branch_noun" if slot.name == "branch" else "tag_noun"
    types = ("ident", "repo_ref", "text") if slot.name == "branch" else ("git_tag", "ident", "text")
    spans = [s for s in form.free(*types, "branch", "git_tag") if not (_FROM.search(form.before(s)) or _FROM_AFTER.match(form.after(s)))]
    spans = [s for s in spans if s.how != "tail" and not re.search(r"\s", str(s.value))]
    ranked = sorted(spans, key=lambda s: (not form.near(noun, s), types.index(s.type) if s.type in types else 9, s.start))
    if ranked:
        return str(form.use(ranked[0]))
    from agent.planner.fill_entities import _word_beside

    return _cued(form) or _word_beside(form, noun)


def tags(form: Form, slot: SlotSpec) -> Any:
    """Tag words: quoted ones, else what is left of the sentence without its steering words."""
    if form.spec.name == "search_repos":
        return _search_tags(form)
    quoted = [str(s.value) for s in form.free("text") if s.how == "quoted"]
    if quoted:
        form.used.extend(form.free("text"))
        return [part for value in quoted for part in re.split(r"\s*[,、,]\s*", value) if part]
    keep = [s for s in form.doc.spans if s.type in ("ident", "git_tag", "license", "repo_ref", "branch", "number", "path", "revision")]
    tail = next((s for s in form.free("text")), None)
    if tail is not None:
        form.used.append(tail)
        return listed([str(tail.value).rstrip(".。!")])
    chars = list(form.doc.masked)
    for span in keep:
        if span not in form.used:
            chars[span.start : span.end] = form.doc.low[span.start : span.end]
    found = listed(chunks(form.doc, "tags", "".join(chars)))
    found = [word for word in found if not re.fullmatch(r"[ぁ-ん]{1,3}|[가-힣]", word) and len(word) <= 60]
    return [re.sub(r"^(?:is|as|the|a)\s+|(?:だ|です|을|를|는|은)$", "", word) for word in found] or None


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
    quoted = [s for s in form.free("text")]
    if quoted:
        return str(form.use(quoted[0]))
    masked = form.doc.masked
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
        r"(?:설명|소개)(?:을|를|은|는|란에)?\s*(?P<v>.+?)\s*(?:(?:으)?로\s*(?:바꿔|변경|수정|해|설정|고쳐|업데이트)|라고\s*(?:써|적|해|달))",
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


def _content(form: Form) -> Any:
    """Content without quotes: what follows the announcing word at the end."""
    patterns = (
        r"(?:with(?: the)?(?: content| text)?|saying|containing|that (?:says|reads))\s+(?P<v>[^\x1f]+)$",
        r"(?:内容(?:是|为)?|写上?|写入)\s*(?P<v>[^\x1f]{2,})$",
        r"(?:内容(?:は|を)?)\s*(?P<v>[^\x1f]{2,}?)\s*(?:で|に|と書|として|$)",
        r"(?:내용(?:은|을)?)\s*(?P<v>[^\x1f]{2,}?)\s*(?:(?:으)?로|라고|$)",
    )
    for pattern in patterns:
        if match := re.search(pattern, form.doc.masked):
            return form.doc.text[match.start("v") : match.end("v")].strip(" .。") or None
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


_COUNTERS = r"\s*(?:rows?|lines?|records?|examples?|samples?|entries|commits?|results?|models?|datasets?|repos?|events?|items?|of them|个|條|条|行|个月内|件|個|つ|行|開|개|건|줄|행|가지)"
_LIMIT_BEFORE = re.compile(
    r"(?:\b(?:top|first|last|latest|limit|only|just|newest)|前|最初の|先頭(?:の)?|上位|最新(?:の)?|直近(?:の)?|最近(?:的)?|처음|상위|최근|앞(?:에서)?|맨 앞|첫)\s*$"
)


def number(form: Form, slot: SlotSpec) -> Any:
    """A count, bound only by its counter or by words like `top`."""
    for span in form.free("number"):
        if 0 < span.value <= 100 and (_LIMIT_BEFORE.search(form.before(span)) or re.match(_COUNTERS, form.after(span))):
            return form.use(span)
    return None


def flag(form: Form, slot: SlotSpec) -> Any:
    """`deleted` of a search, `recursive` of a listing."""
    if slot.name == "deleted":
        return True if cue("deleted").search(form.doc.masked) else None
    if slot.name == "recursive":
        return (
            True
            if re.search(
                r"recursive|all (?:the )?(?:files|subfolders)|including (?:sub|nested)|whole tree|递归|所有子|再帰|サブフォルダ|하위|재귀",
                form.doc.masked,
            )
            else None
        )
    return None


def email(form: Form, slot: SlotSpec) -> Any:
    """An e-mail address."""
    spans = form.free("email")
    return str(form.use(spans[0])) if spans else None


def license_(form: Form, slot: SlotSpec) -> Any:
    """A licence id."""
    spans = form.free("license")
    return str(form.use(spans[0])) if spans else None


def when(form: Form, slot: SlotSpec) -> Any:
    """Times: the first is `since`, a second `until`; for a token how long it lives."""
    if slot.name == "expires":
        return _expires(form)
    spans = form.free("when")
    if not spans:
        return None
    if slot.name == "until":
        return form.use(spans[0]) if form.args.get("since") else None
    if re.search(r"\b(?:before|until|up to)\s*$", form.before(spans[0])):
        return None
    return form.use(spans[0])


_UNITS = {
    "day": "d",
    "天": "d",
    "日": "d",
    "일": "d",
    "week": "w",
    "周": "w",
    "星期": "w",
    "週": "w",
    "주": "w",
    "month": "m",
    "月": "m",
    "か月": "m",
    "개월": "m",
    "달": "m",
    "year": "y",
    "年": "y",
    "년": "y",
    "hour": "h",
    "小时": "h",
    "時間": "h",
    "시간": "h",
}


def _expires(form: Form) -> str | None:
    match = re.search(
        r"(\d{1,4}|a|one|一个?|一)\s*-?\s*(days?|weeks?|months?|years?|hours?|天|日间?|周|个?星期|週間?|个月|か月|ヶ月|개월|달|年|년|일|주일?|小时|個?小時|時間|시간)",
        form.doc.low,
    )
    if match:
        count = int(match[1]) if match[1].isdigit() else 1
        unit = next((code for word, code in _UNITS.items() if match[2].startswith(word)), "m" if "月" in match[2] else "d")
        for span in form.free("number", "when"):
            if span.start < match.end() and match.start() < span.end:
                form.used.append(span)
        return f"{count * 30}d" if unit == "m" else f"{count}{unit}"
    spans = form.free("when")
    if spans and str(spans[0].value) > dt.datetime.now(dt.UTC).date().isoformat():
        return str(form.use(spans[0]))
    return None


def secret(form: Form, slot: SlotSpec) -> Any:
    """A password that is said after its word."""
    match = re.search(
        r"(?:password|pw|passphrase|密码|パスワード|비밀번호|비번)(?:\s+(?:is|to|of)|是|为|:|:|は|를|은|는)?\s*[:「\"'`]?\s*([^\s\"'`」,、。]{6,64})",
        form.doc.text,
    )
    return match[1] if match else None

"""Slot fillers for words with fixed values: roles, visibility, kinds, scopes, states, preferences, numbers, times."""

# All fillers have one signature, and not all need the slot.
# ruff: noqa: ARG001

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from agent.planner.fill_community import valued
from agent.planner.form import Form
from agent.planner.lexicon import cue, follow, spot, talk
from agent.planner.types import SlotSpec

_WITH_WEAK = ("role", "visibility")
_TO = re.compile(r"(?:\b(?:to|as|be|become|into|make it|now)\s+(?:a |an |the )?|[成为到]|改|换|设)\s*$")
_TO_AFTER = re.compile(r"^\s*(?:权限)?(?:に|へ|で|として|(?:으)?로|권한으로|化)")
_NOT = re.compile(
    r"(?:\b(?:not|no longer|never|isn't|stop being|un|instead of|rather than|from)\s*(?:be |a |an |the )?|不再?|别|不要|不想|取消|从|停止)\s*$"
)
_NOT_AFTER = re.compile(
    r"^\s*(?:を(?:やめ|止め|取り消|取りやめ)|は(?:だめ|やめ|まずい)|しないで|したくない|から(?!に)|じゃなく|ではなく|말고|에서|이 아니라|하지 마|를 취소|를 그만|중단|権限を外)"
)


def spotted(form: Form, topic: str) -> str | None:
    """The value of a topic that the sentence asks for: the one marked as the goal, else the last that is not negated."""
    masked = form.doc.masked
    hits = spot(topic, masked) or (spot(topic, masked, weak=True) if topic in _WITH_WEAK else [])
    if not hits:
        return None
    hits = _after_correction(masked, hits)
    goal = [value for start, end, value in hits if _TO.search(masked[max(0, start - 14) : start]) or _TO_AFTER.match(masked[end : end + 8])]
    negated = [hit for hit in hits if _NOT.search(masked[max(0, hit[0] - 14) : hit[0]]) or _NOT_AFTER.match(masked[hit[1] : hit[1] + 8])]
    plain = [hit for hit in hits if hit not in negated]
    goal = [value for value in goal if value in [hit[2] for hit in plain]]
    if goal:
        return goal[-1]
    return plain[-1][2] if plain else None


def _after_correction(masked: str, hits: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The values that stand after words which take back the ones before ("admin, no wait, write")."""
    for match in follow("corrects").finditer(masked):
        before, after = [hit for hit in hits if hit[1] <= match.start()], [hit for hit in hits if hit[0] >= match.end()]
        if before and after:
            hits = after
    return hits


def role(form: Form, slot: SlotSpec) -> Any:
    """read, write or admin."""
    value = spotted(form, "role")
    if value is None and re.search(r"\bno longer (?:an? )?admin|管理员.*(?:撤|降)", form.doc.low):
        return None
    return value


# With these, words like `everyone` say who must not see it.
_SHUT = re.compile(
    r"\b(?:not|n't|no longer|never|stop|quit|without|but me|except|other than|off)\b|n't\b|(?<!要)不(?!错|管|同)|别(?!人|的)|停止|取消|ない(?:で|よう|ほう)|たくない|やめ|止め|以外|말고|못|(?<![가-힣])안\s|않게|그만|제외",
    re.IGNORECASE,
)


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
    if "public" not in weak:
        return None
    return "private" if _SHUT.search(masked) else "public"


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


_STATUS_OF = {"list_jobs": "job_status", "list_discussions": "thread_status", "list_deployments": "deployment_status"}


def status(form: Form, slot: SlotSpec) -> Any:
    """Active or disabled."""
    masked = form.doc.masked
    if topic := _STATUS_OF.get(form.spec.name):
        value = valued(form, topic)
        return value if not slot.choices or value in slot.choices else None
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
        level = "mentions" if "mentions" in hits else "none" if "none" in hits else None
        return level if level in slot.choices or not slot.choices else None
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
        r"(?<![a-z0-9])(?:(?:one|two|four|\d+)\s*x?\s*)?(?:nvidia )?(?:a100|h100|h200|t4|a10g?|l4|l40s?|v100|rtx ?\d+|cpu(?: only)?|gpus?)s?(?![a-z0-9])",
        low,
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
    if slot.name == "withdraw":
        return True if cue("withdraw").search(form.doc.masked) else None
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

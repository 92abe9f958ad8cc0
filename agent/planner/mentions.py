"""Words that point back: pronouns, `the second one`, `both`; resolved against the thread's focus before anything is classified."""

from __future__ import annotations

import re
from functools import cache

from agent.planner.document import Document, Span
from agent.planner.lexicon import bounded, load, spot, talk
from agent.planner.linker import Index
from agent.planner.types import Entity, Focus

_POINTERS = (
    ("pronoun_branch", "branch", "branch"),
    ("pronoun_path", "path", "path"),
    ("pronoun_revision", "revision", "revision"),
    ("pronoun_user", "user", "user"),
    ("pronoun_org", "org", "org"),
)
_BOTH = re.compile(r"\b(?:both|all) (?:of )?(?:them|these|those)\b|\bboth\b|两个都|全都|都(?=删|设|改|公开)|両方|둘 다|전부 다")


_NEWEST = re.compile(
    r"(?:the )?(?:newest|latest|most recent|last)(?: one| commit| change)?(?![\w-])|最新的?(?:那个|一个|提交|一次)?|最近(?:那个|一次)|"
    r"(?:一番新しい|最新の?|直近の?)(?:やつ|もの|コミット)?|(?:가장 |제일 )?(?:최신|최근)(?: ?거| ?것| ?커밋)?"
)
_JUST_MADE = re.compile(
    r"(?:the (?:new )?(?:one|repo|model|dataset)|what) (?:i|we|you)(?:'ve)? (?:just )?(?:made|created|forked|copied|uploaded|renamed)|"
    r"my (?:new )?(?:fork|copy)(?! of)|the (?:new )?(?:fork|copy)(?! of)|the new one|"
    r"(?:刚刚?才?|新)(?:建|创建|做|弄|复制|fork|派生)好?的?(?:那个|这个|仓库|模型|数据集)?|"
    r"(?:さっき|今|新しく)?(?:作|フォーク|コピー|複製)(?:った|した)(?:やつ|もの|ばかりの(?:やつ|もの)?|リポジトリ|ほう)|"
    r"(?:방금|아까|새로)\s?(?:만든|포크한|복사한|올린|생성한)\s?(?:거|것|저장소|레포|모델|데이터셋)"
)
# What follows an owner when their repo is meant.
_ONE = re.compile(
    r"'s(?: one| copy| version)?(?![\w-])| ones?(?![\w-])| copy(?![\w-])| version(?![\w-])|s(?=\s*(?:$|[,.!]))|的?(?:那个|那份|的(?=$|[,。!]))|"
    r"の(?:ほう|方|やつ|もの|が)|のを|のに|\s?(?:거|것|쪽|꺼)(?:를|을|로|요|은|는|이)?(?![가-힣]{2})|\s?네\s?(?:거|것|꺼)"
)


@cache
def ordinals() -> tuple[tuple[int, re.Pattern[str]], ...]:
    """Index in a list and the words for it."""
    return tuple(
        (int(at), re.compile("|".join(bounded(str(word), literal=False) for word in words))) for at, words in load("ordinals").items()
    )


def resolve(doc: Document, focus: Focus, index: Index) -> None:
    """Add a span for every pointer that the focus can resolve. A pronoun for a repo counts only when no repo is named."""
    _listed(doc, focus, index)
    _newest(doc, focus)
    _of_owner(doc, focus, index)
    _of_sort(doc, focus, index)
    _only_file(doc, focus)
    for topic, type_, attribute in _POINTERS:
        value = getattr(focus, attribute)
        if not value or doc.of(type_):
            continue
        for match in talk(topic).finditer(doc.low):
            entities = _entities(index, type_, value)
            if doc.add(Span(match.start(), match.end(), type_, value, entities, "pronoun")):
                break
    if not focus.repo or any(span.how != "ordinal" and not span.weak for span in doc.of("repo")):
        return
    for match in (*_JUST_MADE.finditer(doc.low), *talk("pronoun_repo").finditer(doc.low)):
        doc.add(Span(match.start(), match.end(), "repo", focus.repo, _entities(index, "repo", focus.repo), "pronoun"))
        break


def _newest(doc: Document, focus: Focus) -> None:
    """`the newest one` of the commits that were shown."""
    if focus.listed and focus.listed[0]["type"] == "revision" and not doc.of("revision"):
        for match in _NEWEST.finditer(doc.low):
            doc.add(Span(match.start(), match.end(), "revision", str(focus.listed[0]["value"]), (), "ordinal"))
            return


def _of_owner(doc: Document, focus: Focus, index: Index) -> None:
    """`the acme one`, `labs那个`: the repo of that owner among those shown, or of the name the thread is about."""
    for span in list(doc.of("org", "user")):
        owner = str(span.value).lower()
        after = _ONE.match(doc.low, span.end)
        if after is None or doc.of("repo"):
            continue
        shown = [item for item in focus.listed if item["type"] == "repo"]
        names = [str(item["value"]) for item in shown if str(item["value"]).partition("/")[0] == owner]
        if not names and focus.repo:
            wanted = f"{owner}/{focus.repo.partition('/')[2]}"
            names = [entity.value for entity in index.exact(wanted) if entity.type == "repo"][:1]
        if len(names) == 1:
            doc.spans.remove(span)
            doc.add(Span(span.start, after.end(), "repo", names[0], _entities(index, "repo", names[0]), "ordinal"))


def _of_sort(doc: Document, focus: Focus, index: Index) -> None:
    """`the model one`, `7b那个`: the only repo of that kind among those shown, or the only one with that part in its name."""
    if doc.of("repo"):
        return
    shown = [item for item in focus.listed if item["type"] == "repo"]
    for start, end, kind in spot("kind", doc.low):
        fits = [str(item["value"]) for item in shown if item.get("kind") == kind]
        after = _ONE.match(doc.low, end)
        if after and len(fits) == 1 and doc.add(Span(start, after.end(), "repo", fits[0], _entities(index, "repo", fits[0]), "ordinal")):
            return
    for span in doc.of("ident", "number"):
        after = _ONE.match(doc.low, span.end)
        part = doc.low[span.start : span.end].strip()
        names = [*(str(item["value"]) for item in shown), focus.repo or ""]
        fits = sorted({name for name in names if part in re.split(r"[-_./]", name.lower())})
        if not fits and focus.repo:
            stem = re.split(r"[-_.]", focus.repo.lower())[0]
            fits = sorted({e.value for e in index.exact(f"{stem}-{part}") if e.type == "repo"})
        if after and part and len(fits) == 1:
            doc.spans.remove(span)
            doc.add(Span(span.start, after.end(), "repo", fits[0], _entities(index, "repo", fits[0]), "ordinal"))
            return


def _only_file(doc: Document, focus: Focus) -> None:
    """`open it` after a folder with one file was shown."""
    if focus.tool != "list_files" or len(focus.listed) != 1 or doc.of("path", "repo"):
        return
    for match in talk("pronoun_repo").finditer(doc.low):
        if doc.add(Span(match.start(), match.end(), "path", str(focus.listed[0]["value"]), (), "pronoun")):
            return


def _entities(index: Index, type_: str, value: str) -> tuple[Entity, ...]:
    """The known entity, or a stand-in for one that this world no longer shows (the tool then says what is wrong)."""
    if type_ not in ("repo", "user", "org"):
        return ()
    found = tuple(e for e in index.exact(value) if e.type == type_ and e.value.lower() == value.lower())
    return found or (Entity(type_, value),)  # type: ignore[arg-type]


def _listed(doc: Document, focus: Focus, index: Index) -> None:
    if not focus.listed:
        return
    for at, pattern in ordinals():
        for match in pattern.finditer(doc.low):
            if (at if at >= 0 else 0) < len(focus.listed):
                _add_item(doc, match.start(), match.end(), focus.listed[at], index)
    both = _BOTH.search(doc.low)
    if both and len(focus.listed) == 2 and not doc.taken(both.start(), both.end()) and both.end() - both.start() >= 2:
        middle = (both.start() + both.end()) // 2
        _add_item(doc, both.start(), middle, focus.listed[0], index)
        _add_item(doc, middle, both.end(), focus.listed[1], index)


def _add_item(doc: Document, start: int, end: int, item: dict[str, object], index: Index) -> None:
    type_, value = str(item.get("type", "repo")), str(item.get("value", ""))
    entities = tuple(e for e in index.exact(value) if e.type == type_) or _entities(index, type_, value)
    overlapping = [span for span in doc.spans if span.start < end and start < span.end]
    if all(span.type == "number" for span in overlapping):
        doc.spans = [span for span in doc.spans if span not in overlapping]
        doc.add(Span(start, end, type_, value, entities, "ordinal"))

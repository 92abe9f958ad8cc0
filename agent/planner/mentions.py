"""Words that point back: pronouns, `the second one`, `both`; resolved against the thread's focus before anything is classified."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

from agent.planner.document import Document, Span
from agent.planner.lexicon import bounded, follow, load, spot, talk
from agent.planner.linker import Index
from agent.planner.spans_community import find_thread
from agent.planner.spans_running import find_pointed
from agent.planner.types import Entity, Focus

_POINTERS = (
    ("pronoun_branch", "branch", "branch"),
    ("pronoun_path", "path", "path"),
    ("pronoun_revision", "revision", "revision"),
    ("pronoun_user", "user", "user"),
    ("pronoun_org", "org", "org"),
    ("pronoun_git_tag", "git_tag", "git_tag"),
    ("pronoun_collection", "collection", "collection"),
    ("pronoun_discussion", "discussion", "discussion"),
)


@cache
def ordinals() -> tuple[tuple[int, re.Pattern[str]], ...]:
    """Index in a list and the words for it."""
    return tuple(
        (int(at), re.compile("|".join(bounded(str(word), literal=False) for word in words))) for at, words in load("ordinals").items()
    )


def resolve(doc: Document, focus: Focus, index: Index, me: str = "") -> None:
    """Add a span for every pointer that the focus can resolve. A pronoun for a repo counts only when no repo is named."""
    _listed(doc, focus, index)
    _newest(doc, focus)
    _of_owner(doc, focus, index)
    _of_sort(doc, focus, index)
    _only_file(doc, focus)
    _of_ending(doc, focus)
    focus = _with_the_other(focus, me)
    for topic, type_, attribute in _POINTERS:
        value = getattr(focus, attribute)
        if not value or doc.of(type_):
            continue
        for match in talk(topic).finditer(doc.low):
            entities = _entities(index, type_, value)
            if doc.add(Span(match.start(), match.end(), type_, value, entities, "pronoun")):
                break
    if focus.collection and not doc.of("collection") and _of_collection(doc, focus):
        return
    if find_pointed(doc, focus) or find_thread(doc, focus):
        return
    if focus.tool in _OF_ORGS and focus.org and not doc.of("org", "repo"):
        # "add minji to it" after an organisation was made or shown.
        for match in talk("pronoun_repo").finditer(doc.low):
            doc.add(Span(match.start(), match.end(), "org", focus.org, _entities(index, "org", focus.org), "pronoun"))
            return
    if not focus.repo or any(span.how != "ordinal" and not span.weak for span in doc.of("repo")):
        return
    for match in (*follow("just_made").finditer(doc.low), *talk("pronoun_repo").finditer(doc.low)):
        doc.add(Span(match.start(), match.end(), "repo", focus.repo, _entities(index, "repo", focus.repo), "pronoun"))
        break


_OF_ORGS = ("create_org", "get_org", "add_org_member", "update_org_member", "remove_org_member")


_OF_COLLECTIONS = ("create_collection", "get_collection", "update_collection", "add_to_collection", "remove_from_collection")


def _of_collection(doc: Document, focus: Focus) -> bool:
    """`in it`, `放进去`, `そこに`: the collection the thread is about. After it was shown, `it` alone is the collection too."""
    if focus.tool not in _OF_COLLECTIONS:
        return False
    alone = focus.tool in _OF_COLLECTIONS[:3] and not doc.of("repo", "repo_ref")
    for pattern in (follow("inside_it"), *([talk("pronoun_repo")] if alone else [])):
        for match in pattern.finditer(doc.low):
            return doc.add(Span(match.start(), match.end(), "collection", focus.collection, (), "pronoun"))
    return False


def _with_the_other(focus: Focus, me: str) -> Focus:
    """The focus where "she" is the only other person on the list that was shown last."""
    others = [item for item in focus.listed if item["type"] == "user" and item["value"] != me]
    near = [item for item in others if item.get("kind") == "direct"] or others
    return (
        replace(focus, user=str(near[0]["value"])) if len(near) == 1 and focus.tool in ("get_org", "list_access", "list_users") else focus
    )


def _of_ending(doc: Document, focus: Focus) -> None:
    """`that csv`, `那个csv`: the only file of that sort among those shown."""
    if doc.of("repo") or not focus.listed or focus.listed[0]["type"] != "path":
        return
    for match in re.finditer(
        r"(?:\b(?:the|that|this) |[这那]个|[そあこ]の|[그이] ?)([a-z0-9]{2,8})(?: file| ?파일|文件|ファイル)?(?![a-z0-9_./-])", doc.low
    ):
        fits = [str(item["value"]) for item in focus.listed if str(item["value"]).lower().endswith("." + match[1])]
        if len(fits) == 1:
            doc.spans = [span for span in doc.spans if not (span.start < match.end() and match.start() < span.end and span.type == "ident")]
            doc.add(Span(match.start(), match.end(), "path", fits[0], (), "ordinal"))
            return


def _newest(doc: Document, focus: Focus) -> None:
    """`the newest one` of the commits that were shown."""
    if focus.listed and focus.listed[0]["type"] == "revision" and not doc.of("revision"):
        for match in follow("newest").finditer(doc.low):
            doc.add(Span(match.start(), match.end(), "revision", str(focus.listed[0]["value"]), (), "ordinal"))
            return


def _of_owner(doc: Document, focus: Focus, index: Index) -> None:
    """`the acme one`, `labs那个`: the repo of that owner among those shown, or of the name the thread is about."""
    for span in list(doc.of("org", "user")):
        owner = str(span.value).lower()
        after = follow("one_of").match(doc.low, span.end)
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
    among = follow("among").search(doc.low) is not None
    for start, end, kind in spot("kind", doc.low):
        fits = [str(item["value"]) for item in shown if item.get("kind") == kind]
        after = follow("one_of").match(doc.low, end)
        if (
            (after or among)
            and len(fits) == 1
            and doc.add(Span(start, after.end() if after else end, "repo", fits[0], _entities(index, "repo", fits[0]), "ordinal"))
        ):
            return
    for span in doc.of("ident", "number"):
        after = follow("one_of").match(doc.low, span.end)
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
    numbered = focus.listed[0]["type"] in ("discussion", "job")  # their own numbers: "number 1" is no place in the list
    for at, pattern in ordinals():
        for match in pattern.finditer(doc.low):
            if numbered and re.search(r"\d", match.group()):
                continue
            if (at if at >= 0 else 0) < len(focus.listed):
                _add_item(doc, match.start(), match.end(), focus.listed[at], index)
    both = follow("both").search(doc.low)
    if both and len(focus.listed) == 2 and not doc.taken(both.start(), both.end()) and both.end() - both.start() >= 2:
        middle = (both.start() + both.end()) // 2
        _add_item(doc, both.start(), middle, focus.listed[0], index)
        _add_item(doc, middle, both.end(), focus.listed[1], index)


def _add_item(doc: Document, start: int, end: int, item: dict[str, object], index: Index) -> None:
    type_, value = str(item.get("type", "repo")), str(item.get("value", ""))
    entities = tuple(e for e in index.exact(value) if e.type == type_) or _entities(index, type_, value)
    entities = tuple(e for e in entities if e.kind == item["kind"]) or entities if item.get("kind") else entities
    overlapping = [span for span in doc.spans if span.start < end and start < span.end]
    if all(span.type == "number" for span in overlapping):
        doc.spans = [span for span in doc.spans if span not in overlapping]
        doc.add(Span(start, end, type_, value, entities, "ordinal"))

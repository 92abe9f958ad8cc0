"""What the classifier sees: the text with names replaced by typed signs (for n-grams), by natural stand-ins (for the encoder), and flags."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from agent.planner.document import Document, Span
from agent.planner.lexicon import cue, spot, talk
from agent.planner.patterns import CJK

HASHES = 1 << 15
_SIGNS = {
    "repo": "\ue000", "user": "\ue001", "org": "\ue002", "token": "\ue003", "ssh_key": "\ue004", "ident": "\ue005", "repo_ref": "\ue006", "path": "\ue007",
    "branch": "\ue008", "git_tag": "\ue009", "revision": "\ue00a", "sql": "\ue00b", "text": "\ue00c", "email": "\ue00d", "url": "\ue00e", "public_key": "\ue00f",
    "attachment": "\ue010", "license": "\ue011", "when": "\ue012", "number": "\ue013", "collection": "\ue014", "discussion": "\ue015", "deployment": "\ue016", "hardware": "\ue017",
}  # fmt: skip
_KIND_SIGNS = {"model": "\ue020", "dataset": "\ue021", "space": "\ue022", "code": "\ue023"}
_STAND_INS = {
    "repo": "RepoX", "user": "Bob", "org": "OrgX", "token": "TokenX", "ssh_key": "KeyX", "ident": "Foo", "repo_ref": "Foo", "path": "file.txt",
    "branch": "BranchX", "git_tag": "v1.0", "revision": "abc123", "sql": "SQL", "text": '"text"', "email": "bob@mail.com", "url": "link", "public_key": "ssh-rsa AAAA",
    "attachment": "upload.csv", "license": "MIT", "when": "", "number": "5", "collection": "CollectionX", "discussion": "#5", "deployment": "EndpointX", "hardware": "A10",
}  # fmt: skip
_KIND_STAND_INS = {"model": "ModelX", "dataset": "DataX", "space": "SpaceX", "code": "CodeX"}
_COUNTED = (
    "repo",
    "user",
    "org",
    "token",
    "ssh_key",
    "ident",
    "repo_ref",
    "path",
    "branch",
    "git_tag",
    "revision",
    "sql",
    "text",
    "email",
    "public_key",
    "attachment",
    "license",
    "number",
    "collection",
    "discussion",
    "url",
    "deployment",
    "hardware",
)
_TOPICS = ("role", "visibility", "kind", "scope", "lang")
_CUES = (
    "token_noun",
    "key_noun",
    "branch_noun",
    "tag_noun",
    "license_noun",
    "description_noun",
    "org_noun",
    "user_noun",
    "deleted",
    "mine",
    "collection_noun",
    "discussion_noun",
    "webhook_noun",
    "deployment_noun",
)
# Things listed side by side count as one: "delete a and b" is an order like "delete a".
_LISTED = ("repo", "user", "org", "token")
_BESIDE = re.compile(r"^\s*(?:,|、|,?\s*and|&|plus|和|与|跟|以及|还有|と|や|および|랑|이랑|와|과|하고|및|그리고)\s*(?:the |さん|님)?$")
_LANGS = ("en", "zh", "ja", "ko")
_WHOSE = re.compile(r"(?:\b(?:my|our) |我们?(?:自己)?的|(?:私|僕|俺|自分|うち)の|(?<![가-힣])(?:내|제|우리) )$")
_OF_KIND = re.compile(
    r"(?: (?:model|dataset|repo|repository|space)(?![\w-])(?! card)|[的の](?:模型|数据集|仓库|空间|モデル|データセット|リポジトリ|スペース)(?!カード|卡)|(?:モデル|データセット|リポジトリ)(?!カード)| (?:모델|데이터셋|저장소|레포)(?!카드))"
)
_SPACES = re.compile(r"\s+")


def merged(doc: Document) -> Document:
    """The document with lists of things of one type as one span, and whose it is and its kind as part of a repo's name."""
    spans: list[Span] = []
    for span in doc.spans:
        if span.type == "repo":
            span = _with_owner_and_kind(doc, span)
        last = spans[-1] if spans else None
        if last is not None and span.type in _LISTED and span.type == last.type and _BESIDE.match(doc.low[last.end : span.start]):
            spans[-1] = replace(last, end=span.end)
        else:
            spans.append(span)
    return doc if spans == doc.spans else Document(doc.text, doc.low, spans, doc.weak, doc.language)


def _with_owner_and_kind(doc: Document, span: Span) -> Span:
    """`my X`, `我的X`, `Xのデータセット`: what only says more of the repo that is named anyway."""
    before = _WHOSE.search(doc.low, max(0, span.start - 8), span.start)
    start = before.start() if before else span.start
    after = _OF_KIND.match(doc.low, span.end)
    end = after.end() if after and not doc.taken(span.end, after.end()) else span.end
    return replace(span, start=start, end=end) if not doc.taken(start, span.start) else span


def signs(doc: Document) -> str:
    """Lower-case text with every span as one private character (two for a repo of known kind)."""
    return _SPACES.sub(
        " ",
        _replace(
            doc, doc.low, lambda span: _SIGNS.get(span.type, "") + (_KIND_SIGNS.get(span.kind or "", "") if span.type == "repo" else "")
        ),
    ).strip(" .。")


def stand_ins(doc: Document) -> str:
    """The text with every span as a plausible name of its type."""
    return _SPACES.sub(" ", _replace(doc, doc.text, _stand_in)).strip()


def _stand_in(span: Span) -> str:
    if span.type == "when":
        return "yesterday"
    if span.type == "repo":
        return _KIND_STAND_INS.get(span.kind or "", "RepoX")
    return _STAND_INS.get(span.type, "")


def _replace(doc: Document, text: str, sign: object) -> str:
    parts, at = [], 0
    for span in merged(doc).spans:
        parts.append(text[at : span.start])
        parts.append(sign(span))  # type: ignore[operator]
        at = span.end
    parts.append(text[at:])
    return "".join(parts)


@lru_cache(maxsize=65536)
def _bucket(gram: str) -> int:
    return zlib.crc32(gram.encode("utf-8", "surrogatepass")) % HASHES


def gram_counts(text: str) -> dict[int, int]:
    """Hashed counts of character 1- to 4-grams; starts and ends count as characters."""
    padded = f"\x02{text[:400]}\x03"
    counts: dict[int, int] = {}
    for size in (1, 2, 3, 4):
        for at in range(len(padded) - size + 1):
            key = _bucket(padded[at : at + size])
            counts[key] = counts.get(key, 0) + 1
    return counts


def grams(text: str, idf: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Column numbers and weights (sublinear TF-IDF of unit length)."""
    counts = gram_counts(text)
    columns = np.fromiter(counts, dtype=np.int64, count=len(counts))
    weights = (1.0 + np.log(np.fromiter(counts.values(), dtype=np.float32, count=len(counts)))) * idf[columns]
    norm = float(np.sqrt((weights**2).sum())) or 1.0
    return columns, (weights / norm).astype(np.float32)


def flags(doc: Document) -> npt.NDArray[np.float32]:
    """Words of the lexicon, counts of typed spans, and what kind of sentence it is."""
    doc = merged(doc)
    masked = doc.masked
    row: list[float] = []
    for topic in _TOPICS:
        hits = {value for _, _, value in spot(topic, masked)}
        row.extend(float(value in hits) for value in _TOPIC_VALUES[topic])
    row.extend(float(bool(cue(name).search(masked))) for name in _CUES)
    for type_ in _COUNTED:
        count = len(doc.of(type_))
        row.extend((float(count > 0), float(count > 1)))
    for kind in _KIND_SIGNS:
        row.append(float(any(span.kind == kind for span in doc.of("repo"))))
    row.append(float(any(e.deleted for span in doc.of("repo") for e in span.entities[:1])))
    row.append(float("?" in doc.text))
    row.append(float(bool(talk("forbid").search(masked))))
    row.append(float(bool(talk("keep_out").search(masked))))
    row.append(float(not doc.spans))
    length = len(doc.text) * (2 if CJK.search(doc.text) else 1)
    row.extend(float(length > limit) for limit in (15, 40, 80))
    row.extend(float(doc.language == lang) for lang in _LANGS)
    return np.asarray(row, dtype=np.float32)


_TOPIC_VALUES = {
    "role": ("admin", "write", "read"),
    "visibility": ("public", "internal", "private"),
    "kind": ("model", "dataset", "space", "code", "prompt", "mcp", "skill"),
    "scope": ("admin", "write", "read"),
    "lang": ("en", "zh", "ja", "ko"),
}
FLAG_WEIGHT = 0.35
ENCODER_WEIGHT = 2.0

"""Orders that are none: what is forbidden, asked about, or reported of others."""

from __future__ import annotations

import itertools
import re
from typing import Literal

from agent.planner.document import Document
from agent.planner.lexicon import talk
from agent.planner.normalise import lower

Polarity = Literal["forbidden", "hypothetical", "reported"]

_NO_BAN = re.compile(
    r"shouldn't [^,.;]*\bany ?(?:more|longer)|(?:do not|don't|dont) (?:forget|hesitate|you|worry|need|want to (?:keep|have))|why don't (?:you|we)|(?:can't|couldn't|won't) you|(?:别|不要)忘|公開(?:を|は)?(?:やめ|止め|取りやめ|取り消)|(?:不要|别)再?公开了|공개(?:는|를)?\s?(?:그만|중단)|通知|提醒|关注|打扰|订阅|忘れ(?:ない|ず)|잊지|알림|通知",
    re.IGNORECASE,
)
_DOWNSTREAM = re.compile(r"downstream|depend|lineage|derived|uses it|下游|依赖|派生|依存|派生|의존|파생", re.IGNORECASE)
_CLAUSE_END = re.compile(
    r"[,;.!。、]|\s(?:but|just|only|instead|rather)\s|但是?|而是|只要|けど|が、|말고|말아(?:\s?줘|\s?주세요)?|지만|마\s|(?<=ずに)|(?<=ないで)|(?<=而)",
    re.IGNORECASE,
)
_IF_FRAMES = re.compile(
    r"(?:so )?what (?:exactly )?(?:would |will |does |do )?(?:it )?(?:happens?|change|break)(?: to [^,?]{1,40})? (?:if|when|once)(?: i| we| you| someone| somebody| one)?"
    r"|what if (?:i|we|you|someone)|(?:is it|would it be) (?:safe|ok|okay|dangerous|risky|a problem) (?:to|if (?:i|we))|(?:suppose|supposing|imagine|hypothetically|let's say|say),? (?:i|we|that i|that we)(?: were to)?"
    r"|\bif (?:i|we|you|someone)(?: were to| would)?\b|,? ?(?:what|who|which)\b[^?]{0,60}\?*$|(?:the )?(?:consequences?|effects?|impact|implications?) of"
    r"|如果|要是|假如|假设|万一|若是|的话|会怎么?样|会如何|会发生什么|(?:会)?有什么后果|(?:会)?有什么影响|会不会.*$|会影响.*$|会丢.*$|什么后果|模拟一下"
    r"|(?:何が|どう|どんな|誰|なに)[^。]{0,14}(?:起こ|起き|なる|なり|影響|困|消え|失|変わ)[^。]*$|どうなる.*$|もし|仮に|(?:影響|結果).*$|大丈夫.*$"
    r"|(?:어떻게|무슨|뭐가|어떤|누가|무엇이|어떡).*$|만약|혹시|만일|(?:영향|결과).*$",
    re.IGNORECASE,
)
_PRESENT = {
    "deleted": "delete", "deleting": "delete", "removed": "remove", "removing": "remove", "made": "make", "making": "make", "renamed": "rename", "renaming": "rename", "moved": "move", "moving": "move",
    "transferred": "transfer", "transferring": "transfer", "revoked": "revoke", "revoking": "revoke", "disabled": "disable", "disabling": "disable", "changed": "change", "changing": "change",
    "kicked": "kick", "kicking": "kick", "gave": "give", "giving": "give", "forked": "fork", "restored": "restore", "reverted": "revert", "left": "quit", "leaving": "leave", "added": "add", "adding": "add",
    "took": "take", "taking": "take",
}  # fmt: skip
_PAST = re.compile(r"\b(?:" + "|".join(_PRESENT) + r")\b", re.IGNORECASE)


_TAKEN_BACK = re.compile(
    r"[.,;!?…、。\s](?:no,? wait|wait,? no|no no|never ?mind|nvm|scratch that|forget it|actually,? (?:no|don'?t)|on second thoughts?,? no|算了吧?|还是别了|还是算了|先不了|やっぱり?(?:いい(?:や|です)?|やめ(?:とく|て|ます)?)|아니다(?: 됐어)?|됐다|됐어요?)[.!?~。\s]*$"
)
LEFT_ALONE = re.compile(
    r"\b(?:leave|keep) (?:\x1f+|it|that|them)(?: (?:alone|as (?:it )?is|as they are|untouched))?\s*$|(?:保持|维持)(?:原样|不变|现状)|不(?:用)?动$|别动$|留着|保留(?:着|下来)?$|そのまま(?:で(?!.*(?:入れ|追加|消|移))|に(?:して|し)|$)|残し(?:て|と)|그대로 ?(?:두|놔|냅|둬)|(?:놔|냅|내버려) ?(?:두|둬)|남겨 ?(?:두|둬)|건드리지 ?(?:말|않)"
)


def polarity(doc: Document) -> Polarity | None:
    """What keeps a message from being an order, if anything."""
    masked = doc.masked
    if talk("hypothetical").search(masked) and not _DOWNSTREAM.search(masked):
        return "hypothetical"
    if talk("reported").search(doc.low):
        return "reported"
    return "forbidden" if ban(doc) or _TAKEN_BACK.search(masked) else None


# `消さないでおいて`, `触らないでください`: the verb that a Japanese ban goes on with is part of it.
_ASKED_FOR = re.compile(r"で?(?:おい[てと]|いて|くださ|下さ|くれ|ほし|欲し|お願)[^、。,!?\s]*")


def ban(doc: Document) -> tuple[int, int] | None:
    """The range of a ban in the text, up to the end of its clause."""
    masked = doc.masked
    if talk("keep_out").search(masked) or _NO_BAN.search(masked):
        return None
    match = talk("forbid").search(masked.replace("\x1f", "x"))
    if match is None:
        return None
    if asked := _ASKED_FOR.match(masked, match.end()):
        return match.start(), asked.end()
    end = _CLAUSE_END.search(masked, match.end() - 1)
    return match.start(), end.end() if end else len(masked)


def asked_sentence(doc: Document) -> Document:
    """The sentence that asks what an act would do; what stands before or behind it is talk about it."""
    ends = [0, *(end.end() for end in re.finditer(r"[?!。]+", doc.masked)), len(doc.text)]
    parts = [doc.cut(start, end) for start, end in itertools.pairwise(ends)]
    return next((part for part in parts if part.spans and talk("hypothetical").search(part.masked)), doc)


def order_of(doc: Document) -> Document:
    """The act that a hypothetical question is about, without its frame (`what happens if I`)."""
    chars = list(doc.text)
    masked = doc.masked
    for match in _IF_FRAMES.finditer(masked):
        for at in range(match.start(), match.end()):
            if masked[at] != "\x1f":
                chars[at] = " "
    text = _PAST.sub(lambda match: _PRESENT[match.group().lower()].ljust(len(match.group()))[: len(match.group())], "".join(chars))
    low = doc.low if text == doc.text else lower(text)
    return Document(text.replace("?", " "), low.replace("?", " "), list(doc.spans), list(doc.weak), doc.language)

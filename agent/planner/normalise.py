"""Text as the planner reads it: compatibility forms folded, quotes and spaces unified, typing errors in command words mended."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from functools import lru_cache

from rapidfuzz.distance import OSA

MAX_CHARS = 2000
_QUOTES = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "ʼ": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "〝": '"',
        "〟": '"',
        "。": "。",
        "、": "、",
        "–": "-",
        "—": "-",
        "−": "-",
        "‐": "-",
    }
)
_WORD = re.compile(r"(?<![A-Za-z0-9_./@-])[A-Za-z][a-z]{3,}(?![A-Za-z0-9_/@-]|\.\w)")


def fold(text: str) -> str:
    """NFKC, character by character, so that full-width letters and punctuation become plain; spaces unified; single jamo kept.

    Chinese and Japanese full stops and enumeration commas are kept. Control characters become spaces. Cut at MAX_CHARS.
    """
    return "".join(_folded(unicodedata.normalize("NFC", text[: MAX_CHARS * 2])))[:MAX_CHARS].strip()


def _folded(text: str) -> list[str]:
    """What each character becomes."""
    out = []
    for char in text:
        if char in "\n\t" or "\u3131" <= char <= "\u318e":
            out.append(char)
        elif unicodedata.category(char) in ("Cc", "Cf", "Zs", "Zl", "Zp", "Cs"):
            out.append("" if unicodedata.category(char) == "Cf" else " ")
        else:
            out.append(unicodedata.normalize("NFC", unicodedata.normalize("NFKC", char)).translate(_QUOTES))
    return out


_HIRAGANA_LOANS = re.compile(
    "ぶらんち|もでる|でーたせっと|でーた|たぐ|ふぁいる|らいせんす|とーくん|ふぁいんちゅーん|でぷろい|りぽじとり|れぽじとり|こみっと|ふぉーく|ゆーざー|めんばー|すぺーす|ぷろんぷと|だうんろーど|あっぷろーど|りねーむ|あくせす|あかうんと|ろぐいん"
)


def in_katakana(text: str) -> str:
    """Loanwords that are written in hiragana in a hurry, as they are spelled; of the same length."""
    return _HIRAGANA_LOANS.sub(lambda match: "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in match.group()), text)


_TRADITIONAL = str.maketrans(
    "請問這個們給們說讀寫開關閉刪設為與對錯歷產發報補檔資庫數據單簽標記誰誰幾條線協議許證權條種類應該還讓來從進運動複製轉換備備組織員賬號碼鑰匙嗎麼沒無時間頁圖實驗訓練評測試執確認點讚過濾變動狀態現時現個內網隱藏顯見範圍總計萬億會員邀請離職離開買賣廣電話傳輸載錄錄體檢點選擇擇輸優級別處理擴縮應於後們聯繫歡樂語簡稱別稱還原撤銷銷備註釋獲責請責邊達遠遲適選遺郵醫釋鍵鎖鐘門問間聞閱隊階際難電預題顏願類驗麗齊",
    "请问这个们给们说读写开关闭删设为与对错历产发报补档资库数据单签标记谁谁几条线协议许证权条种类应该还让来从进运动复制转换备备组织员账号码钥匙吗么没无时间页图实验训练评测试执确认点赞过滤变动状态现时现个内网隐藏显见范围总计万亿会员邀请离职离开买卖广电话传输载录录体检点选择择输优级别处理扩缩应于后们联系欢乐语简称别称还原撤销销备注释获责请责边达远迟适选遗邮医释键锁钟门问间闻阅队阶际难电预题颜愿类验丽齐",
)


def in_simplified(text: str) -> str:
    """Chinese in traditional characters as the lexicon has it; of the same length. Japanese and Korean are left."""
    return text if re.search(r"[\u3040-\u30ff\uac00-\ud7a3]", text) else text.translate(_TRADITIONAL)


def plain_endings(text: str) -> str:
    """Korean chat endings ("뽑아줘여", "몇 개임?") as they are spelled."""
    text = re.sub(r"(줘|주세|해|어|나|까|야|지)[여염용욤]+(?![가-힣])", r"\1", text)
    return re.sub(r"(?<=[개건명번줄일])임(?![가-힣])", "야", text)


def as_written(value: str, text: str) -> str:
    """The part of the original text that reads as the value; the value itself when it is not there, or there in several ways."""
    pieces = _folded(text[: MAX_CHARS * 2])
    folded = in_simplified(in_katakana("".join(pieces)))
    starts = [at for at, piece in enumerate(pieces) for _ in piece]
    places = [match.start() for match in re.finditer(re.escape(value), folded)] if value else []
    found = {text[starts[at] : starts[at + len(value) - 1] + 1] for at in places}
    if len(found) != 1:
        return value
    # A text that was cut while it was read goes on to its end.
    cut = len(text) > MAX_CHARS and places[0] + len(value) >= MAX_CHARS
    return text[starts[places[0]] :].rstrip() if cut else found.pop()


def lower(text: str) -> str:
    """Lower case of the same length."""
    return "".join(small if len(small := char.lower()) == 1 else char for char in text)


def mend(text: str, vocabulary: Collection[str], known: Callable[[str], bool]) -> list[tuple[int, int, str]]:
    """Corrections of mistyped command words: (start, end, right word). `known` says which words are right as they are."""
    fixes = []
    for match in _WORD.finditer(text):
        word = match.group().lower()
        if word in vocabulary or known(word):
            continue
        better = _nearest(word, tuple_of(vocabulary))
        if better:
            fixes.append((match.start(), match.end(), better))
    return fixes


_tuples: dict[int, tuple[Collection[str], dict[str, tuple[str, ...]]]] = {}


def tuple_of(vocabulary: Collection[str]) -> int:
    """Register a vocabulary, grouped by first letter; returns its key."""
    key = id(vocabulary)
    if key not in _tuples:
        groups: dict[str, list[str]] = {}
        for word in sorted(vocabulary):
            if len(word) >= 4 and word.isalpha():
                groups.setdefault(word[0], []).append(word)
        _tuples[key] = (vocabulary, {first: tuple(words) for first, words in groups.items()})
    return key


_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_VOWELS = frozenset("aeiouy")


def _slip(word: str, other: str) -> bool:
    """Whether one letter in place of another is a slip: of a finger to a key nearby, or of one vowel for another. "tiny" is no "tidy"."""
    if len(word) != len(other) or sorted(word) == sorted(other):
        return True
    one, two = next((a, b) for a, b in zip(word, other, strict=True) if a != b)
    if {one, two} <= _VOWELS or {one, two} <= set("cksz"):
        return True
    (row, at), (other_row, other_at) = _key(one), _key(two)
    return abs(row - other_row) <= 1 and abs(at - other_at) <= 1


def _key(letter: str) -> tuple[int, int]:
    return next(((row, keys.index(letter)) for row, keys in enumerate(_KEYS) if letter in keys), (9, 99))


@lru_cache(maxsize=4096)
def _nearest(word: str, key: int) -> str | None:
    """The only, or the closest in length, vocabulary word one edit away that starts alike."""
    near = [
        other
        for other in _tuples[key][1].get(word[0], ())
        if abs(len(other) - len(word)) <= 1 and OSA.distance(word, other, score_cutoff=1) <= 1 and _slip(word, other)
    ]
    if not near:
        return None
    # A swap or a doubled letter is likelier than a wrong one; then the longer word.
    return min(near, key=lambda other: (sorted(other) != sorted(word), set(other) != set(word), -len(other), other))

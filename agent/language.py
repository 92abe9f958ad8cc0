"""Which of the four languages a message is in, from its script, with the thread's language as the tie-breaker."""

from __future__ import annotations

import re

_KANA = re.compile(r"[\u3041-\u30fa\u30fc-\u30ff\uff66-\uff9f]")
_HANGUL = re.compile(r"[\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")
_QUOTED = re.compile(r"```.*?```|`[^`]*`|\"[^\"]*\"|「[^」]*」|『[^』]*』|“[^”]*”|https?://\S+", re.DOTALL)
_IDENTIFIER = re.compile(r"[A-Za-z0-9]*[\d_./@-][\w./@-]*")

# Forms that one of the two languages does not write: simplified characters and Chinese function words; Japanese shinjitai and kanji nouns.
_ONLY_ZH = re.compile(
    r"[们这个吗呢吧么谁没给让说请问还对号码员删库户组织权视创设选该应将显载图资发传关闭开启边际计划数据仅测试错误复题标签议许证读写项态]"
    r"|的|了|是|在|我|你|他|她|它|把|被|哪|怎|什|哦|嗯|啊|看看|一下|可以|不要|有没有|好"
)
_ONLY_JA = re.compile(
    r"[込働峠畑辻枠広図売読変続応総経検権験実辺録戻単択覧両対帰気説諾]|公開|非公開|削除|一覧|承認|却下|確認|変更|追加|復元|取消|作成|検索|編集|招待|閲覧"
    r"|実行|中止|了解|詳細|履歴|差分|設定|社内|複製|移動|表示|許可|拒否|お願|全部消|続行|無効"
)


def detect_language(text: str, fallback: str = "") -> str:
    """`en`, `zh`, `ja` or `ko`: the language to answer in.

    Quoted text and code do not count, so that quoting another language does not switch the thread. Text that says nothing
    about its language (a name, a number, a sha, `ok`) keeps `fallback`, or is English.
    """
    bare = _QUOTED.sub(" ", text)
    if not (_KANA.search(bare) or _HANGUL.search(bare) or _HAN.search(bare) or _LATIN.search(bare)):
        bare = text
    kana, hangul, han = (len(pattern.findall(bare)) for pattern in (_KANA, _HANGUL, _HAN))
    if kana or hangul or han:
        latin = len(re.findall(r"[A-Za-z]{2,}", _IDENTIFIER.sub(" ", bare)))
        if latin >= 5 and kana + hangul + han <= latin // 2:
            return "en"
        if hangul and hangul >= kana:
            return "ko"
        if kana:
            return "ja"
        return _han_only(bare, fallback)
    words = re.findall(r"[A-Za-z']{2,}", _IDENTIFIER.sub(" ", bare))
    if fallback and len(words) < 2:
        return fallback
    return "en"


def _han_only(text: str, fallback: str) -> str:
    """Chinese or Japanese for text that has Chinese characters but no kana."""
    chinese, japanese = len(_ONLY_ZH.findall(text)), len(_ONLY_JA.findall(text))
    if japanese > chinese:
        return "ja"
    if chinese > japanese:
        return "zh"
    return fallback if fallback in ("zh", "ja") else "zh"

"""Which files of a repo are data, and in which encoding a text file is."""

from __future__ import annotations

import codecs
import enum
from collections.abc import Iterable
from pathlib import PurePosixPath

SAMPLE = 64 << 10


class DataFormat(enum.StrEnum):
    """A format that rows can be read from."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    JSON = "json"
    PARQUET = "parquet"


_ENDINGS = {
    ".csv": DataFormat.CSV, ".tsv": DataFormat.TSV, ".tab": DataFormat.TSV, ".jsonl": DataFormat.JSONL, ".ndjson": DataFormat.JSONL,
    ".json": DataFormat.JSON, ".parquet": DataFormat.PARQUET, ".pq": DataFormat.PARQUET,
}  # fmt: skip
_NOT_DATA = {
    "config.json", "dataset_info.json", "dataset_infos.json", "package.json", "package-lock.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "generation_config.json", "state.json", "metadata.json", "vocab.json",
}  # fmt: skip


def data_format(path: str) -> DataFormat | None:
    """The format of a data file by its name; None where the file is no data."""
    pure = PurePosixPath(path)
    if pure.name.lower() in _NOT_DATA or any(part.startswith(".") for part in pure.parts):
        return None
    return _ENDINGS.get(pure.suffix.lower())


def data_files(paths: Iterable[str]) -> list[str]:
    """The data files, the one to show first in front: training data, then by name; `.json` last, as it is often something else."""

    def order(path: str) -> tuple[bool, bool, str]:
        return (data_format(path) is DataFormat.JSON, "train" not in path.lower(), path)

    return sorted((path for path in paths if data_format(path)), key=order)


def detect_encoding(sample: bytes) -> str:
    """The codec for text that starts with `sample`. UTF-8 where it fits; another encoding only on clear evidence; else Windows-1252."""
    for bom, name in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if sample.startswith(bom):
            return name
    sample = sample[:SAMPLE]
    if _decodes(sample, "utf-8") is not None and b"\0" not in sample:
        return "utf-8"
    if b"\0" in sample:
        return _without_bom(sample)
    return _east_asian(sample) or "cp1252"


def _without_bom(sample: bytes) -> str:
    """UTF-16 of mostly Latin text has its NULs all on one side."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    pairs = max(1, len(sample) // 2)
    if odd > 0.3 * pairs and even < 0.02 * pairs:
        return "utf-16-le"
    if even > 0.3 * pairs and odd < 0.02 * pairs:
        return "utf-16-be"
    return "utf-8"


def _east_asian(sample: bytes) -> str | None:
    """Tell the double-byte encodings apart by what the decoded text consists of: nearly any bytes decode in nearly all of them."""
    japanese = _shares(sample, "cp932")
    if japanese and japanese["kana"] > 0.1 and japanese["half"] < 0.1:
        return "shift_jis" if _decodes(sample, "shift_jis") is not None else "cp932"
    for codec in ("euc_kr", "cp949"):
        korean = _shares(sample, codec)
        if korean and korean["hangul"] > 0.9:
            return codec
    euc = _shares(sample, "euc_jp")
    if euc and euc["kana"] > 0.2:
        return "euc_jp"
    chinese = _shares(sample, "gb18030")
    if chinese and chinese["han"] > 0.6 and _common(sample) > 0.9:
        return "gb18030"
    if japanese and japanese["han"] > 0.9 and japanese["half"] == 0:
        return "cp932"
    return "gb18030" if chinese and chinese["han"] > 0.8 else None


def _shares(sample: bytes, codec: str) -> dict[str, float] | None:
    """Of the letters outside of ASCII, the share of each script; None when the bytes do not decode or are too few to judge."""
    text = _decodes(sample, codec)
    letters = [char for char in text or "" if char > "\x7f" and (char.isalpha() or "\ue000" <= char <= "\uf8ff")]
    if len(letters) < 2:
        return None
    total = len(letters)
    return {
        "kana": sum("\u3041" <= char <= "\u30ff" for char in letters) / total,
        "half": sum("\uff61" <= char <= "\uff9f" for char in letters) / total,
        "hangul": sum("\uac00" <= char <= "\ud7a3" for char in letters) / total,
        "han": sum("\u4e00" <= char <= "\u9fff" for char in letters) / total,
    }


def _common(sample: bytes) -> float:
    """The share of Chinese characters that are in the small set of GB 2312, as nearly all of real text is."""
    letters = [char for char in _decodes(sample, "gb18030") or "" if "\u4e00" <= char <= "\u9fff"]
    return sum(_encodes(char, "gb2312") for char in letters) / max(1, len(letters))


def _encodes(char: str, codec: str) -> bool:
    try:
        char.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _decodes(sample: bytes, codec: str) -> str | None:
    """The text, or None; a character cut off by the end of the sample is no error."""
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        return decoder.decode(sample, final=len(sample) < SAMPLE)
    except UnicodeDecodeError:
        return None

"""Which files are data, and in which encoding text is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_core.datasets.formats import data_files, data_format, detect_encoding

TEXTS = {
    "zh": "姓名,城市,备注\n张伟,北京,非常好用,推荐\n李娜,上海,一般般吧\n",
    "ja": "名前,都市,メモ\n田中,東京,とても良いです\n鈴木,大阪,まあまあ\n",
    "ko": "이름,도시,메모\n김철수,서울,아주 좋습니다\n이영희,부산,보통입니다\n",
    "en": "name,city\nAda,London\n",
}


@pytest.mark.parametrize(
    ("language", "encoding"),
    [(language, encoding) for language in TEXTS for encoding in ("utf-8", "utf-8-sig", "utf-16")]
    + [
        ("zh", "gb18030"),
        ("zh", "gbk"),
        ("ja", "shift_jis"),
        ("ja", "cp932"),
        ("ja", "euc_jp"),
        ("ko", "euc_kr"),
        ("ko", "cp949"),
        ("en", "utf-16-le"),
    ],
)
def test_encoding_is_found(language: str, encoding: str) -> None:
    data = TEXTS[language].encode(encoding)
    assert data.decode(detect_encoding(data)) == TEXTS[language]


def test_western_text_is_not_taken_for_east_asian() -> None:
    text = "nom,ville\nRené,Orléans\nZoë,Genève\n"
    assert detect_encoding(text.encode("cp1252")) == "cp1252"


def test_character_cut_by_the_end_of_the_sample_is_no_error() -> None:
    assert detect_encoding("é".encode() * 40_000) == "utf-8"
    assert detect_encoding(b"x" + "é".encode() * 40_000) == "utf-8"


@given(st.binary(max_size=500))
def test_any_bytes_get_an_encoding_that_exists(data: bytes) -> None:
    data.decode(detect_encoding(data), "replace")


def test_data_files_are_chosen_and_ordered() -> None:
    paths = ["README.md", "test.csv", "data/train.parquet", "meta.json", "dataset_info.json", ".hidden/x.csv", "train.jsonl"]
    assert data_files(paths) == ["data/train.parquet", "train.jsonl", "test.csv", "meta.json"]
    assert data_format("A.TSV") == "tsv"
    assert data_format("model.safetensors") is None

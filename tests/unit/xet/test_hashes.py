"""The hashes of the protocol, against values that xet-core publishes with its own tests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub_core.xet.hashes import from_text, to_text, tree_of, valid_text

ONE = "cfc5d07f6f03c29bbf424132963fe08d19a37d5757aaf520bf08119f05cd56d6"
TWO = "c3e67584b5c4fc2a89837ec39e40f2c8a6bb0b2987ac94cd4b31e5fbdd210a72"
THREE = "0d2beb91b9196929a5ddec9f6e306924ddf4a24268e3e59fd8464738d525af37"
FOUR = "adf8773496a9b7319b2e50dc98093f344053b17d8ad37100b9c07d9805988784"
SIZES = {ONE: 100, TWO: 200, THREE: 300, FOUR: 400}


def roots(*hashes: str) -> tuple[str, str]:
    tree = tree_of((from_text(hash_), SIZES[hash_]) for hash_ in hashes)
    return to_text(tree.root()), to_text(tree.file_hash())


def test_trees_are_those_of_xet_core() -> None:
    assert roots() == ("0" * 64, "0" * 64)
    assert roots(ONE) == (ONE, "8e16257caa3fe079d484d872a8975264b2ff683b0d6db9028cc7c0f968a45661")
    assert roots(ONE, TWO, THREE) == (
        "71ec1275fca074724e2dd666921b3277c7cee603e4d025bcab2d4050015be2bc",
        "54e55dccc6653c612bdb5576c5d3cb34bb31bc4e100248abccf4c908b3ef7715",
    )
    assert roots(ONE, ONE, ONE, ONE)[0] == "89f2ada89ff8c96763c6b25010e6dd76a4c05b1466207633ea559acf2093211b"
    assert roots(ONE, TWO, ONE, TWO, THREE, FOUR) == (
        "52c826f99507aa05d0b45e9837fa1709e0485425cfbcb1e80db3905cf98b3ee9",
        "91d21684db364c8883ab8209fa5eb2e781cf07f37e1fa43e731c30839afe422f",
    )


@given(st.binary(min_size=32, max_size=32))
def test_a_printed_hash_reads_back(raw: bytes) -> None:
    assert valid_text(to_text(raw))
    assert from_text(to_text(raw)) == raw


def test_eight_bytes_print_as_one_little_endian_number() -> None:
    assert to_text(bytes(range(32))) == "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918"
    assert not valid_text("A" * 64)
    assert not valid_text("a" * 63)

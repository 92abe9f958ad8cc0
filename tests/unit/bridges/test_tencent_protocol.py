"""Signatures, encryption and XML of WeChat and WeCom, against the vectors of their documentation and a second implementation."""

from __future__ import annotations

import base64
import contextlib
import re

import pytest
from aibot.crypto_utils import decrypt_file as vendors_decrypt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidAppIdException
from wechatpy.work.crypto import WeChatCrypto as WeComCrypto

from chat_ui.bridges.tencent.crypto import MessageCipher, NotGenuine, check_signature, decrypt_file, signature
from chat_ui.bridges.tencent.xml import MAX_BODY, BadXml, build, parse
from chat_ui.bridges.text import split

# The example of WeCom's page on receiving messages (developer.work.weixin.qq.com/document/path/90968) and of its sample libraries.
WECOM = ("QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7")
ECHO = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="
MESSAGE = (
    "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt6"
    "6wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqC"
    "KIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVK"
    "n28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q=="
)
# The tests of the sample library for Official Accounts (WXBizMsgCryptTest): with fixed random bytes.
WECHAT = ("pamtest", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wxb11529c136998cb6")
SALT = b"aaaabbbbccccdddd"
ENCRYPTED = "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="

texts = st.text(st.characters(exclude_categories=["Cs"]))
keys = st.binary(min_size=32, max_size=32).map(lambda raw: base64.b64encode(raw).decode()[:43])


def test_the_echo_of_the_documentation_is_signed_and_decrypted() -> None:
    token, key, corp = WECOM
    check_signature("5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3", token, "1409659589", "263014780", ECHO, now=1409659589)
    assert MessageCipher(key, corp).decrypt(ECHO) == "1616140317555161061"


def test_the_message_of_the_documentation_is_signed_and_decrypted() -> None:
    token, key, corp = WECOM
    check_signature("477715d11cdb4164915debcba66cb864d751f3e6", token, "1409659813", "1372623149", MESSAGE, now=1409659813)
    fields = parse(MessageCipher(key, corp).decrypt(MESSAGE))
    assert (fields["FromUserName"], fields["Content"], fields["MsgId"]) == ("mycreate", "hello", "4561255354251345929")


def test_encryption_gives_what_the_sample_library_gives() -> None:
    _, key, app = WECHAT
    assert MessageCipher(key, app).encrypt("我是中文abcd123", salt=SALT) == ENCRYPTED
    assert MessageCipher(key, app).decrypt(ENCRYPTED) == "我是中文abcd123"


@settings(deadline=None)
@given(texts, keys)
def test_what_we_encrypt_a_second_implementation_decrypts_and_the_other_way_round(text: str, key: str) -> None:
    token, app = WECHAT[0], WECHAT[2]
    theirs, ours = WeChatCrypto(token, key, app), MessageCipher(key, app)
    encrypted = ours.encrypt(text)
    signed = signature(token, "1409304348", "xxxxxx", encrypted)
    assert theirs.decrypt_message({"Encrypt": encrypted}, signed, "1409304348", "xxxxxx") == text
    envelope = parse(theirs.encrypt_message(text, "xxxxxx", "1409304348"))
    check_signature(envelope["MsgSignature"], token, envelope["TimeStamp"], envelope["Nonce"], envelope["Encrypt"], now=1409304348)
    assert ours.decrypt(envelope["Encrypt"]) == text


def test_a_second_implementation_reads_the_echo_of_wecom_too() -> None:
    token, key, corp = WECOM
    signed = signature(token, "1409659589", "263014780", ECHO)
    assert WeComCrypto(token, key, corp).check_signature(signed, "1409659589", "263014780", ECHO) == "1616140317555161061"


@settings(deadline=None)
@given(texts, keys, st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=40))
def test_what_is_encrypted_comes_back_for_its_receiver_only(text: str, key: str, other: str) -> None:
    encrypted = MessageCipher(key, "app").encrypt(text)
    assert MessageCipher(key, "app").decrypt(encrypted) == text
    if other != "app":
        with pytest.raises(NotGenuine):
            MessageCipher(key, other).decrypt(encrypted)
        with pytest.raises(InvalidAppIdException):
            WeChatCrypto("t", key, other).decrypt_message({"Encrypt": encrypted}, signature("t", "1", "2", encrypted), "1", "2")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_whatever_is_sent_instead_is_refused_and_nothing_else(raw: bytes) -> None:
    cipher = MessageCipher(WECHAT[1], WECHAT[2])
    with pytest.raises(NotGenuine):
        cipher.decrypt(base64.b64encode(raw).decode())
    with pytest.raises(NotGenuine):
        cipher.decrypt(raw.decode("latin-1") + "!")


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=len(base64.b64decode(MESSAGE)) - 1), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_fails_the_signature(at: int, change: int) -> None:
    raw = bytearray(base64.b64decode(MESSAGE))
    raw[at] ^= change
    with pytest.raises(NotGenuine):
        check_signature(
            "477715d11cdb4164915debcba66cb864d751f3e6", WECOM[0], "1409659813", "1372623149", base64.b64encode(raw).decode(), now=1409659813
        )


@pytest.mark.parametrize("moment", [1409659813 - 601, 1409659813 + 601])
def test_a_signature_of_another_time_is_refused(moment: int) -> None:
    with pytest.raises(NotGenuine, match="old"):
        check_signature("477715d11cdb4164915debcba66cb864d751f3e6", WECOM[0], "1409659813", "1372623149", MESSAGE, now=moment)


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1e9", "١٤٠٩٦٥٩٨١٣", "9" * 400])
def test_a_time_that_is_no_number_is_refused(timestamp: str) -> None:
    with pytest.raises(NotGenuine):
        check_signature(signature("t", timestamp, "n"), "t", timestamp, "n")


def test_without_a_token_nothing_is_genuine() -> None:
    with pytest.raises(NotGenuine):
        check_signature(signature("", "100", "n"), "", "100", "n", now=100)


@pytest.mark.parametrize("key", ["", "short", "a" * 44, "ä" * 43, "a" * 42 + "="])
def test_a_key_of_another_shape_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="43"):
        MessageCipher(key, "app")


@settings(deadline=None)
@given(st.binary(max_size=300), st.binary(min_size=32, max_size=32))
def test_files_for_a_bot_come_back_as_the_vendors_own_library_decrypts_them(content: bytes, key: bytes) -> None:
    count = 32 - len(content) % 32
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    encrypted = encryptor.update(content + bytes([count]) * count) + encryptor.finalize()
    text = base64.b64encode(key).decode().rstrip("=")
    assert decrypt_file(encrypted, text) == vendors_decrypt(encrypted, text) == content


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(f'<!ENTITY {n} "{("&" + p + ";") * 10}">' for p, n in zip("abcdefgh", "bcdefghi", strict=True)) + "]><xml><Content>&i;</Content></xml>"  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><xml><Content>&f;</Content></xml>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><xml/>',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd">%p;]><xml/>',
        "<xml><Content>",
        "",
        "not xml",
        "<xml>" + "a" * MAX_BODY + "</xml>",
        b"\xff\xfe\x00",
        '<?xml version="1.0" encoding="no-such"?><xml/>',
        '<?xml version="1.0" encoding="rot13"?><xml/>',
    ],
)
def test_dangerous_and_damaged_xml_is_refused(body: str | bytes) -> None:
    with pytest.raises(BadXml):
        parse(body)


def test_deeply_nested_xml_does_no_harm() -> None:
    assert parse("<a>" * 15_000 + "</a>" * 15_000) == {"a": ""}


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    with contextlib.suppress(BadXml):
        parse(body)


@settings(deadline=None)
@given(texts)
def test_texts_survive_xml_but_for_characters_that_it_cannot_carry(text: str) -> None:
    kept = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text).replace("\r\n", "\n").replace("\r", "\n")
    fields = parse(build({"Content": text, "CreateTime": 12, "Image": {"MediaId": "x"}}))
    assert fields == {"Content": kept, "CreateTime": "12", "Image": ""}


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab 。\n中é\u0301👍🏽👩\u200d💻ｱ"), max_size=400), st.integers(min_value=30, max_value=80))
def test_parts_of_a_text_fit_and_nothing_but_space_is_lost(text: str, limit: int) -> None:
    parts = split(text, limit, counts_bytes=True)
    assert all(len(part.encode()) <= limit for part in parts)
    assert re.sub(r"\s", "", "".join(parts)) == re.sub(r"\s", "", text)

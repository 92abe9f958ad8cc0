"""The hub cannot be made to send to what only the hub can reach."""

from __future__ import annotations

import socket
import threading

import pytest

from hub_core.errors import InvalidInput, Unavailable, UnsafeAddress
from hub_core.webhooks import sender
from hub_core.webhooks.addresses import check_url, connect, listed
from hub_core.webhooks.sender import post
from tests.common.receiver import run_receiver

NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.8.9.10", "localhost", "LOCALHOST.", "0.0.0.0", "[::1]", "[::]", "169.254.169.254", "[fe80::1]", "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fd00:ec2::254]", "100.100.100.200", "168.63.129.16",
        "224.0.0.1", "[ff02::1]", "255.255.255.255", "100.64.0.1", "192.0.0.192",
    ],
)  # fmt: skip
def test_addresses_of_the_machine_and_of_clouds_are_refused(host: str) -> None:
    with pytest.raises(UnsafeAddress):
        check_url(f"http://{host}:8080/hook", NONE)


@pytest.mark.parametrize("host", ["10.1.2.3", "192.168.0.10", "172.20.0.5", "[fd12:3456::1]", "93.184.216.34", "ci.example.com"])
def test_in_house_and_public_addresses_are_fine(host: str) -> None:
    assert check_url(f"https://{host}/hook?x=1", NONE).path == "/hook?x=1"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "example.com", "http://", "http:///x", "http://a b/", "http://e.com/\r\nX: 1",
        "http://user:pass@example.com/", "http://user@example.com/", "http://example.com:99999/", "http://example.com\\@127.0.0.1/", "javascript:alert(1)",
        "http://" + "a" * 3000,
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_url(url, NONE)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1", "localhost.localdomain"])
def test_other_ways_to_write_this_machine_are_found_out_where_it_connects(host: str) -> None:
    try:
        socket.getaddrinfo(host, 80)
    except OSError:
        pytest.skip("this machine does not know the name")
    with pytest.raises(UnsafeAddress):
        connect(check_url(f"http://{host}/", NONE), NONE, 1.0)


def test_a_name_that_leads_here_is_refused_where_it_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a name that changes between the check and the call."""
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, port, **more: real("127.0.0.1", port, **more))
    with run_receiver() as receiver:
        target = check_url(f"http://innocent.example.com:{receiver.url.rpartition(':')[2]}/elsewhere", NONE)
        with pytest.raises(UnsafeAddress):
            post(target, {}, b"{}", NONE)
        assert receiver.elsewhere == 0
        assert post(target, {}, b"{}", listed("other, innocent.example.com")) == 200


def test_a_listed_host_may_be_limited_to_a_port() -> None:
    with run_receiver() as receiver:
        port = receiver.url.rpartition(":")[2]
        assert post(check_url(f"{receiver.url}/elsewhere", listed(f"127.0.0.1:{port}")), {}, b"", listed(f"127.0.0.1:{port}")) == 200
        with pytest.raises(UnsafeAddress):
            check_url(f"{receiver.url}/elsewhere", listed("127.0.0.1:1"))


def test_redirects_are_not_followed() -> None:
    with run_receiver() as receiver:
        allowed = listed("127.0.0.1")
        assert post(check_url(f"{receiver.url}/moved", allowed), {}, b"", allowed) == 307
        assert receiver.elsewhere == 0


def test_a_receiver_that_never_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "TOTAL_S", 0.5)
    allowed = listed("127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(Unavailable):
            post(check_url(f"http://127.0.0.1:{server.getsockname()[1]}/", allowed), {}, b"", allowed)
        stop.set()
        thread.join()

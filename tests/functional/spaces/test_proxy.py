"""What passes between visitors and the app of a Space, and what does not."""

from __future__ import annotations

import hashlib
import json
import time

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from hub_core.authz import Visibility
from hub_core.repos.tables import Repo
from tests.common.space_app import HOSTILE
from tests.common.spaces import SpacesHub
from tests.common.working import wait_until

ALLOWED_BY_SANDBOX = "sandbox allow-scripts allow-forms allow-popups allow-downloads allow-modals"


@pytest.fixture
def place(hub: SpacesHub, app: Repo) -> str:
    """Ann's address of the running app."""
    with hub.signed_in() as browser:
        return hub.url + hub.address(browser, app)


def test_nothing_of_the_visitor_reaches_the_app(place: str) -> None:
    sent = {
        "cookie": "hubtalk_session=mine; own=1",
        "authorization": "Bearer of-the-hub",
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-user": "ann",
        "x-hf-user": "somebody",
        "x-auth-request-access-token": "of-a-proxy",
        "cf-access-jwt-assertion": "of-a-proxy",
        "x-gradio-server": "https://evil.example",
        "referer": "https://hub.example/chat/thread/secret",
        "origin": "null",
        "proxy-authorization": "Basic eDp5",
        "accept-language": "ja",
    }
    got = httpx.get(f"{place}/echo/a%2Fb/c?x=1&y=%26", headers=sent).json()
    assert got["path"] == "/echo/a%2Fb/c?x=1&y=%26"  # as it was sent
    assert got["headers"]["accept-language"] == "ja"
    assert not {"cookie", "authorization", "referer", "origin", "x-forwarded-for", "x-forwarded-user"} & set(got["headers"])
    text = json.dumps(got["headers"])
    for secret in ("mine", "of-the-hub", "of-a-proxy", "evil", "thread", "somebody"):
        assert secret not in text
    assert got["headers"]["x-gradio-server"] == place  # where the app is, so that it makes right addresses


def test_nothing_of_the_app_reaches_beyond_its_own_page(place: str) -> None:
    answer = httpx.get(f"{place}/hostile")
    assert answer.headers["content-security-policy"] == ALLOWED_BY_SANDBOX
    assert "allow-same-origin" not in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    for name in set(HOSTILE) - {"Content-Security-Policy"}:
        assert name.lower() not in answer.headers, name


def test_every_answer_has_the_sandbox_also_those_of_the_hub(hub: SpacesHub, place: str) -> None:
    for address in (f"{place}/", f"{place}/big?size=10", f"{place}/none", f"{hub.url}/run/wrong/", f"{place[:-1]}x/"):
        assert httpx.get(address).headers["content-security-policy"] == ALLOWED_BY_SANDBOX


def test_pages_without_an_origin_may_read_their_app_and_no_others_may(place: str) -> None:
    own = httpx.get(f"{place}/echo", headers={"origin": "null"})
    assert own.headers["access-control-allow-origin"] == "null"
    assert "access-control-allow-origin" not in httpx.get(f"{place}/echo", headers={"origin": "https://evil.example"}).headers
    asked = {"origin": "null", "access-control-request-method": "POST", "access-control-request-headers": "content-type, x-own"}
    allowed = httpx.options(f"{place}/echo", headers=asked)
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-headers"] == "content-type, x-own"
    assert httpx.get(f"{place}/sw.js", headers={"service-worker": "script"}).status_code == 403


@pytest.mark.parametrize(
    ("to", "leads"),
    [
        ("/echo", "{prefix}/echo"), ("echo", "echo"), ("{own}/echo?x=1", "{prefix}/echo?x=1"), ("https://other.example/x", "https://other.example/x"),
    ],
)  # fmt: skip
def test_redirects_stay_below_the_prefix(hub: SpacesHub, place: str, to: str, leads: str) -> None:
    prefix = place.removeprefix(hub.url)
    answer = httpx.get(f"{place}/redirect", params={"to": to.format(own=hub.url)})
    assert answer.status_code == 302
    assert answer.headers["location"] == leads.format(prefix=prefix)


def test_bodies_pass_whole_in_both_directions(place: str) -> None:
    body = b"x" * 20_000_001
    got = httpx.post(f"{place}/echo", content=body, timeout=60).json()
    assert (got["size"], got["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert httpx.post(f"{place}/echo", content=iter([b"ab", b"cd"])).json()["size"] == 4  # of a length that nobody told
    assert len(httpx.get(f"{place}/big?size=20000001", timeout=60).content) == 20_000_001
    assert httpx.head(f"{place}/").status_code == 200
    assert httpx.put(f"{place}/echo", content=b"1").json()["method"] == "PUT"


def test_events_come_as_they_are_told(place: str) -> None:
    came = []
    with httpx.stream("GET", f"{place}/events?n=4", timeout=30) as answer:
        for _ in answer.iter_lines():
            came.append(time.monotonic())
    assert came[-1] - came[0] > 0.4  # not all at the end


def test_a_page_gets_cookies_and_storage_that_forget(place: str) -> None:
    page = httpx.get(f"{place}/", headers={"accept": "text/html", "accept-encoding": "gzip"})
    assert page.text.startswith("<!doctype html><script>")
    assert page.text.endswith("<h1>An app</h1>")
    assert int(page.headers["content-length"]) == len(page.content)
    assert httpx.get(f"{place}/", headers={"accept": "*/*"}).text.startswith("<!doctype html><title>")


def test_a_websocket_is_passed_on_without_the_visitor(place: str) -> None:
    address = "ws" + place.removeprefix("http")
    sent = {"cookie": "hubtalk_session=mine", "origin": "null", "authorization": "Bearer x"}
    with connect(f"{address}/socket?x=1", additional_headers=sent, subprotocols=["streamlit", "other"]) as socket:  # type: ignore[list-item]
        headers = json.loads(socket.recv())
        assert not {"cookie", "authorization", "origin"} & set(headers)
        assert socket.subprotocol == "streamlit"
        for text in ("hello", "x" * 50_000):
            socket.send(text)
            assert socket.recv() == text
        socket.send("close")
        with pytest.raises(ConnectionClosed):
            socket.recv()


def test_an_address_is_for_one_space_and_cannot_be_changed(hub: SpacesHub, place: str) -> None:
    hub.space("other", visibility=Visibility.PRIVATE)
    repo_id, user_id, session, expires, signature = place.rpartition("/")[2].split("-")
    for changed in (
        f"{int(repo_id) + 1}-{user_id}-{session}-{expires}-{signature}",
        f"{repo_id}--{session}-{expires}-{signature}",
        f"{repo_id}-{hub.bob.user_id}-{session}-{expires}-{signature}",
        f"{repo_id}-{user_id}--{expires}-{signature}",
        f"{repo_id}-{user_id}-{session}-{int(expires) + 9}-{signature}",
        f"{repo_id}-{user_id}-{session}-{expires}-{'0' * 64}",
        "x", "..", "%2e%2e", "0-0-0-0-0",
    ):  # fmt: skip
        assert httpx.get(f"{hub.url}/run/{changed}/echo").status_code in {401, 404}, changed


def test_who_may_not_see_a_space_gets_the_same_answer_as_for_none(hub: SpacesHub, app: Repo) -> None:
    with hub.signed_in("bob") as browser:
        hidden, missing = (browser.get(f"/spaces/ann/{name}/app") for name in ("app", "none"))
        assert hidden.status_code == missing.status_code == 404
        assert hidden.text.replace("ann/app", "x") == missing.text.replace("ann/none", "x")
    nobody = [httpx.get(f"{hub.url}/spaces/ann/{name}/app", headers={"accept": "text/html"}) for name in ("app", "none")]
    assert [answer.status_code for answer in nobody] == [303, 303]
    for token in (hub.bob_token, "wrong"):
        headers = {"authorization": f"Bearer {token}"}
        known = [httpx.get(f"{hub.url}/spaces/ann/{name}/app/echo", headers=headers) for name in ("app", "none")]
        assert known[0].status_code == known[1].status_code in {401, 404}
        assert known[0].text.replace("ann/app", "x") == known[1].text.replace("ann/none", "x")


def test_programs_come_with_a_token_and_the_app_does_not_see_it(hub: SpacesHub, app: Repo) -> None:
    headers = {"authorization": f"Bearer {hub.token}"}
    got = httpx.post(f"{hub.url}/spaces/ann/app/app/echo/x", headers=headers, content=b"hi").json()
    assert got["path"] == "/echo/x"
    assert hub.token not in json.dumps(got)
    assert got["headers"]["x-gradio-server"] == f"{hub.url}/spaces/ann/app/app"
    assert httpx.get(f"{hub.url}/spaces/ann/app/app", headers=headers).text.endswith("<h1>An app</h1>")
    as_gradio_client = {"x-hf-authorization": f"Bearer {hub.token}", "authorization": ""}
    assert hub.token not in httpx.get(f"{hub.url}/spaces/ann/app/app/echo", headers=as_gradio_client).raise_for_status().text
    with connect(f"ws{hub.url.removeprefix('http')}/spaces/ann/app/app/socket", additional_headers=headers) as socket:
        assert hub.token not in str(socket.recv())


def test_a_session_opens_nothing_outside_the_frame(hub: SpacesHub, app: Repo) -> None:
    with hub.signed_in() as browser:
        assert browser.get("/spaces/ann/app/app/echo").status_code == 403
        page = browser.get("/spaces/ann/app/app")
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert "script-src" not in page.headers["content-security-policy"]  # and nothing by default


def test_taken_access_ends_addresses_and_open_websockets(hub: SpacesHub) -> None:
    repo = hub.space("shared", visibility=Visibility.INTERNAL)
    hub.run(repo)
    with hub.signed_in("bob") as browser:
        place = hub.url + hub.address(browser, repo)
    with connect("ws" + place.removeprefix("http") + "/socket") as socket:
        socket.recv()
        hub.services.repos.set_visibility(hub.ann, repo, Visibility.PRIVATE)
        assert httpx.get(f"{place}/echo").status_code == 404
        with pytest.raises(InvalidStatus):
            connect("ws" + place.removeprefix("http") + "/socket")
        with pytest.raises(ConnectionClosed) as ended:
            socket.recv(timeout=30)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1008


def test_signing_out_ends_the_address(hub: SpacesHub, app: Repo) -> None:
    with hub.signed_in() as browser:
        place = hub.url + hub.address(browser, app)
        assert httpx.get(f"{place}/echo").status_code == 200
        hub.services.sessions.logout(browser.cookies["hubtalk_session"])
        assert httpx.get(f"{place}/echo").status_code == 401


def test_nobody_needs_to_sign_in_for_a_public_space(hub: SpacesHub) -> None:
    repo = hub.space("open", visibility=Visibility.PUBLIC)
    hub.run(repo)
    with httpx.Client(base_url=hub.url, headers={"accept": "text/html"}) as nobody:
        place = hub.address(nobody, repo)
        assert nobody.get(f"{place}/echo").json()["method"] == "GET"
        hub.services.repos.set_visibility(hub.ann, repo, Visibility.PRIVATE)
        assert nobody.get(f"{place}/echo").status_code in {401, 404}


def test_static_pages_are_shown_from_the_repo(hub: SpacesHub) -> None:
    repo = hub.space(
        "pages", "static", **{"index.html": "<h1>Hi</h1>", "style.css": "h1{}", "sub__index.html": "sub", "app.js": "1", "é x.txt": "y"}
    )
    with hub.signed_in() as browser:
        place = hub.address(browser, repo)
    page = httpx.get(f"{hub.url}{place}/", headers={"sec-fetch-dest": "iframe"})
    assert page.text.endswith("<h1>Hi</h1>")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == ALLOWED_BY_SANDBOX
    assert httpx.get(f"{hub.url}{place}/app.js").headers["content-type"].startswith("text/javascript")
    assert httpx.get(f"{hub.url}{place}/style.css").headers["content-type"].startswith("text/css")
    assert httpx.get(f"{hub.url}{place}/%C3%A9%20x.txt").text == "y"
    assert httpx.get(f"{hub.url}{place}/sub", follow_redirects=True).text == "sub"
    assert httpx.get(f"{hub.url}{place}/none").status_code == 404
    again = httpx.get(f"{hub.url}{place}/style.css", headers={"if-none-match": httpx.get(f"{hub.url}{place}/style.css").headers["etag"]})
    assert again.status_code == 304
    hub.commit(repo, **{"index.html": "<h1>New</h1>"})
    assert httpx.get(f"{hub.url}{place}/").text == "<h1>New</h1>"  # no start is needed
    headers = {"authorization": f"Bearer {hub.token}"}
    assert httpx.get(f"{hub.url}/spaces/ann/pages/app/style.css", headers=headers).text == "h1{}"


def test_passes_are_in_no_log(place: str, caplog: pytest.LogCaptureFixture) -> None:
    def told() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name.startswith("hub")]

    with caplog.at_level("INFO"):
        httpx.get(f"{place}/echo/logged")
        wait_until(lambda: any("echo/logged" in line for line in told()), 10)
    assert not any(place.rpartition("/")[2] in line for line in told())

"""The local object store behind gunicorn: what goes on between a client's socket and the disk."""

from __future__ import annotations

import hashlib
import http.client
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests
from object_servers import LocalServer, served_objects
from real_parts import until

from prominence.restapi.objects import Reach, Terms

NAME = "uploads/alice/data.bin"
CONTENT = bytes(range(256)) * 8192  # 2 MiB
ONE_MB = 1_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with served_objects(tmp_path_factory.mktemp("objects")) as one:
        yield one


@pytest.fixture
def url(server: LocalServer) -> str:
    """Of an object that is there."""
    assert requests.put(to_put(server), data=CONTENT, timeout=30).status_code == 201
    return server.store.url_to_get(NAME, 60, Reach.USERS)


def to_put(server: LocalServer, name: str = NAME, largest: int = 100 * ONE_MB) -> str:
    return server.store.url_to_put(name, Terms(lifetime_s=60, largest=largest), Reach.USERS).url


def incoming(server: LocalServer) -> list[str]:
    return [path.name for path in (server.root / "incoming").glob("*")]


def test_an_upload_that_breaks_off_leaves_nothing(server: LocalServer) -> None:
    parts = urlsplit(to_put(server, "uploads/alice/half"))
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as client:
        client.sendall(
            f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {50 * ONE_MB}\r\n\r\n".encode()
        )
        client.sendall(b"x" * 3 * ONE_MB)
        until(lambda: incoming(server), 30)
        assert server.store.stat("uploads/alice/half") is None
    until(lambda: not incoming(server), 30)
    assert server.store.stat("uploads/alice/half") is None


def test_a_chunked_upload_that_breaks_off_leaves_nothing(server: LocalServer) -> None:
    parts = urlsplit(to_put(server, "uploads/alice/half"))
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as client:
        client.sendall(
            f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        client.sendall(b"%x\r\n" % (2 * ONE_MB) + b"x" * 2 * ONE_MB + b"\r\n")
        until(lambda: incoming(server), 30)
    until(lambda: not incoming(server), 30)
    assert server.store.stat("uploads/alice/half") is None


def test_an_upload_may_come_in_chunks_of_unknown_number(server: LocalServer) -> None:
    answer = requests.put(
        to_put(server), data=(CONTENT[i : i + 65536] for i in range(0, len(CONTENT), 65536)), timeout=30
    )
    assert answer.status_code == 201
    stored = server.store.stat(NAME)
    assert stored is not None
    assert (stored.size, stored.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@pytest.mark.parametrize("chunked", [False, True])
def test_who_sends_too_much_can_read_why_it_is_not_taken(server: LocalServer, chunked: bool) -> None:
    content = iter([CONTENT] * 4) if chunked else CONTENT * 4
    answer = requests.put(to_put(server, "uploads/alice/large", largest=ONE_MB), data=content, timeout=30)
    assert answer.status_code == 413
    assert "1000000 bytes" in answer.json()["error"]
    assert server.store.stat("uploads/alice/large") is None
    assert not incoming(server)


def test_of_objects_that_come_at_once_so_many_are_taken_as_there_is_room_for(server: LocalServer) -> None:
    terms = Terms(lifetime_s=60, largest=len(CONTENT), together=3 * len(CONTENT) + 1)
    urls = [server.store.url_to_put(f"groups/physics/{number}", terms, Reach.USERS).url for number in range(8)]
    with ThreadPoolExecutor(len(urls)) as clients:
        answers = list(clients.map(lambda url: requests.put(url, data=CONTENT, timeout=60), urls))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [507] * 5
    refused = next(answer for answer in answers if answer.status_code == 507)
    assert refused.json()["error"].startswith(f"There is no room for its {len(CONTENT)} bytes any more: 1 are left.")
    assert len(server.store.list("groups/physics")) == 3
    assert not incoming(server)
    again = urls[[answer.status_code for answer in answers].index(201)]
    assert requests.put(again, data=CONTENT, timeout=60).status_code == 201, "it takes its own place"


def test_what_a_client_reads_while_a_new_one_comes_stays_the_old(server: LocalServer, url: str) -> None:
    with requests.get(url, stream=True, timeout=30) as answer:
        begin = answer.raw.read(1000)
        assert requests.put(to_put(server), data=b"new", timeout=30).status_code == 201
        assert begin + answer.raw.read() == CONTENT
    assert requests.get(url, timeout=30).content == b"new"


@pytest.mark.parametrize(
    ("wanted", "got", "told"),
    [
        ("bytes=0-9", CONTENT[:10], "bytes 0-9/2097152"),
        ("bytes=2097150-", CONTENT[-2:], "bytes 2097150-2097151/2097152"),
        ("bytes=-5", CONTENT[-5:], "bytes 2097147-2097151/2097152"),
        ("bytes=1000-99999999", CONTENT[1000:], "bytes 1000-2097151/2097152"),
    ],
)
def test_a_part_can_be_had(url: str, wanted: str, got: bytes, told: str) -> None:
    answer = requests.get(url, headers={"Range": wanted}, timeout=30)
    assert (answer.status_code, answer.headers["Content-Range"]) == (206, told)
    assert answer.content == got
    assert answer.headers["Content-Length"] == str(len(got))


@pytest.mark.parametrize("wanted", ["bytes=5-2,7-8", "bytes=0-1,4-5", "lines=1-2", "bytes=a-b"])
def test_a_range_that_we_do_not_serve_is_answered_with_the_whole(url: str, wanted: str) -> None:
    answer = requests.get(url, headers={"Range": wanted}, timeout=30)
    assert answer.status_code == 200
    assert answer.content == CONTENT


def test_a_range_beyond_the_end_is_refused_with_the_size(url: str) -> None:
    answer = requests.get(url, headers={"Range": "bytes=2097152-"}, timeout=30)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */2097152"
    assert "error" in answer.json()


def test_a_download_goes_on_only_where_the_object_is_still_the_same(server: LocalServer, url: str) -> None:
    tag = requests.get(url, timeout=30).headers["ETag"]
    assert not tag.startswith("W/")
    half = {"Range": "bytes=1000-", "If-Range": tag}
    assert requests.get(url, headers=half, timeout=30).status_code == 206
    assert requests.put(to_put(server), data=CONTENT[::-1], timeout=30).status_code == 201
    answer = requests.get(url, headers=half, timeout=30)
    assert answer.status_code == 200
    assert answer.content == CONTENT[::-1]


def test_what_the_reader_has_already_is_not_sent_again(url: str) -> None:
    tag = requests.get(url, timeout=30).headers["ETag"]
    assert requests.get(url, headers={"If-None-Match": tag}, timeout=30).status_code == 304


def test_the_head_tells_size_and_tag_without_the_content(url: str) -> None:
    answer = requests.head(url, timeout=30)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(CONTENT))
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_no_browser_shows_what_it_gets(url: str) -> None:
    headers = requests.get(url, timeout=30).headers
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_no_token_helps_without_a_signature(server: LocalServer, url: str) -> None:
    bare = url.partition("?")[0]
    for answer in (requests.get(bare, timeout=30), requests.put(bare, data=b"x", timeout=30)):
        assert answer.status_code == 403
        assert "signed" in answer.json()["error"]
    for method in ("POST", "DELETE", "PATCH"):
        assert requests.request(method, url, timeout=30).status_code == 405


def test_a_missing_object_is_told_to_nobody_but_who_has_its_address(server: LocalServer) -> None:
    url = server.store.url_to_get("uploads/alice/nothing", 60, Reach.USERS)
    answer = requests.get(url, timeout=30)
    assert answer.status_code == 404
    assert "no object" in answer.json()["error"]


def test_names_that_try_to_climb_are_those_of_nobody(server: LocalServer) -> None:
    parts = urlsplit(server.store.url_to_get(NAME, 60, Reach.USERS))
    for path in ("../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "uploads/alice/..%2fbob%2fx", "%00", "%ff"):
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        connection.request("GET", f"/prominence/v1/objects/{path}?{parts.query}")
        assert connection.getresponse().status in (400, 403)
        connection.close()


def test_everything_else_takes_small_bodies_only(server: LocalServer) -> None:
    base = to_put(server).partition("/objects/")[0]
    headers = {"Authorization": "Bearer token-of-alice"}
    answer = requests.post(f"{base}/jobs", data=b"x" * 5000, headers=headers, timeout=30)
    assert answer.status_code == 413

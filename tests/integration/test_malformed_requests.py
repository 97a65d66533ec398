"""What is no HTTP, or no request of ours, on the API's real socket: an answer in JSON with a status that says it."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
from collections.abc import Iterator

import pytest
from real_parts import RealPool

JOBS = b"/prominence/v1/jobs"


@pytest.fixture
def connection(pool: RealPool) -> Iterator[socket.socket]:
    host, _, port = pool.url.removeprefix("http://").partition("/")[0].partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as found:
        yield found


def ask(connection: socket.socket, sent: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Status, headers and body of the answer to these bytes."""
    try:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it has answered, and perhaps hung up, before it had heard all
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, answer.headers, answer.read()


def request(pool: RealPool, *headers: bytes, method: bytes = b"POST", body: bytes = b"") -> bytes:
    """A request with the pool's token and these headers."""
    lines = [method + b" " + JOBS + b" HTTP/1.1", b"Host: x", b"Authorization: Bearer " + pool.token.encode(), *headers]
    return b"\r\n".join([*lines, b"", body])


CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"\x00\x01\x02\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n", 400),
        (b"GET " + JOBS + b" HTTP/9.9\r\n\r\n", 400),
        (b"G\xc3\xa9T " + JOBS + b" HTTP/1.1\r\n\r\n", 400),
        (b"GET /\xff\xfe HTTP/1.1\r\n\r\n", 400),
        (b"GET " + JOBS + b"?name=" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET " + JOBS + b" HTTP/1.1\r\n" + b"X: 1\r\n" * 200 + b"\r\n", 431),
        (b"GET " + JOBS + b" HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", 431),
        (b"GET " + JOBS + b" HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET " + JOBS + b" HTTP/1.1\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET " + JOBS + b" HTTP/1.1\r\nX: a\r\n folded\r\n\r\n", 400),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else str(value),
)
def test_what_is_no_http_is_answered_in_json(connection: socket.socket, sent: bytes, status: int) -> None:
    is_refused(ask(connection, sent), status)


@pytest.mark.parametrize(
    ("header", "body", "status"),
    [
        (b"Content-Length: -5", b"", 400),
        (b"Content-Length: 5\r\nContent-Length: 6", b"12345", 400),
        (b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n", 400),
        (b"Content-Length: 100", b"{}", 400),
        (b"Content-Length: 99999999999999999999", b"", 413),
        (b"Content-Length: 50000000", b"x" * 1000, 413),
        (b"Transfer-Encoding: gzip", b"", 400),
        (b"Expect: the-unexpected\r\nContent-Length: 2", b"{}", 417),
        (CHUNKED, b"zz\r\nabc\r\n0\r\n\r\n", 400),
        (CHUNKED, b"3\r\nabcdef\r\n0\r\n\r\n", 400),
        (CHUNKED, b"3\r\nab", 400),
        (CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n", 400),
        (CHUNKED, (b"10000\r\n" + b" " * 65536 + b"\r\n") * 100 + b"0\r\n\r\n", 413),
        (b"Content-Length: 100000", b"[" * 100_000, 400),
        (b"Content-Length: 4", b"\xff\xfe\x00\x00", 400),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else str(value),
)
def test_a_body_that_is_not_what_its_header_says_is_refused(
    pool: RealPool, connection: socket.socket, header: bytes, body: bytes, status: int
) -> None:
    is_refused(ask(connection, request(pool, header, body=body)), status)


def test_a_job_in_chunks_is_read_whole(pool: RealPool, connection: socket.socket) -> None:
    job = json.dumps({"tasks": [{"image": "busybox"}], "resources": {"cpus": 512}}).encode()
    body = b"".join(b"%x\r\n%s\r\n" % (len(job[at : at + 7]), job[at : at + 7]) for at in range(0, len(job), 7))
    status, _, answer = ask(connection, request(pool, CHUNKED, body=body + b"0\r\n\r\n"))
    assert status == 201
    assert pool.request("DELETE", f"/jobs/{json.loads(answer)['id']}").status_code == 200


def test_any_bytes_as_a_body_are_refused(pool: RealPool) -> None:
    seed = int.from_bytes(os.urandom(4))
    chance = random.Random(seed)
    for _ in range(100):
        answer = pool.request("POST", "/jobs", data=chance.randbytes(chance.randrange(300)))
        assert answer.status_code == 400, seed
        assert set(answer.json()) == {"error", "reasonCode"}, seed


def test_it_answers_as_ever_after_all_of_this(pool: RealPool) -> None:
    assert pool.request("GET", "/health").status_code == 204
    assert pool.request("GET", "/jobs").status_code == 200


def is_refused(answer: tuple[int, http.client.HTTPMessage, bytes], status: int) -> None:
    got, headers, body = answer
    assert got == status, body
    assert headers["Content-Type"] == "application/json"
    said = json.loads(body)
    assert set(said) == {"error", "reasonCode"}
    assert said["error"].endswith(".")
    assert "required" not in said["error"], "half of it was taken for the whole"

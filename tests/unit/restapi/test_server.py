"""What gunicorn cannot serve is answered as the application would: a status that says what is wrong, and JSON."""

from __future__ import annotations

import io
import json
import ssl
from typing import Any

import pytest
from gunicorn.http import errors as http
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.error_reasons import ErrorReason, of_status
from prominence.core.errors import Rejected
from prominence.restapi.server import Body, Worker, answer

SECRET = "eyJhbGciOi.secret.token"

UNREADABLE = [
    (http.InvalidRequestLine(SECRET), 400),
    (http.InvalidRequestMethod(SECRET), 400),
    (http.InvalidHTTPVersion(SECRET), 400),
    (http.InvalidHeader(SECRET), 400),
    (http.InvalidHeaderName(SECRET), 400),
    (http.ObsoleteFolding(SECRET), 400),
    (http.LimitRequestLine(5000, 4094), 414),
    (http.LimitRequestHeaders(SECRET), 431),
    (http.UnsupportedTransferCoding(SECRET), 501),
    (http.ExpectationFailed(SECRET), 417),
    (RuntimeError(SECRET), 500),
]


class Client:
    """The other end of a connection."""

    def __init__(self, gone: bool = False) -> None:
        self.heard = b""
        self._gone = gone

    def sendall(self, data: bytes) -> None:
        if self._gone:
            raise BrokenPipeError
        self.heard += data


def read(said: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of an answer."""
    head, _, body = said.partition(b"\r\n\r\n")
    first, *rest = head.decode("ascii").split("\r\n")
    headers = dict(line.split(": ", 1) for line in rest)
    assert int(headers["Content-Length"]) == len(body)
    return int(first.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize(("error", "status"), UNREADABLE, ids=lambda value: type(value).__name__)
def test_what_cannot_be_read_has_its_status_and_a_sentence(error: Exception, status: int) -> None:
    client = Client()
    Worker.handle_error(Worker.__new__(Worker), None, client, ("192.0.2.1", 4711), error)
    got, headers, body = read(client.heard)
    assert got == status
    assert headers["Content-Type"] == "application/json"
    assert headers["Connection"] == "close"
    assert set(body) == {"error", "reasonCode"}
    assert ErrorReason(body["reasonCode"]) is of_status(status)
    assert body["error"].endswith(".")


@pytest.mark.parametrize(("error", "status"), UNREADABLE[:-1], ids=lambda value: type(value).__name__)
def test_what_was_wrong_is_neither_answered_nor_logged(
    error: Exception, status: int, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    client = Client()
    Worker.handle_error(Worker.__new__(Worker), None, client, None, error)
    captured = capsys.readouterr()
    for text in (client.heard.decode(), caplog.text, captured.out, captured.err):
        assert SECRET not in text


def test_a_client_that_has_gone_is_no_mistake_of_ours() -> None:
    Worker.handle_error(Worker.__new__(Worker), None, Client(gone=True), None, http.InvalidRequestLine("x"))


def test_who_speaks_no_tls_is_told_nothing_and_is_no_mistake_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    client = Client()
    error = ssl.SSLError(1, "[SSL: HTTP_REQUEST] http request")
    Worker.handle_error(Worker.__new__(Worker), None, client, ("192.0.2.1", 4711), error)
    assert client.heard == b""
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_every_error_that_is_told_apart_is_one_of_gunicorns() -> None:
    told_apart = {read(answer(error))[0] for error, _ in UNREADABLE}
    assert told_apart == {400, 414, 417, 431, 500, 501}


class Pieces(io.RawIOBase):
    """A body as gunicorn gives it; it breaks after `good`."""

    def __init__(self, good: bytes, error: Exception) -> None:
        self._left = good
        self._error = error

    def read(self, size: int = -1) -> bytes:
        piece, self._left = self._left[:size], self._left[size:]
        if not piece:
            raise self._error
        return piece


@pytest.mark.parametrize("error", [http.InvalidChunkSize(b"zz"), http.ChunkMissingTerminator(b"x"), http.NoMoreData()])
def test_a_body_that_breaks_is_rejected(error: Exception) -> None:
    body = io.BufferedReader(Body(Pieces(b'{"tasks": ', error), length=0))
    with pytest.raises(Rejected, match="body"):
        body.read()


@given(st.binary(max_size=100_000))
def test_a_body_arrives_as_it_was_sent(sent: bytes) -> None:
    for length in (0, len(sent)):
        assert io.BufferedReader(Body(io.BytesIO(sent), length)).read() == sent


def test_a_body_that_is_cut_off_is_rejected() -> None:
    with pytest.raises(Rejected, match="98 bytes are missing"):
        io.BufferedReader(Body(io.BytesIO(b"{}"), length=100)).read()

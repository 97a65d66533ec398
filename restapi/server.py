"""gunicorn as it serves us: what is no HTTP is answered like every other mistake, by a sentence in JSON.

gunicorn reads a request's head before our application hears of it, and answers what it cannot read with pages of its
own; a worker class is its place to change that. Bodies it reads when the application does.
"""

from __future__ import annotations

import io
import json
import ssl
from contextlib import suppress
from http import HTTPStatus
from typing import Any, BinaryIO

from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.workers.gthread import ThreadWorker

from prominence.core import error_reasons, logs
from prominence.core.errors import Rejected

log = logs.get(__name__)

_REFUSALS = {
    "LimitRequestLine": (HTTPStatus.REQUEST_URI_TOO_LONG, "The address is too long."),
    "LimitRequestHeaders": (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too many or too long."),
    "UnsupportedTransferCoding": (HTTPStatus.NOT_IMPLEMENTED, "Of transfer codings, only chunked is known here."),
    "ExpectationFailed": (HTTPStatus.EXPECTATION_FAILED, "Of expectations, only 100-continue can be met."),
    "ConfigurationProblem": (HTTPStatus.INTERNAL_SERVER_ERROR, "The service made a mistake."),
}
"""By the names of gunicorn's errors, not all of which every version has."""


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """What `gunicorn --worker-class` is given."""

    def load_wsgi(self) -> None:
        super().load_wsgi()
        application: Any = self.wsgi  # type: ignore[has-type]

        def serve(environ: dict[str, Any], start_response: Any) -> Any:
            length = environ.get("CONTENT_LENGTH")
            body = Body(environ["wsgi.input"], int(length) if length else 0)
            environ["wsgi.input"] = io.BufferedReader(body)
            return application(environ, start_response)

        self.wsgi = serve

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """gunicorn calls this for what it cannot serve; the connection is closed afterwards."""
        if isinstance(exc, ssl.SSLError):
            # Who does not trust our certificate, or speaks without TLS, would not understand what we say.
            log.warning("a connection was no TLS", client=addr[0] if addr else "", error=getattr(exc, "reason", ""))
            return
        if isinstance(exc, ParseException):
            # What was wrong is not logged: it may be a token in the wrong place.
            log.warning("a request was no HTTP", client=addr[0] if addr else "", error=type(exc).__name__)
        else:
            log.exception("a request failed by a mistake of ours", error=repr(exc))
        with suppress(OSError):  # the client has gone
            client.sendall(answer(exc))


class Body(io.RawIOBase):
    """A request's body. What cannot be read of it is Rejected, not a mistake of the application.

    length: bytes that were promised, 0 where nobody said. A body that is cut off must not pass for a whole one.
    """

    def __init__(self, stream: BinaryIO, length: int) -> None:
        self._stream = stream
        self._missing = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._stream.read(len(buffer))
        except (ParseException, NoMoreData) as error:
            raise Rejected.because("The body ends too early, or is not in chunks as its header says.") from error
        self._missing -= len(piece)
        if not piece and self._missing > 0:
            raise Rejected.because(f"The body ends too early: {self._missing} bytes are missing.")
        buffer[: len(piece)] = piece
        return len(piece)


def answer(error: Exception) -> bytes:
    """What to answer to a request that gunicorn could not serve because of this."""
    if isinstance(error, ParseException):
        otherwise = HTTPStatus.BAD_REQUEST, "The request is not HTTP as this service understands it."
        status, sentence = _REFUSALS.get(type(error).__name__, otherwise)
    else:
        status, sentence = HTTPStatus.INTERNAL_SERVER_ERROR, "The service made a mistake."
    body = json.dumps(error_reasons.body(sentence, error_reasons.of_status(status))) + "\n"
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

"""An EC2 server for tests: moto's, with what it leaves out and Amazon has. `python ec2_server.py` prints its port.

Answers bear the namespace as Amazon writes it; a client token makes one machine, however often it is shown; and faults
can be put in the way of the next requests: `POST /_faults` with a list of `Fault`s as JSON. With an address as its
argument it listens there.
"""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

NAMESPACE = b"http://ec2.amazonaws.com/doc/2016-11-15"

Start = Callable[[str, list[tuple[str, str]]], Any]

_ERROR = "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>"


class Server:
    """A WSGI application around moto's. fault: action, code, status, message, times, after (moto acts all the same)."""

    def __init__(self, inner: Callable[[dict[str, Any], Start], Iterable[bytes]]) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._faults: list[dict[str, Any]] = []
        self._tokens: dict[str, tuple[dict[str, str], bytes]] = {}

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if environ["PATH_INFO"] == "/_faults":
            with self._lock:
                self._faults = [{"times": 1, **fault} for fault in json.loads(body)]
            return _answer(start, "200 OK", b"")
        query = parse_qs((body or environ.get("QUERY_STRING", "").encode()).decode(), keep_blank_values=True)
        said = {key: values[0] for key, values in query.items()}
        fault = self._fault(said.get("Action", ""))
        if fault and not fault.get("after"):
            return _answer(start, fault["status"], _error(fault))
        with self._lock:  # moto is not for several threads
            status, content = self._answered(environ, body, said)
        if fault:
            return _answer(start, fault["status"], _error(fault))
        if not status.startswith("200"):  # Amazon's errors have none
            return _answer(start, status, re.sub(rb' xmlns="[^"]*"', b"", content))
        return _answer(start, status, content.replace(NAMESPACE + b'"', NAMESPACE + b'/"'))

    def _answered(self, environ: dict[str, Any], body: bytes, said: dict[str, str]) -> tuple[str, bytes]:
        token = said.get("ClientToken", "")
        asked = {key: value for key, value in said.items() if not key.startswith(("X-Amz", "Signature", "Timestamp"))}
        if token in self._tokens:
            before, content = self._tokens[token]
            if before != asked:
                mismatch = {"code": "IdempotentParameterMismatch", "message": "another request had this token"}
                return "400 Bad Request", _error(mismatch)
            return "200 OK", content
        status, content = self._from_moto(environ, body)
        if token and status.startswith("200"):
            self._tokens[token] = (asked, content)
        return status, content

    def _from_moto(self, environ: dict[str, Any], body: bytes) -> tuple[str, bytes]:

        said: list[str] = []
        answer = self._inner(
            {**environ, "wsgi.input": io.BytesIO(body)}, lambda status, headers, *_: said.append(status)
        )
        return said[0], b"".join(answer)

    def _fault(self, action: str) -> dict[str, Any] | None:
        with self._lock:
            for fault in self._faults:
                if fault["action"] == action and fault["times"] > 0:
                    fault["times"] -= 1
                    return fault
        return None


def _error(fault: dict[str, Any]) -> bytes:
    return _ERROR.format(code=fault["code"], message=fault.get("message", "as told")).encode()


def _answer(start: Start, status: str, content: bytes) -> list[bytes]:
    start(status, [("Content-Type", "text/xml"), ("Content-Length", str(len(content)))])
    return [content]


def main() -> None:
    """Until the process is ended."""
    import waitress
    from moto.server import DomainDispatcherApplication, create_backend_app

    host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    served = waitress.create_server(Server(DomainDispatcherApplication(create_backend_app)), host=host, port=0)
    print(served.effective_port, flush=True)
    served.run()


if __name__ == "__main__":
    main()

"""A pretend API for the command line: what the real one promises on the wire, without a socket."""

from __future__ import annotations

import io
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from click.testing import CliRunner, Result
from requests.adapters import BaseAdapter

from prominence.cli.follow import Clock
from prominence.cli.main import command_line
from prominence.cli.surroundings import Surroundings
from prominence.core import error_reasons
from prominence.core.error_reasons import ErrorReason

URL = "http://api.test/prominence/v1"
TOKEN = "a.b.c"
NOON = 1_700_000_000
NOWHERE = Path("/nowhere")
"""Where commands run."""


def a_described_job(job_id: int | str = 12, status: str = "running", **changes: Any) -> dict[str, Any]:
    """A job as the API describes it."""
    job = {
        "id": job_id,
        "name": "hello",
        "status": status,
        "tasks": [{"image": "python:3.12", "cmd": "python -c 'print(1)'"}],
        "resources": {"nodes": 1, "cpus": 2, "memory": 1.5, "disk": 10},
        "events": {"createTime": NOON - 90},
    }
    return job | changes


AN_ARRAY = {
    "id": 17,
    "name": "fit",
    "count": 20,
    "labels": {"app": "x"},
    "statuses": {"running": 1, "completed": 19},
    "events": {"createTime": NOON},
}


@dataclass(frozen=True)
class Turn:
    """What a scripted job has come to when it is asked for. Output comes just before, or just after the answer."""

    job: Mapping[str, Any]
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_after: bytes = b""
    starts_again: bool = False


@dataclass
class FakeApi(BaseAdapter):
    """The API. turns: of the one job that is asked for; the last stays. arrays: the one array, each time that it is
    asked for; the last stays. chunk: the most that one read gives. waits: it can wait for news, and there are some at
    once."""

    turns: Sequence[Turn] = ()
    arrays: Sequence[Mapping[str, Any]] = ()
    listed: Sequence[Any] = ()
    chunk: int = 1_000_000
    waits: bool = False
    instead: deque[Callable[[requests.PreparedRequest], requests.Response]] = field(default_factory=deque)
    """Answers given first, whatever is asked."""
    asked: list[requests.PreparedRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._turn = -1
        self._arrays = deque(self.arrays or [AN_ARRAY])
        self._written = {"stdout": b"", "stderr": b""}

    @property
    def paths(self) -> list[str]:
        """Method, path and query of all requests, without the base path."""
        return [f"{request.method} {str(request.url).removeprefix(URL)}" for request in self.asked]

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.asked.append(request)
        if self.instead:
            return self.instead.popleft()(request)
        parts = urlsplit(str(request.url))
        words = parts.path.removeprefix(urlsplit(URL).path).strip("/").split("/")
        match request.method, words:
            case "POST", ["jobs"]:
                return answer(request, 201, {"id": 12})
            case "GET", ["jobs"]:
                return answer(request, 200, self.listed)
            case "GET", ["jobs", _]:
                told = self._describe()
                return answer(request, 200, told, {"ETag": f'"{self._turn}"'} if self.waits else {})
            case "GET", ["jobs", _, stream]:
                offset = int(dict(parse_qsl(parts.query))["offset"])
                written = self._written[stream][: offset + self.chunk]
                return answer(request, 200, written[offset:], {"X-Prominence-Offset": str(len(written))})
            case "POST", ["arrays"]:
                return answer(request, 201, {"id": 17, "count": 20})
            case "GET", ["arrays"]:
                return answer(request, 200, [AN_ARRAY])
            case "GET", ["arrays", "17"]:
                return answer(request, 200, self._arrays.popleft() if len(self._arrays) > 1 else self._arrays[0])
            case "GET", ["arrays", "17", "jobs"]:
                return answer(request, 200, self.listed)
            case "DELETE" | "PUT", ["arrays", "17", *_]:
                return answer(request, 200, {})
            case "PUT", ["jobs", "12", "clone"]:
                return answer(request, 201, {"id": 13})
            case "DELETE" | "PATCH", ["jobs", "12" | "17.3" | "..%2Farrays%2F17"]:
                return answer(request, 200, {})
            case "PUT", ["jobs", "12" | "17.3", _]:
                return answer(request, 200, {})
        return refused(400, "No such job.", ErrorReason.NOT_FOUND)(request)

    def close(self) -> None:
        pass

    def _describe(self) -> list[Any]:
        if not self.turns:
            return []
        if self._turn >= 0:
            self._written["stdout"] += self.turns[self._turn].stdout_after
        if self._turn + 1 < len(self.turns):
            self._turn += 1
            turn = self.turns[self._turn]
            if turn.starts_again:
                self._written = {"stdout": b"", "stderr": b""}
            self._written["stdout"] += turn.stdout
            self._written["stderr"] += turn.stderr
        return [self.turns[self._turn].job]


def answer(
    request: requests.PreparedRequest, status: int, body: Any, headers: Mapping[str, str] | None = None
) -> requests.Response:
    """An HTTP answer. body: bytes as they are, anything else as JSON."""
    response = requests.Response()
    response.status_code, response.request, response.url = status, request, str(request.url)
    response.headers.update(headers or {})
    response.raw = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
    return response


def refusing(status: int, body: Any, **headers: str) -> Callable[[requests.PreparedRequest], requests.Response]:
    """An answer to put into `FakeApi.instead`."""
    return lambda request: answer(request, status, body, headers)


def refused(
    status: int, sentence: str, reason: ErrorReason | None = None, **headers: str
) -> Callable[[requests.PreparedRequest], requests.Response]:
    """The same, of one of the API's refusals. reason: None: the one that mostly comes with this status."""
    return refusing(status, error_reasons.body(sentence, reason or error_reasons.of_status(status)), **headers)


def failing(error: Exception) -> Callable[[requests.PreparedRequest], requests.Response]:
    """No answer."""

    def fail(_: requests.PreparedRequest) -> requests.Response:
        raise error

    return fail


def a_session(api: FakeApi) -> requests.Session:
    """A session that reaches only the pretend API."""
    session = requests.Session()
    session.mount("http://", api)
    session.mount("https://", api)
    return session


@dataclass
class PretendClock:
    """Time that passes only by sleeping. naps: how long each was; interrupted_at: the nap that Ctrl-C ends."""

    naps: list[float] = field(default_factory=list)
    interrupted_at: int | None = None

    @property
    def clock(self) -> Clock:
        """As the code under test takes it."""
        return Clock(now=lambda: sum(self.naps), sleep=self._sleep)

    def _sleep(self, length: float) -> None:
        if self.interrupted_at == len(self.naps):
            raise KeyboardInterrupt
        self.naps.append(length)


def run_command(
    api: FakeApi,
    *words: str,
    clock: PretendClock | None = None,
    stdin: str | bytes = "",
    environment: Mapping[str, str] | None = None,
) -> Result:
    """`prominence WORDS` against the pretend API. stderr of a test is no terminal."""
    surroundings = Surroundings(
        environment={"PROMINENCE_URL": URL, "PROMINENCE_TOKEN": TOKEN} if environment is None else environment,
        directory=NOWHERE,
        home=Path("/nowhere"),
        user_id=0,
        clock=(clock or PretendClock()).clock,
        today=lambda: NOON,
        session=a_session(api),
    )
    return CliRunner().invoke(command_line, list(words), obj=surroundings, input=stdin)

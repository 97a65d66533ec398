"""The REST API as Python: one method per call, plain documents in and out, the errors of `prominence.cli.errors`."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, NewConnectionError, ReadTimeoutError
from urllib3.util.retry import Retry

from prominence.cli.errors import ApiError, ClientError, NoSuchJob, TokenRefused, Unreachable
from prominence.cli.view import Job

if TYPE_CHECKING:
    from urllib3.connectionpool import ConnectionPool
    from urllib3.response import BaseHTTPResponse

Stream = Literal["stdout", "stderr"]
Sink = Callable[[bytes], object]

_CONNECT_S, _READ_S = 10, 60
_PIECE = 64 * 1024
_NOT_NOW = frozenset({502, 503, 504})


class ProminenceClient:
    """One API, one identity. `url` ends with the API's base path: https://host/prominence/v1."""

    def __init__(self, url: str, token: str, session: requests.Session | None = None) -> None:
        self._url = url.rstrip("/")
        self._session = session or _session(self._url)
        self._session.auth = _Bearer(token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def create_job(self, spec: Mapping[str, Any]) -> int:
        """Submit a job; its id. Not repeated by itself, since the API would make a second job of it."""
        try:
            body = json.dumps(spec, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ClientError(f"The job cannot be written as JSON: {error}.") from error
        answer = self._call("POST", "/jobs", body=body)
        match answer:
            case {"id": int(job_id)}:
                return job_id
        raise self._strange()

    def jobs(
        self,
        *,
        completed: bool = False,
        everything: bool = False,
        status: str | None = None,
        name: str | None = None,
        constraints: Iterable[tuple[str, str]] = (),
        num: int | None = None,
    ) -> list[Job]:
        """Jobs in the queue; with `completed` the newest `num` that have ended; with `everything` both.

        constraints: labels that a job must have, all of them.
        """
        query = [("constraint", f"{key}={value}") for key, value in constraints]
        query += [("completed", "true")] if completed else []
        query += [("all", "true")] if everything else []
        query += [(key, value) for key, value in (("status", status), ("name", name)) if value is not None]
        query += [("num", str(num))] if num is not None else []
        return self._documents(self._call("GET", "/jobs", query=query))

    def job(self, job_id: int) -> Job:
        """One job with all that is known of it. Raises NoSuchJob."""
        found = self._documents(self._call("GET", f"/jobs/{job_id}"))
        if not found:
            raise NoSuchJob(job_id)
        return found[0]

    def delete_job(self, job_id: int) -> None:
        """Take a job out of the queue, ending it if it runs."""
        self._send("DELETE", f"/jobs/{job_id}")

    def output(self, job_id: int, stream: Stream, sink: Sink, offset: int = 0) -> int | None:
        """Give what `stream` holds from byte `offset` on to `sink`, piece by piece.

        Where to go on, if the API says so. Less than `offset`: the job has started again and written less so far.
        """
        response = self._send("GET", f"/jobs/{job_id}/{stream}", query=[("offset", str(offset))], as_it_comes=True)
        with response:
            try:
                for piece in response.iter_content(_PIECE):
                    sink(piece)
            except (requests.RequestException, HTTPError) as error:
                raise self._unreachable(error) from error
        said = response.headers.get("X-Prominence-Offset", "")
        return int(said) if said.isascii() and said.isdigit() else None

    def _documents(self, answer: Any) -> list[Job]:
        if not isinstance(answer, list) or not all(isinstance(document, dict) for document in answer):
            raise self._strange()
        return answer

    def _call(self, method: str, path: str, query: Iterable[tuple[str, str]] = (), body: bytes | None = None) -> Any:
        response = self._send(method, path, query, body)
        try:
            return response.json()
        except (ValueError, RecursionError) as error:
            raise self._strange() from error

    def _send(
        self,
        method: str,
        path: str,
        query: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        as_it_comes: bool = False,
    ) -> requests.Response:
        """The answer to a request, if it is a good one."""
        try:
            response = self._session.request(
                method,
                self._url + path,
                params=list(query),
                data=body,
                headers={"Content-Type": "application/json"} if body is not None else {},
                timeout=(_CONNECT_S, _READ_S),
                allow_redirects=False,  # the token is for this address only
                stream=as_it_comes,
            )
        except (requests.RequestException, HTTPError) as error:
            raise self._unreachable(error, sent=body is not None and _was_sent(error)) from error
        if response.status_code not in (200, 201, 204):
            with response:
                raise self._refusal(response)
        return response

    def _refusal(self, response: requests.Response) -> ClientError:
        status, said = response.status_code, _error_of(response)
        if status in _NOT_NOW:
            return Unreachable(f"The API at {self._url} cannot work at the moment: {said or f'HTTP {status}'}.")
        if status == 401:
            return TokenRefused(status, f"The API at {self._url} does not accept the token: {said or 'HTTP 401'}.")
        if response.is_redirect:
            target = response.headers["Location"]
            return ApiError(status, f"{self._url} has moved to {target}; set PROMINENCE_URL to the new address.")
        if not said:
            return ApiError(status, f"{self._url} answers with HTTP {status}; is it the address of a PROMINENCE API?")
        return ApiError(status, said)

    def _strange(self) -> ApiError:
        return ApiError(200, f"The answer of {self._url} is not one that a PROMINENCE API gives; is the address right?")

    def _unreachable(self, error: Exception, sent: bool = False) -> Unreachable:
        sentence = f"The API at {self._url} does not answer: {_why(error)}."
        if sent:
            sentence += " The job may have been created all the same: see `prominence list` before you try again."
        elif _is_here(self._url):
            sentence += " If it is your personal pool, `prominence pool status` says what is wrong."
        return Unreachable(sentence)


class _Bearer(AuthBase):
    """Our token, always: without an auth object requests would prefer what ~/.netrc has for the host."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class ShortPatience(Retry):
    """Retries over a restart of the API. Only what cannot do harm twice: a GET, or what was never sent."""

    LONGEST_S = 30

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """What the API asks for, as far as a person at a terminal would wait."""
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, self.LONGEST_S)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """What took a minute without an answer would take another: only quick failures are tried again."""
        if isinstance(error, ReadTimeoutError):
            raise error
        return super().increment(method, url, response, error, _pool, _stacktrace)


def patience() -> ShortPatience:
    """Five tries in about 15 s, as a restarting API needs; less where nobody listens, to say so soon."""
    return ShortPatience(
        total=5,
        connect=2,
        backoff_factor=0.5,
        allowed_methods=frozenset({"GET"}),
        status_forcelist=_NOT_NOW,
        raise_on_status=False,
    )


def _session(url: str) -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=patience()))
    session.headers["User-Agent"] = "prominence-htc"
    # A proxy in the environment is for the world outside; what listens on this machine is not reachable through it.
    session.trust_env = not _is_here(url)
    return session


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


def _error_of(response: requests.Response) -> str:
    """The API's own sentence, without its full stop; "" when the body is not one of ours."""
    try:
        match response.json():
            case {"error": str(said)}:
                return said.strip().rstrip(".")
    except (ValueError, RecursionError, requests.RequestException):
        pass
    return ""


def _was_sent(error: BaseException) -> bool:
    """Whether the API may have seen the request although no answer came."""
    never = (requests.ConnectTimeout, requests.exceptions.SSLError, requests.exceptions.ProxyError)
    if isinstance(error, never) or not isinstance(error, requests.ConnectionError | requests.Timeout):
        return False
    return not any(isinstance(cause, NewConnectionError) for cause in _causes(error))


def _why(error: BaseException) -> str:
    """The operating system's word for what went wrong, from beneath the libraries' wrapping."""
    if isinstance(error, requests.Timeout):
        return f"nothing came within {_CONNECT_S if isinstance(error, requests.ConnectTimeout) else _READ_S} s"
    words = (str(cause.strerror) for cause in _causes(error) if isinstance(cause, OSError) and cause.strerror)
    why = next(words, "the connection broke")
    return f"{why}, for the proxy" if isinstance(error, requests.exceptions.ProxyError) else why


def _causes(error: BaseException) -> Iterable[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__

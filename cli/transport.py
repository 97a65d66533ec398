"""Requests to the API and its answers: one session, one token, every failure one of `prominence.cli.errors`."""

from __future__ import annotations

import ipaddress
import json
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, NewConnectionError, ReadTimeoutError
from urllib3.util.retry import Retry

from prominence.cli.errors import ApiError, ClientError, TokenRefused, Unreachable
from prominence.cli.refusals import refusal_of
from prominence.core.error_reasons import PASSING

if TYPE_CHECKING:
    from urllib3.connectionpool import ConnectionPool
    from urllib3.response import BaseHTTPResponse

Query = Iterable[tuple[str, str]]
Token = str | Callable[[], str]
"""A token, or who knows one that is still good."""

IDEMPOTENCY_KEY = "Idempotency-Key"
"""By what it says the API knows a request again that it has seen before, and does not do it twice."""

_CONNECT_S, _READ_S = 10, 60
_NOT_NOW = frozenset({502, 503, 504})
_NOT_ANSWERED = frozenset({502, 504})
"""What a proxy says that has passed a request on, and heard nothing."""
_PERHAPS = "It may have done all the same what it was asked: look before you try again."


class Transport:
    """One API, one identity. `url` ends with the API's base path: https://host/prominence/v1."""

    def __init__(self, url: str, token: Token, session: requests.Session | None = None) -> None:
        self._url = url.rstrip("/")
        self._session = session or _session(self._url)
        self._session.auth = _Bearer(token)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def call(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON that a request is answered with."""
        return self.read(self.send(method, path, query, body, headers))

    def read(self, response: requests.Response) -> Any:
        """The JSON in an answer."""
        try:
            return response.json(parse_int=_whole_number)
        except (ValueError, RecursionError) as error:
            raise self.strange() from error

    def document(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """The object that a request is answered with."""
        answer = self.call(method, path, body=body)
        if not isinstance(answer, dict):
            raise self.strange()
        return answer

    def create(self, path: str, document: Mapping[str, Any], idempotency_key: str | None) -> int:
        """Have something made of a document; its id. One is made, however often the request must be repeated."""
        try:
            body = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ClientError(f"The job cannot be written as JSON: {error}.") from error
        return self.id(
            self.call("POST", path, body=body, headers={IDEMPOTENCY_KEY: idempotency_key or str(uuid.uuid4())})
        )

    def id(self, answer: Any) -> int:
        """What an answer calls a thing that was made."""
        match answer:
            case {"id": int(number)}:
                return number
        raise self.strange()

    def send(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        as_it_comes: bool = False,
    ) -> requests.Response:
        """The answer to a request, if it is a good one."""
        if not {".", ".."}.isdisjoint(path.split("/")):
            # They would be resolved on the way, and something else be meant.
            raise ClientError(f"{unquote(path)} is not asked for: it must not hold . or .. between slashes.")
        try:
            response = self._session.request(
                method,
                self._url + path,
                params=list(query),
                data=body,
                headers={**({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})},
                timeout=(_CONNECT_S, _READ_S),
                allow_redirects=False,  # the token is for this address only
                stream=as_it_comes,
            )
        except (requests.RequestException, HTTPError) as error:
            raise self.unreachable(error, sent=method != "GET" and _was_sent(error)) from error
        if response.status_code not in (200, 201, 204, 304):
            with response:
                raise self._refusal(response)
        return response

    def _refusal(self, response: requests.Response) -> ClientError:
        status, (said, word) = response.status_code, refusal_of(response)
        if status in _NOT_NOW:
            sentence = f"The API at {self._url} cannot work at the moment: {said or f'HTTP {status}'}."
            perhaps = status in _NOT_ANSWERED and not word and response.request.method != "GET"
            return Unreachable(f"{sentence} {_PERHAPS}" if perhaps else sentence, word)
        if word in PASSING:
            return Unreachable(f"The API at {self._url} does not do that now: {said}.", word)
        if status == 401:
            sentence = f"The API at {self._url} does not accept the token: {said or 'HTTP 401'}."
            return TokenRefused(status, sentence, word)
        if response.is_redirect:
            target = response.headers["Location"]
            return ApiError(status, f"{self._url} has moved to {target}; set PROMINENCE_URL to the new address.")
        if not said:
            return ApiError(status, f"{self._url} answers with HTTP {status}; is it the address of a PROMINENCE API?")
        return ApiError(status, said, word)

    def strange(self) -> ApiError:
        """For an answer that is none of the API's."""
        return ApiError(200, f"The answer of {self._url} is not one that a PROMINENCE API gives; is the address right?")

    def unreachable(self, error: Exception, sent: bool = False) -> Unreachable:
        """For no answer. sent: the request asked for a change, and may have been heard."""
        sentence = f"The API at {self._url} does not answer: {_why(error)}."
        if sent:
            sentence += f" {_PERHAPS}"
        elif is_here(self._url):
            sentence += " If it is your personal pool, `prominence pool status` says what is wrong."
        return Unreachable(sentence)


class _Bearer(AuthBase):
    """Our token, always: without an auth object requests would prefer what ~/.netrc has for the host."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._token if isinstance(self._token, str) else self._token()
        request.headers["Authorization"] = f"Bearer {token}"
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


def patience(*more_methods: str, connect: int = 2, status: int = 5) -> ShortPatience:
    """Five tries in about 15 s, as a restarting API needs; less where nobody listens, to say so soon."""
    return ShortPatience(
        total=None,
        connect=connect,
        read=5,
        other=5,
        status=status,
        backoff_factor=0.5,
        allowed_methods=frozenset({"GET", *more_methods}),
        status_forcelist=_NOT_NOW,
        raise_on_status=False,
    )


KNOWN_AGAIN = patience("POST", connect=5, status=8)
"""An API that was killed with such a request in hand takes it up again after a minute, and says when."""


class _Patient(BaseAdapter):
    """Tries again what can do no harm twice: what reads, and what the API knows again by its key."""

    def __init__(self) -> None:
        super().__init__()
        self._reads = HTTPAdapter(max_retries=patience())
        self._known_again = HTTPAdapter(max_retries=KNOWN_AGAIN)

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        adapter = self._known_again if IDEMPOTENCY_KEY in request.headers else self._reads
        return adapter.send(request, *arguments, **options)

    def close(self) -> None:
        self._reads.close()
        self._known_again.close()


def _session(url: str) -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Patient())
    session.headers["User-Agent"] = "prominence-htc"
    # A proxy in the environment is for the world outside; what listens on this machine is not reachable through it.
    session.trust_env = not is_here(url)
    return session


def web(url: str, session: requests.Session | None = None) -> requests.Session:
    """For an address that says all by itself: nothing of ours goes with a request."""
    found = session or requests.Session()
    found.trust_env = not is_here(url)
    return found


def is_here(url: str) -> bool:
    """Whether it is an address of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


def _whole_number(text: str) -> int:
    """Raises ValueError for one that cannot be reckoned with, since no float is as large."""
    if len(text) > sys.float_info.max_10_exp:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _was_sent(error: BaseException) -> bool:
    """Whether the API may have seen the request although no answer came."""
    never = (requests.ConnectTimeout, requests.exceptions.SSLError, requests.exceptions.ProxyError)
    begun = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)
    if isinstance(error, begun):
        return True  # its answer broke off
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

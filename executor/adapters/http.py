"""The web with the standard library: `Web` and `Objects` over HTTP.

What users name as artifacts is fetched from where the worker is, so their addresses are checked after each name was
looked up, redirects included: nobody gets at what listens on the worker itself, or at a cloud's metadata service.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import json
import os
import socket
import ssl
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Dict, Iterator, Optional
from urllib.parse import urlsplit

from prominence.executor.ports import Interrupted, Stop
from prominence.executor.transfer import Address, QuotaReached, Refused, TransferFailed

TIMEOUT_S = 60.0
_PIECE = 1024 * 1024
_LONGEST_SENTENCE = 300
_OUT_OF_SPACE = 507
_PASSING = frozenset({408, 425, 429})
"""Of the statuses that blame the one who asks, those that may change by themselves."""


class HttpWeb:
    """checks: whether addresses on the worker itself are refused. trusted: a base address that is never checked, the
    API's own; it is reached without a proxy.
    """

    def __init__(self, trusted: str = "", checks: bool = True) -> None:
        self._trusted = urlsplit(trusted).netloc
        self._direct = _opener(proxies=False, checks=False)
        self._world = _opener(proxies=True, checks=checks)

    def get(self, address: Address, file: Path, most: Optional[int], stop: Stop) -> None:
        have = file.stat().st_size if file.exists() else 0
        headers = dict(address.headers)
        tag = _Tag(file)
        if have and tag.value:
            headers.update({"Range": f"bytes={have}-", "If-Range": tag.value})
        with self._answer(_request(address.url, headers)) as answer:
            goes_on = answer.status == 206 and _begins_at(answer, have)
            if answer.status == 206 and not goes_on:
                raise TransferFailed("the server sent another part than was asked for")
            tag.value = answer.headers.get("ETag", "")
            with _writing(file, "ab" if goes_on else "wb") as opened:
                _copy(answer, opened, have if goes_on else 0, most, stop)
        tag.forget()
        _check(file, address)

    def put(self, address: Address, file: Path, stop: Stop) -> None:
        size = os.stat(file).st_size
        headers = {"Content-Type": "application/octet-stream", **address.headers, "Content-Length": str(size)}
        with open(file, "rb") as opened:
            content: Any = _Watched(opened, stop) if size else b""
            request = _request(address.url, headers, content, "PUT")
            with self._answer(request):
                pass

    def ask(self, url: str, token: str, wanted: Dict[str, Any]) -> Dict[str, Any]:
        """What the API answers to a question in JSON."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = _request(url, headers, json.dumps(wanted).encode(), "POST")
        with self._answer(request) as answer:
            try:
                told = json.loads(answer.read(_PIECE))
            except ValueError as error:
                raise TransferFailed("the API does not answer in JSON") from error
        if not isinstance(told, dict) or not isinstance(told.get("url"), str):
            raise TransferFailed("the API does not tell an address")
        return told

    @contextmanager
    def _answer(self, request: urllib.request.Request) -> Iterator[Any]:
        ours = urlsplit(request.full_url).netloc == self._trusted
        try:
            with (self._direct if ours else self._world).open(request, timeout=TIMEOUT_S) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            raise _refusal(error) from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, _Forbidden):
                raise Refused(str(error.reason)) from error
            raise TransferFailed(_why(error.reason)) from error
        except (http.client.HTTPException, OSError) as error:
            raise TransferFailed(_why(error)) from error
        except ValueError as error:  # an address, or a redirect to one, that is none
            raise Refused("it is not a web address") from error


class HttpObjects:
    """`Objects`: trades the job's token for addresses, at the moment of use."""

    def __init__(self, web: HttpWeb, api: str, token: str) -> None:
        self._web, self._api, self._token = web, api.rstrip("/"), token

    def to_get(self, name: str) -> Address:
        told = self._web.ask(f"{self._api}/data/input", self._token, {"name": name})
        return Address(told["url"], size=told.get("size"), sha256=told.get("sha256"))

    def to_put(self, name: str, size: int, sha256: str) -> Address:
        told = self._web.ask(f"{self._api}/data/output", self._token, {"name": name, "size": size, "sha256": sha256})
        return Address(told["url"], headers=dict(told.get("headers", {})))


class _Tag:
    """The entity tag of a file that has arrived in part, kept beside it: a part of another file is worth nothing."""

    def __init__(self, file: Path) -> None:
        self._file = file.with_name(f".{file.name[:200]}.tag")

    @property
    def value(self) -> str:
        try:
            return self._file.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    @value.setter
    def value(self, tag: str) -> None:
        # A weak tag says that two files mean the same, not that their bytes are.
        self._file.write_text(tag if tag.startswith('"') and tag.isascii() and tag.isprintable() else "", "utf-8")

    def forget(self) -> None:
        self._file.unlink()


class _Forbidden(OSError):
    """There, no artifact is fetched from."""


def _checked_connection(address: Any, timeout: Any = None, source_address: Any = None) -> socket.socket:
    """As `socket.create_connection`, to none but addresses where artifacts may be."""
    host, port = address
    last: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, place in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM):
        if not may_be_fetched_from(str(place[0])):
            raise _Forbidden("its address is one that nothing is fetched from")
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(timeout)
            connection.connect(place)
            return connection
        except OSError as error:
            connection.close()
            last = error
    raise last


def may_be_fetched_from(address: str) -> bool:
    """Whether artifacts may come from there: neither the worker itself, nor a metadata service, nor nowhere."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return not (ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast)


class _Plain(http.client.HTTPConnection):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._create_connection = _checked_connection


class _Secure(http.client.HTTPSConnection):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._create_connection = _checked_connection


class _PlainHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_Plain, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_Secure, req, context=ssl.create_default_context())


def _opener(proxies: bool, checks: bool) -> urllib.request.OpenerDirector:
    """Of the web only: no files, no FTP."""
    opener = urllib.request.OpenerDirector()
    plain, secure = urllib.request.HTTPHandler(), urllib.request.HTTPSHandler(context=ssl.create_default_context())
    for handler in (
        urllib.request.ProxyHandler(None if proxies else {}),
        _PlainHandler() if checks else plain,
        _SecureHandler() if checks else secure,
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _request(url: str, headers: Dict[str, str], data: Any = None, method: str = "GET") -> urllib.request.Request:
    try:
        urlsplit(url)
        return urllib.request.Request(url, data=data, headers=headers, method=method)
    except ValueError as error:
        raise Refused("it is not a web address") from error


class _Watched:
    """A file to be sent, of which no more is read when we are told to stop."""

    def __init__(self, file: IO[bytes], stop: Stop) -> None:
        self._file, self._stop = file, stop

    def read(self, size: int = -1) -> bytes:
        if self._stop.requested:
            raise Interrupted
        return self._file.read(size)


def _copy(answer: Any, file: IO[bytes], size: int, most: Optional[int], stop: Stop) -> None:
    length = answer.headers.get("Content-Length")
    expected = size + int(length) if length is not None and length.isdigit() else None
    if most is not None and expected is not None and expected > most:
        raise Refused(f"it has {expected} bytes, and the job's disk has room for {most}")
    while True:
        piece = answer.read(_PIECE)
        if not piece:
            break
        if stop.requested:
            raise Interrupted
        size += len(piece)
        if most is not None and size > most:
            raise Refused(f"it has more bytes than the {most} that the job's disk has room for")
        file.write(piece)
    if expected is not None and size < expected:
        raise TransferFailed("the connection broke")


def _check(file: Path, address: Address) -> None:
    """Raises TransferFailed, with nothing left of it, for what is not the file that was meant."""
    right = address.size is None or file.stat().st_size == address.size
    if right and address.sha256 is not None:
        digest = hashlib.sha256()
        with open(file, "rb") as opened:
            for piece in iter(lambda: opened.read(_PIECE), b""):
                digest.update(piece)
        right = digest.hexdigest() == address.sha256
    if not right:
        file.unlink()
        raise TransferFailed("what arrived is not what was stored")


def _begins_at(answer: Any, offset: int) -> bool:
    return str(answer.headers.get("Content-Range", "")).startswith(f"bytes {offset}-")


@contextmanager
def _writing(file: Path, mode: str) -> Iterator[IO[bytes]]:
    try:
        opened = open(file, mode)  # noqa: SIM115 - closed below
    except OSError as error:
        raise Refused(f"it cannot be written: {error.strerror}") from error
    with opened:
        yield opened


def _refusal(error: urllib.error.HTTPError) -> TransferFailed:
    said = _sentence(error) or f"the server says {error.code} {error.reason}"
    if error.code == _OUT_OF_SPACE:
        return QuotaReached(said)
    if error.code == 413:
        return QuotaReached(said)
    if 400 <= error.code < 500 and error.code not in _PASSING:
        return Refused(said)
    return TransferFailed(said)


def _sentence(error: urllib.error.HTTPError) -> str:
    """What the API says; nothing of what another server says, which may be a page."""
    try:
        told = json.loads(error.read(64 * 1024))
    except (ValueError, OSError, http.client.HTTPException):
        return ""
    said = told.get("error") if isinstance(told, dict) else None
    return said.rstrip(".")[:_LONGEST_SENTENCE] if isinstance(said, str) else ""


def _why(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "the server did not answer in time"
    if isinstance(error, socket.gaierror):
        return "there is no server of that name"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:_LONGEST_SENTENCE]

"""The web with the standard library: `Web` and `Objects` over HTTP.

What users name as artifacts is fetched from where the worker is, so their addresses are checked after each name was
looked up, redirects included: nobody gets at what listens on the worker itself, or at a cloud's metadata service.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import socket
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Dict, Iterator, List, Optional, Tuple
from urllib.parse import urlsplit

from prominence.core import tracing
from prominence.core.error_reasons import ErrorReason
from prominence.executor import fulldisk
from prominence.executor.adapters.addresses import Forbidden, opener
from prominence.executor.adapters.hashed import Pieces, Sending, Sha256, Uncounted, reckoning
from prominence.executor.ports import Interrupted, Stop
from prominence.executor.transfer import Address, AddressRefused, NotThere, QuotaReached, Refused, TransferFailed

TIMEOUT_S = 60.0
_SHA256 = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_LONGEST_SENTENCE = 300
_LONGEST_ANSWER = 8 * 1024 * 1024
_OUT_OF_SPACE = 507
_PASSING = frozenset({408, 425, 429})
"""Of the statuses that blame the one who asks, those that may change by themselves."""


class HttpWeb:
    """checks: whether addresses on the worker itself are refused. trusted: a base address that is never checked, the
    API's own; it is reached without a proxy. request: the id of the request that the job comes of, for the API's log.
    """

    def __init__(self, trusted: str = "", checks: bool = True, request: str = "") -> None:
        self._trusted = urlsplit(trusted).netloc
        self._trace = {tracing.HEADER: request} if request else {}
        self._direct = opener(proxies=False, checks=False)
        self._world = opener(proxies=True, checks=checks)

    def get(self, address: Address, file: Path, most: Optional[int], stop: Stop) -> str:
        have = file.stat().st_size if file.exists() else 0
        headers = dict(address.headers)
        tag = _Tag(file)
        if have and tag.value:
            headers.update({"Range": f"bytes={have}-", "If-Range": tag.value})
        with self._answer(_request(address.url, headers)) as answer:
            goes_on = answer.status == 206 and _begins_at(answer, have)
            if answer.status == 206 and not goes_on:
                raise TransferFailed("the server sent another part than was asked for")
            came = tag.value = _strong(answer.headers.get("ETag", ""))
            with _hashing(file, goes_on, address) as digest, _writing(file, "ab" if goes_on else "wb") as opened:
                _copy(answer, opened, have if goes_on else 0, most, stop, digest)
        tag.forget()
        _check(file, address, digest)
        return came

    def is_still(self, address: Address, tag: str) -> bool:
        # Not by HEAD: a signed address is for one method.
        request = _request(address.url, {**address.headers, "If-None-Match": tag})
        try:
            with self._answer(request):
                return False
        except _Unchanged:
            return True

    def put(self, address: Address, file: Path, stop: Stop) -> Optional[str]:
        size = os.stat(file).st_size
        headers = {"Content-Type": "application/octet-stream", **address.headers, "Content-Length": str(size)}
        with open(file, "rb", buffering=0) as opened, reckoning(address.tells_checksum) as digest:
            content: Any = Sending(opened, size, digest or Uncounted(), stop) if size else b""
            request = _request(address.url, headers, content, "PUT")
            with self._answer(request) as answer:
                told = str(answer.headers.get("Repr-Digest", ""))
            sha256 = None if digest is None else digest.close()
        if sha256 is not None and base64.b64encode(bytes.fromhex(sha256)).decode() not in _SHA256.findall(told):
            raise TransferFailed("what arrived is not what was sent")
        return sha256

    def tell(self, url: str, token: str, told: Dict[str, Any]) -> None:
        """Tell the API something that it has no answer to."""
        with self._answer(_question(url, token, told, self._trace)):
            pass

    def ask(self, url: str, token: str, wanted: Dict[str, Any]) -> Dict[str, Any]:
        """What the API answers to a question for an address."""
        told = self.look(url, token, wanted)
        if not isinstance(told.get("url"), str):
            raise TransferFailed("the API does not tell an address")
        return told

    def look(self, url: str, token: str, wanted: Dict[str, Any]) -> Dict[str, Any]:
        """What the API answers to a question in JSON."""
        with self._answer(_question(url, token, wanted, self._trace)) as answer:
            try:
                told = json.loads(answer.read(_LONGEST_ANSWER))
            except ValueError as error:
                raise TransferFailed("the API does not answer in JSON") from error
        if not isinstance(told, dict):
            raise TransferFailed("the API does not answer with an object")
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
            if isinstance(error.reason, Forbidden):
                raise Refused(str(error.reason)) from error
            raise TransferFailed(_why(error.reason)) from error
        except (http.client.HTTPException, OSError) as error:
            if isinstance(error, OSError):
                fulldisk.check(error)
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

    def to_put(self, name: str, size: int, sha256: Optional[str]) -> Address:
        wanted = {"name": name, "size": size, **({} if sha256 is None else {"sha256": sha256})}
        told = self._web.ask(f"{self._api}/data/output", self._token, wanted)
        tells = told.get("tells_checksum") is True
        return Address(told["url"], headers=dict(told.get("headers", {})), tells_checksum=tells and sha256 is None)

    def passed(self, number: int, instance: int) -> List[Tuple[str, bool]]:
        found: List[Tuple[str, bool]] = []
        while True:
            wanted = {"number": number, "instance": instance, "after": found[-1][0] if found else ""}
            told = self._web.look(f"{self._api}/data/passed", self._token, wanted)
            try:
                new = [(str(name), bool(one)) for name, one in zip(told["names"], told["directories"])]
                more = bool(told["more"]) and bool(new)
            except (KeyError, TypeError) as error:
                raise TransferFailed("the API does not tell names") from error
            found += new
            if not more:
                return found

    def to_get_passed(self, number: int, instance: int, name: str) -> Address:
        wanted = {"number": number, "instance": instance, "name": name}
        told = self._web.ask(f"{self._api}/data/passed/input", self._token, wanted)
        return Address(told["url"], size=told.get("size"), sha256=told.get("sha256"))

    def checkpoint_to_put(self, size: int, sha256: str) -> Tuple[str, Address]:
        told = self._web.ask(f"{self._api}/data/checkpoint", self._token, {"size": size, "sha256": sha256})
        return str(told.get("name")), Address(told["url"], headers=dict(told.get("headers", {})))

    def checkpoint_is_there(self, name: str) -> None:
        self._web.tell(f"{self._api}/data/checkpoint/latest", self._token, {"name": name})

    def checkpoint_to_get(self) -> Optional[Address]:
        try:
            told = self._web.ask(f"{self._api}/data/checkpoint/restore", self._token, {})
        except NotThere:
            return None
        return Address(told["url"], size=told.get("size"), sha256=told.get("sha256"))


class _Tag:
    """The entity tag of a file that has arrived in part, kept beside it: a part of another file is worth nothing."""

    def __init__(self, file: Path) -> None:
        self._file = file.with_name(f".{os.fsdecode(os.fsencode(file.name)[:200])}.tag")

    @property
    def value(self) -> str:
        try:
            return self._file.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    @value.setter
    def value(self, tag: str) -> None:
        self._file.write_text(tag, "utf-8")

    def forget(self) -> None:
        self._file.unlink()


class _Unchanged(TransferFailed):
    """What is there is what we have."""


def _strong(tag: str) -> str:
    """The tag, unless it is weak: that says that two files mean the same, not that their bytes are."""
    return tag if tag.startswith('"') and tag.isascii() and tag.isprintable() else ""


def _request(url: str, headers: Dict[str, str], data: Any = None, method: str = "GET") -> urllib.request.Request:
    try:
        urlsplit(url)
        return urllib.request.Request(url, data=data, headers=headers, method=method)
    except ValueError as error:
        raise Refused("it is not a web address") from error


def _question(url: str, token: str, content: Dict[str, Any], more: Dict[str, str]) -> urllib.request.Request:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **more}
    return _request(url, headers, json.dumps(content).encode(), "POST")


@contextmanager
def _hashing(file: Path, goes_on: bool, address: Address) -> Iterator[Optional[Sha256]]:
    """The checksum of what there is of the file, and of what comes; None where it is not known what it should be."""
    with reckoning(address.sha256 is not None) as digest:
        if goes_on and digest is not None:
            with open(file, "rb", buffering=0) as opened:
                while size := opened.readinto(room := digest.room()):
                    digest.update(room[:size])
        yield digest


def _copy(answer: Any, file: IO[bytes], size: int, most: Optional[int], stop: Stop, digest: Optional[Sha256]) -> None:
    length = answer.headers.get("Content-Length")
    expected = size + int(length) if length is not None and length.isdigit() else None
    if most is not None and expected is not None and expected > most:
        raise Refused(f"it has {expected} bytes, and the job's disk has room for {most}")
    pieces: Pieces = digest or Uncounted()
    while came := answer.readinto(room := pieces.room()):
        if stop.requested:
            raise Interrupted
        size += came
        if most is not None and size > most:
            raise Refused(f"it has more bytes than the {most} that the job's disk has room for")
        file.write(room[:came])
        pieces.update(room[:came])
    if expected is not None and size < expected:
        raise TransferFailed("the connection broke")


def _check(file: Path, address: Address, digest: Optional[Sha256]) -> None:
    """Raises TransferFailed, with nothing left of it, for what is not the file that was meant."""
    right = address.size is None or file.stat().st_size == address.size
    if not right or (digest is not None and digest.close() != address.sha256):
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
    if error.code == 304:
        return _Unchanged("it is what it was")
    sentence, word = _told(error)
    said = sentence or f"the server says {error.code} {error.reason}"
    if error.code == _OUT_OF_SPACE and word != ErrorReason.NO_ROOM:
        return QuotaReached(said)
    if error.code == 413:
        return QuotaReached(said)
    if error.code == 403:
        return AddressRefused(said)
    if error.code == 404:
        return NotThere(said)
    if 400 <= error.code < 500 and error.code not in _PASSING:
        return Refused(said)
    return TransferFailed(said)


def _told(error: urllib.error.HTTPError) -> Tuple[str, object]:
    """What the API says, and its word; nothing of what another server says, which may be a page."""
    try:
        told = json.loads(error.read(64 * 1024))
    except (ValueError, OSError, http.client.HTTPException):
        return "", ""
    if not isinstance(told, dict) or not isinstance(told.get("error"), str):
        return "", ""
    return told["error"].rstrip(".")[:_LONGEST_SENTENCE], told.get("reasonCode")


def _why(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "the server did not answer in time"
    if isinstance(error, socket.gaierror):
        return "there is no server of that name"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:_LONGEST_SENTENCE]

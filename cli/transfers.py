"""The content of objects to and from the addresses that the API gives out, with nothing but the address."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from prominence.cli.errors import ApiError, ClientError, Unreachable
from prominence.cli.refusals import refusal_of
from prominence.core.error_reasons import PASSING

Progress = Callable[[int], object]
"""Told of the bytes that have gone since it was told the last time."""

TRIES = 6
_PIECE = 256 * 1024
_TIMEOUT_S = (10, 60)
_NOT_NOW = frozenset({408, 425, 429, 500, 502, 503, 504})
"""What a store says when it is busy, or starts again; ours has words."""
_LONGEST_NAME = 255 - len("..part.tag")
"""Bytes of a file's name that can be lengthened."""


@dataclass(frozen=True)
class Address:
    """Where to send an object: by a PUT, or with fields by the POST of a form."""

    url: str
    fields: Mapping[str, str] = field(default_factory=dict)


def checksum(file: Path) -> str:
    """The SHA-256 checksum of what the file holds."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def upload(session: requests.Session, address: Address, file: Path, progress: Progress) -> None:
    """Send the file there. Raises ApiError when it is not taken, Unreachable."""
    with open(file, "rb") as opened:
        size = file.stat().st_size
        if address.fields:
            form = _Form(address.fields, opened, size, progress)
            answer = _send(session, "POST", address.url, form, {"Content-Type": form.content_type})
        else:
            # Of a body of no bytes the library would not say the length.
            body: Any = _Counted(opened, size, progress) if size else b""
            answer = _send(session, "PUT", address.url, body, {"Content-Type": "application/octet-stream"})
    with answer:
        if answer.status_code not in (200, 201, 204):
            raise _refused(answer, f"{file} was not taken")


def download(
    session: requests.Session,
    url: str,
    file: Path,
    progress: Progress,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Fetch into the file, which appears when all has arrived; goes on with what an earlier attempt has left.

    Raises ApiError when it is not to be had, Unreachable after several tries, ClientError while somebody else does it.
    """
    part = _part_of(file)
    with _alone(part, file.name):
        for tried in range(TRIES):
            try:
                _fetch(session, url, part, progress)
            except Unreachable:
                if tried == TRIES - 1:
                    raise
                sleep(2**tried / 2)
            else:
                part.replace(file)
                _tag_of(part).unlink(missing_ok=True)
                return


@contextmanager
def _alone(part: Path, name: str) -> Iterator[None]:
    """Two who went on with the same part would write into each other's."""
    with open(part, "ab") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ClientError(f"{name} is being fetched by another download.") from error
        except OSError:
            pass  # a file system that has no locks
        try:
            yield
        finally:
            if part.exists() and not part.stat().st_size:
                part.unlink()
                _tag_of(part).unlink(missing_ok=True)


def _fetch(session: requests.Session, url: str, part: Path, progress: Progress) -> None:
    have = part.stat().st_size
    tag = _tag_of(part).read_text("utf-8") if have and _tag_of(part).exists() else ""
    headers = {"Range": f"bytes={have}-", "If-Range": tag} if tag else {}
    answer = _send(session, "GET", url, None, {**headers, "Accept-Encoding": "identity"})
    with answer:
        goes_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if answer.status_code == 416 or (answer.status_code == 206 and not goes_on):
            os.truncate(part, 0)  # of another content than the one that is there now
            raise Unreachable(f"{part.name} could not be gone on with.")
        if answer.status_code not in (200, 206):
            raise _refused(answer, "It cannot be had")
        if not goes_on:
            os.truncate(part, 0)  # before the tag of another content is noted
        etag = answer.headers.get("ETag", "")
        _tag_of(part).write_text(etag if etag.startswith('"') else "", "utf-8")
        if goes_on:
            progress(have)
        _write(answer, part, "ab" if goes_on else "wb", progress)


def _write(answer: requests.Response, part: Path, mode: str, progress: Progress) -> None:
    length = answer.headers.get("Content-Length", "")
    arrived = 0
    try:
        with open(part, mode) as opened:
            for piece in answer.iter_content(_PIECE):
                opened.write(piece)
                arrived += len(piece)
                progress(len(piece))
    except (requests.RequestException, HTTPError) as error:
        raise Unreachable("The connection broke in the middle of a file.") from error
    if length.isdigit() and arrived < int(length):
        raise Unreachable("The connection broke in the middle of a file.")


def _part_of(file: Path) -> Path:
    """Beside it; where its own name is too long for that, by the name's checksum."""
    name = os.fsencode(file.name)
    called = file.name if len(name) <= _LONGEST_NAME else hashlib.sha256(name).hexdigest()
    return file.with_name(f".{called}.part")


def _tag_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")


class _NoAuth(AuthBase):
    """The address is the permission: neither our token nor what ~/.netrc has for the host goes with it."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.pop("Authorization", None)
        return request


def _send(session: requests.Session, method: str, url: str, body: Any, headers: dict[str, str]) -> requests.Response:
    try:
        return session.request(method, url, data=body, headers=headers, auth=_NoAuth(), timeout=_TIMEOUT_S, stream=True)
    except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL) as error:
        raise ClientError(f"{url} is not an address that files are kept at.") from error
    except (requests.RequestException, HTTPError) as error:
        raise Unreachable("The object store does not answer, or broke off.") from error


def _refused(answer: requests.Response, what: str) -> ClientError:
    said, reason_code = refusal_of(answer)
    sentence = f"{what}: {said or f'the store says {answer.status_code} {answer.reason}'}."
    if reason_code in PASSING or (not reason_code and answer.status_code in _NOT_NOW):
        return Unreachable(sentence, reason_code)
    return ApiError(answer.status_code, sentence, reason_code)


class _Counted:
    """A file as a request's body."""

    def __init__(self, file: IO[bytes], size: int, progress: Progress) -> None:
        self._file, self._size, self._progress = file, size, progress

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(_PIECE), b"")

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._progress(len(piece))
        return piece


class _Form(_Counted):
    """Fields and a file as multipart/form-data, without ever having the file in memory."""

    def __init__(self, fields: Any, file: IO[bytes], size: int, progress: Progress) -> None:
        boundary = uuid.uuid4().hex
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in fields.items()
        ]
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n\r\n')
        before, after = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()
        self._pieces = [io.BytesIO(before), file, io.BytesIO(after)]
        super().__init__(file, len(before) + size + len(after), progress)

    def read(self, size: int = -1) -> bytes:
        while self._pieces:
            piece = self._pieces[0].read(size)
            if piece:
                self._progress(len(piece))
                return piece
            self._pieces.pop(0)
        return b""

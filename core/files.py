"""Files of a job as a user describes them: what it is given, what it fetches, what it leaves behind."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator

from prominence.core.validation import Strict

MOST_FILES = 1000
"""Of each kind, in one job."""

MOST_MOUNTS = 16

LONGEST_PATH = 700

_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_CONTROL = re.compile(f"[{_CONTROLS}]")
_NO_DOTS = r"(?!\.{1,2}(?:/|$))"
_PATH = rf"{_NO_DOTS}[^/{_CONTROLS}]+(?:/{_NO_DOTS}[^/{_CONTROLS}]+)*"
_WEB = ("http://", "https://")
_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_ADDRESS = rf"^(?:https?://[^/?#\s{_CONTROLS}]+/(?:[^?#\s{_CONTROLS}]*/)?[^/?#\s{_CONTROLS}]+|{_PATH})$"


def _pattern(text: str) -> Any:
    """What a function of ours checks, told to readers of the schema."""
    return Field(json_schema_extra={"pattern": text})


def _a_file_name(name: str) -> str:
    if not name or "/" in name or name in (".", "..") or _CONTROL.search(name):
        raise ValueError('must be the name of a file: not empty, not "." or "..", without / and control characters')
    if len(name.encode("utf-8", "surrogatepass")) > 255:
        raise ValueError("must have at most 255 bytes")
    return name


def _in_the_home(path: str) -> str:
    parts = path.split("/")
    if _CONTROL.search(path) or "" in parts or "." in parts or ".." in parts:
        raise ValueError('must be a path in the job\'s home: relative, without "." or "..", // and control characters')
    return path


def _not_too_many(value: Any) -> Any:
    """Looked at before what is in it."""
    if isinstance(value, list | tuple) and len(value) > MOST_FILES:
        raise ValueError(f"must be at most {MOST_FILES} files, not {len(value)}")
    return value


Item = TypeVar("Item")
Several = Annotated[tuple[Item, ...], BeforeValidator(_not_too_many), Field(json_schema_extra={"maxItems": MOST_FILES})]


def _a_mount_point(text: str) -> str:
    directory, colon, path = text.partition(":")
    if not colon:
        raise ValueError("must be a directory and a path with a colon between them, such as data:/data")
    _a_file_name(directory)
    parts = path.split("/")[1:]
    if not path.startswith("/") or _CONTROL.search(path) or _SPECIAL & set(path) or {"", ".", ".."} & set(parts):
        raise ValueError('its path must be absolute, without "." or "..", // and any of : , \\ "')
    if len(path) > LONGEST_PATH or parts[0] in _KERNELS or path in _TAKEN:
        raise ValueError(f"nothing can be mounted at {path[:100]}")
    return text


_SPECIAL = frozenset(':,\\"')
_KERNELS = frozenset({"proc", "sys", "dev"})
_TAKEN = frozenset({"/home", "/home/user", "/tmp"})
MountPoint = Annotated[
    str,
    AfterValidator(_a_mount_point),
    _pattern(
        rf"^(?!\.{{1,2}}:)[^/:{_CONTROLS}]{{1,255}}:(?!/(?:proc|sys|dev)(?:/|$))(?!/(?:home|home/user|tmp)$)"
        rf"(?:/{_NO_DOTS}[^/:,\\\"{_CONTROLS}]+)+$"
    ),
]
FileName = Annotated[str, AfterValidator(_a_file_name), _pattern(rf"^{_NO_DOTS}[^/{_CONTROLS}]{{1,255}}$")]
HomePath = Annotated[
    str, StringConstraints(max_length=LONGEST_PATH), AfterValidator(_in_the_home), _pattern(f"^{_PATH}$")
]


class InputFile(Strict):
    """A small file that comes with the job, into its home."""

    filename: FileName = Field(description="Its name in the job's home.")
    content: str = Field(
        description="What is in it, in base64.",
        json_schema_extra={"contentEncoding": "base64", "pattern": _BASE64},
    )
    executable: bool = Field(default=False, description="Whether it may be executed.")

    @field_validator("content")
    @classmethod
    def _is_base64(cls, content: str) -> str:
        try:
            base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("is not base64") from error
        return content


class Artifact(Strict):
    """A file that the job fetches into its home before its tasks start; an archive is unpacked there."""

    url: str = Field(
        max_length=2000,
        description="The name of an object, or an address that begins with http:// or https://.",
        json_schema_extra={"pattern": _ADDRESS},
    )
    executable: bool = Field(default=False, description="Whether it may be executed.")
    mountpoint: MountPoint | None = Field(
        default=None,
        description="DIRECTORY:/PATH: this directory of the job's home, which the artifact brings, is at that path.",
    )

    @field_validator("url")
    @classmethod
    def _can_be_fetched(cls, url: str) -> str:
        if _CONTROL.search(url):
            raise ValueError("must not hold control characters")
        if is_web_address(url):
            _check_address(url)
        elif "://" in url:
            raise ValueError("must be the name of an object, or begin with http:// or https://")
        if not file_name(url):
            raise ValueError("must end with the name of a file")
        return url


def is_web_address(url: str) -> bool:
    """Of an artifact: whether it is somewhere in the web and not an object of ours."""
    return url.lower().startswith(_WEB)


def file_name(url: str) -> str:
    """What the file is called in the job's home; "" when the address has no name for it."""
    path = unquote(urlsplit(url).path) if is_web_address(url) else url
    name = posixpath.basename(path)
    return "" if name in (".", "..") or _CONTROL.search(name) or len(name.encode("utf-8", "replace")) > 255 else name


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:  # a port that is no number, an address in brackets that is none
        raise ValueError("is not a web address") from error
    if not parts.hostname or port == 0 or " " in url:
        raise ValueError("is not a web address")

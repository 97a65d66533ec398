"""Files of a job as a user describes them: what it is given, what it fetches, what it leaves behind."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    field_validator,
)

from prominence.core.validation import SPELLING, Spelling, Strict, of_kind

MOST_FILES = 1000
"""Of each kind, in one job."""

MOST_MOUNTS = 16

LONGEST_PATH = 700

_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_CONTROL = re.compile(f"[{_CONTROLS}]")
_NO_DOTS = r"(?!\.{1,2}(?:/|$))"
_PATH = rf"{_NO_DOTS}[^/{_CONTROLS}]+(?:/{_NO_DOTS}[^/{_CONTROLS}]+)*"
PATH_BEFORE = rf"(?:{_NO_DOTS}[^/{_CONTROLS}]+/)*{_NO_DOTS}[^/{_CONTROLS}]*"
"""A relative path without "." and ".." up to its suffix, in a regular expression."""
ADDRESS_BEFORE = rf"https?://[^/?#@\s{_CONTROLS}]+/(?:[^?#\s{_CONTROLS}]*/)?[^/?#\s{_CONTROLS}]*"
"""The same of an address in the web."""
_WEB = ("http://", "https://")
_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_FILE_NAME = 'must be the name of a file: not empty, not "." or "..", without / and control characters'
_HOME_PATH = 'must be a path in the job\'s home: relative, without "." or "..", // and control characters'
_OUTPUT_PATH = (
    'must be a path in the job\'s home, or in what is mounted, without "." or "..", // and control characters'
)
_MOUNT_POINT = "must be a directory and a path with a colon between them, such as data:/data"
_MOUNTED = 'must be absolute, without "." or "..", // and any of : , \\ "'
_ADDRESS = rf"^(?:https?://[^/?#\s{_CONTROLS}]+/(?:[^?#\s{_CONTROLS}]*/)?[^/?#\s{_CONTROLS}]+|{_PATH})$"


def _pattern(text: str, sentence: str) -> Any:
    """What a function of ours checks, told to readers of the schema."""
    return Field(json_schema_extra={"pattern": text, SPELLING: sentence})


def _a_file_name(name: str) -> str:
    if not name or "/" in name or name in (".", "..") or _CONTROL.search(name):
        raise ValueError(_FILE_NAME)
    if len(name.encode("utf-8", "surrogatepass")) > 255:
        raise ValueError("must have at most 255 bytes")
    return name


def _in_the_home(path: str) -> str:
    parts = path.split("/")
    if _CONTROL.search(path) or "" in parts or "." in parts or ".." in parts:
        raise ValueError(_HOME_PATH)
    return path


def _in_the_home_or_mounted(path: str) -> str:
    try:
        _in_the_home(path.removeprefix("/"))
    except ValueError as error:
        raise ValueError(_OUTPUT_PATH) from error
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
        raise ValueError(_MOUNT_POINT)
    _a_file_name(directory)
    _a_path_to_mount_at(path, "its path ")
    return text


def _a_path_to_mount_at(path: str, which: str = "") -> str:
    parts = path.split("/")[1:]
    if not path.startswith("/") or _CONTROL.search(path) or _SPECIAL & set(path) or {"", ".", ".."} & set(parts):
        raise ValueError(f"{which}{_MOUNTED}")
    if len(path) > LONGEST_PATH or parts[0] in _KERNELS or path in _TAKEN:
        raise ValueError(f"nothing can be mounted at {path[:100]}")
    return path


_SPECIAL = frozenset(':,\\"')
_KERNELS = frozenset({"proc", "sys", "dev"})
_TAKEN = frozenset({"/home", "/home/user", "/tmp"})
_MOUNTED_AT = rf"(?!/(?:proc|sys|dev)(?:/|$))(?!/(?:home|home/user|tmp)$)(?:/{_NO_DOTS}[^/:,\\\"{_CONTROLS}]+)+"
MountPoint = Annotated[
    str,
    AfterValidator(_a_mount_point),
    _pattern(rf"^(?!\.{{1,2}}:)[^/:{_CONTROLS}]{{1,255}}:{_MOUNTED_AT}$", _MOUNT_POINT),
]
MountedAt = Annotated[
    str,
    StringConstraints(max_length=LONGEST_PATH),
    AfterValidator(lambda path: _a_path_to_mount_at(path)),
    _pattern(f"^(?!/(?:home/user|tmp)/){_MOUNTED_AT}$", _MOUNTED),
]
FileName = Annotated[str, AfterValidator(_a_file_name), _pattern(rf"^{_NO_DOTS}[^/{_CONTROLS}]{{1,255}}$", _FILE_NAME)]
HomePath = Annotated[
    str, StringConstraints(max_length=LONGEST_PATH), AfterValidator(_in_the_home), _pattern(f"^{_PATH}$", _HOME_PATH)
]
OutputPath = Annotated[
    str,
    StringConstraints(max_length=LONGEST_PATH),
    AfterValidator(_in_the_home_or_mounted),
    _pattern(f"^/?{_PATH}$", _OUTPUT_PATH),
]

Sha256 = Annotated[
    str,
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
    Spelling("[0-9a-f]{64}", "must be a SHA-256 checksum: 64 hexadecimal digits"),
]


class InputFile(Strict):
    """A small file that comes with the job, into its home."""

    filename: FileName = Field(description="Its name in the job's home.")
    content: str = Field(
        description="What is in it, in base64.",
        json_schema_extra={"contentEncoding": "base64", "pattern": _BASE64, SPELLING: "must be base64"},
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
        json_schema_extra={"pattern": _ADDRESS, SPELLING: "must end with the name of a file"},
    )
    executable: bool = Field(default=False, description="Whether it may be executed.")
    mountpoint: MountPoint | None = Field(
        default=None,
        description="DIRECTORY:/PATH: this directory of the job's home, which the artifact brings, is at that path.",
    )

    @field_validator("url")
    @classmethod
    def _can_be_fetched(cls, url: str) -> str:
        if has_controls(url):
            raise ValueError("must not hold control characters")
        if is_web_address(url):
            check_address(url)
        elif "://" in url:
            raise ValueError("must be the name of an object, or begin with http:// or https://")
        if not file_name(url):
            raise ValueError("must end with the name of a file")
        return url


class Passed(Strict):
    """What a job of a workflow is passed by another one: outputs of it, brought before the job's tasks start."""

    model_config = ConfigDict(serialize_by_alias=True)
    ADDED: ClassVar[frozenset[str]] = frozenset({"job", "select", "directory", "executable", "mountpoint"})

    job: str = Field(
        alias="from",
        max_length=512,
        description="The name of the other job, for which this one then waits.",
    )
    select: HomePath | None = Field(
        default=None,
        description="Which of its outputs, by the paths that they had in its home; may hold * and ?. Absent: all.",
    )
    directory: HomePath | None = Field(
        default=None,
        description="The directory of the job's home that they go into. Absent: the home itself; what comes from "
        "several instances goes into a directory with the other job's name.",
    )
    executable: bool = Field(default=False, description="Whether the files may be executed.")
    mountpoint: MountPoint | None = Field(
        default=None,
        description="DIRECTORY:/PATH: this directory of the job's home, which comes with them, is at that path.",
    )


def _kind(one: Any) -> str:
    return _PASSED if isinstance(one, Passed) or (isinstance(one, dict) and "from" in one) else _FETCHED


_FETCHED, _PASSED = of_kind("fetched"), of_kind("passed")
FetchedOrPassed = Annotated[Annotated[Artifact, Tag(_FETCHED)] | Annotated[Passed, Tag(_PASSED)], Discriminator(_kind)]


def is_web_address(url: str) -> bool:
    """Of an artifact: whether it is somewhere in the web and not an object of ours."""
    return url.lower().startswith(_WEB)


def file_name(url: str) -> str:
    """What the file is called in the job's home; "" when the address has no name for it."""
    path = unquote(urlsplit(url).path) if is_web_address(url) else url
    name = posixpath.basename(path)
    return "" if name in (".", "..") or _CONTROL.search(name) or len(name.encode("utf-8", "replace")) > 255 else name


def has_controls(text: str) -> bool:
    """Whether it holds control characters or line breaks."""
    return bool(_CONTROL.search(text))


def check_address(url: str) -> None:
    """Raises ValueError for what is no address in the web, although it begins like one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:  # a port that is no number, an address in brackets that is none
        raise ValueError("is not a web address") from error
    if not parts.hostname or port == 0 or " " in url:
        raise ValueError("is not a web address")

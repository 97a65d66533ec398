"""What a task's image may be: the name of one in a registry, or a file that holds one. Pure.

    python:3.12                           in a registry
    tool.sif, physics/tool.tar.gz         an object that was uploaded
    https://example.org/tool.sif          a file in the web

Files end with .sif or .simg (Apptainer's images) or with .tar, .tar.gz or .tgz (what `docker save` writes). With docker://
before it any name is that of one in a registry.
"""

from __future__ import annotations

import enum
import re
from typing import Any
from urllib.parse import urlsplit

from prominence.core import files
from prominence.core.validation import SPELLING

# Docker's reference grammar: [host[:port]/]path[:tag][@digest]
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]{1,5})?"
_REFERENCE = re.compile(
    rf"(?:docker://)?(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)

LONGEST = 2000
"""Characters; of an address."""
LONGEST_REFERENCE = 512

_SIF = (".sif", ".simg")
_ARCHIVES = (".tar", ".tar.gz", ".tgz")
_SUFFIX = r"\.(?:[sS][iI][fF]|[sS][iI][mM][gG]|[tT][aA][rR](?:\.[gG][zZ])?|[tT][gG][zZ])"

_OBJECT = re.compile(files.PATH_BEFORE + _SUFFIX)
_ADDRESS = files.ADDRESS_BEFORE + _SUFFIX


def _text(pattern: str, longest: int, said: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{pattern}$", "maxLength": longest, SPELLING: f"must be {said}"}


SCHEMA: dict[str, Any] = {
    "anyOf": [
        _text(_REFERENCE.pattern, LONGEST_REFERENCE, "the name of an image in a registry"),
        _text(_OBJECT.pattern, files.LONGEST_PATH, "the name of an object"),
        _text(_ADDRESS, LONGEST, "an address of a file"),
    ]
}
"""Of all of them, as far as a schema can tell it."""


class Kind(enum.Enum):
    """What can run it."""

    REGISTRY = "registry"
    SIF = "sif"
    ARCHIVE = "archive"


def kind(image: str) -> Kind:
    """Of an image that has no `problem`."""
    part = _telling_part(image)
    if part.endswith(_SIF):
        return Kind.SIF
    return Kind.ARCHIVE if part.endswith(_ARCHIVES) else Kind.REGISTRY


def is_object(image: str) -> bool:
    """Whether it is the name of an object."""
    return kind(image) is not Kind.REGISTRY and not files.is_web_address(image)


def shown(image: str) -> str:
    """The image without what may be a secret in its address: it is told in lists, reasons and ads."""
    return re.split(r"[?#]", image, maxsplit=1)[0] if files.is_web_address(image) else image


def problem(image: str) -> str:
    """Why no image can be had by this; "" if nothing is wrong with it."""
    if files.is_web_address(image):
        return _problem_of_address(image)
    if image.startswith("/"):
        return "an image cannot be a file on the job's storage; upload it, or write the address at which it can be had"
    if kind(image) is Kind.REGISTRY:
        if len(image) > LONGEST_REFERENCE:
            return f"must have at most {LONGEST_REFERENCE} characters"
        return "" if _REFERENCE.fullmatch(image) else _NO_NAME
    if len(image) > files.LONGEST_PATH:
        return f"must have at most {files.LONGEST_PATH} characters"
    return "" if _OBJECT.fullmatch(image) else _NO_NAME


_NO_NAME = "not the name of a container image, such as python:3.12 or registry.example.org/group/tool:1.0"


def _problem_of_address(image: str) -> str:
    try:
        files.check_address(image)
        parts = urlsplit(image)
    except ValueError as error:
        return str(error)
    if files.has_controls(image):
        return "must not hold control characters"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user's name or password"
    if kind(image) is Kind.REGISTRY:
        return f"must be the address of a file that ends with {', '.join(_SIF + _ARCHIVES)}"
    return ""


def _telling_part(image: str) -> str:
    """What tells of a file which kind it is; "" of no file. Addresses may go on behind the file's name."""
    if image.startswith("docker://"):
        return ""
    if not files.is_web_address(image):
        return image.lower()
    parts = urlsplit(image).path.lower().split("/")
    return next((part for part in reversed(parts) if part.endswith(_SIF + _ARCHIVES)), "")

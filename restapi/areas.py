"""Names of objects: what users call them, what the store calls them, and whose they are. Pure.

    data.tgz            alice's own        uploads/alice/data.tgz
    physics/data.tgz    of group physics   groups/physics/data.tgz
    out.txt             of a job           scratch/UID/out.txt
    a checkpoint        of a job           checkpoints/UID/NAME

A name with "/" in it is a group's: its first part is the whole name of a group that the caller is in. Users and groups
have folders of their own, so that a group may be called like a user.
"""

from __future__ import annotations

import enum
import hashlib
import unicodedata
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from prominence.core.errors import Forbidden, Rejected
from prominence.core.validation import SPELLING
from prominence.restapi.identity import Identity

LONGEST_NAME = 700
LONGEST_PART = 240
"""Bytes in UTF-8; a file system takes 255, S3 1024 for the whole with what we put before it."""

_PART = rf"(?!\.{{1,2}}(?:/|$))[^/\x00-\x1f\x7f-\x9f\u2028\u2029]{{1,{LONGEST_PART}}}"
SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": f"^{_PART}(?:/{_PART})*$",
    SPELLING: 'must be a name without control characters, //, and "." or ".." between slashes',
    "maxLength": LONGEST_NAME,
}
"""Of an object's name, as far as a schema can tell it: lengths are in bytes, and it is in Unicode's composed form."""

SCRATCH = "scratch"
CHECKPOINTS = "checkpoints"
OF_JOBS = (SCRATCH, CHECKPOINTS)
"""The folders of what jobs have written."""

_PLAIN = "@+,= "
_LONGEST_OWNER = 180


class Kind(enum.Enum):
    """Whose an area can be. The value is the folder in the store that holds all areas of the kind."""

    USER = "uploads"
    GROUP = "groups"


@dataclass(frozen=True)
class Area:
    """The objects of one user, or of one group."""

    kind: Kind
    owner: str

    @property
    def folder(self) -> str:
        """Where the store has them."""
        return f"{self.kind.value}/{_as_part(self.owner)}"

    def shown(self, stored: str) -> str:
        """What users call the object that the store calls so."""
        name = stored.removeprefix(f"{self.folder}/")
        return name if self.kind is Kind.USER else f"{self.owner}/{name}"


@dataclass(frozen=True)
class Object:
    """An object by what users call it, in its area."""

    area: Area
    name: str

    @property
    def stored_as(self) -> str:
        """What the store calls it."""
        name = self.name if self.area.kind is Kind.USER else self.name.partition("/")[2]
        return f"{self.area.folder}/{name}"


def owners_folder(stored_as: str) -> str:
    """Where the store has all objects of the owner of this one."""
    return "/".join(stored_as.split("/")[:2])


def own(caller: Identity) -> Area:
    """The caller's own objects."""
    return Area(Kind.USER, caller.user)


def find(name: str, caller: Identity, path: str = "") -> Object:
    """The object that the caller means. path: of the field that names it. Raises Rejected, Forbidden."""
    check(name, path)
    group, slash, _ = name.partition("/")
    return Object(_of_group(group, caller) if slash else own(caller), name)


def folder(path: str, caller: Identity) -> tuple[Area, str]:
    """The area that the caller wants to see, and the folder in it as the store calls it. Raises Rejected, Forbidden."""
    if not path:
        return own(caller), own(caller).folder
    check(path)
    group, _, below = path.partition("/")
    area = _of_group(group, caller)
    return area, f"{area.folder}/{below}" if below else area.folder


def output(uid: str, name: str) -> str:
    """What the store calls an output of a job. Raises Rejected."""
    check(name)
    return f"{outputs(uid)}/{name}"


def outputs(uid: str) -> str:
    """The folder of a job's outputs."""
    return f"{SCRATCH}/{uid}"


def checkpoint(uid: str, name: str) -> str:
    """What the store calls a checkpoint of a job."""
    return f"{CHECKPOINTS}/{uid}/{name}"


def check(name: str, path: str = "") -> None:
    """Raises Rejected for a name that no object can have."""
    if problem := _problem(name):
        raise Rejected.because(problem, path)


def _problem(name: str) -> str:
    """What is wrong with the name; "" if nothing is."""
    if not name:
        return "the name of an object must not be empty"
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        return "the name of an object must not hold control characters or line breaks"
    if not unicodedata.is_normalized("NFC", name):
        return "the name of an object must be written in Unicode's composed form (NFC)"
    parts = name.split("/")
    if "" in parts:
        return 'the name of an object must not begin or end with "/", nor hold two of them in a row'
    if "." in parts or ".." in parts:
        return 'no part of the name of an object may be "." or ".."'
    if len(name.encode()) > LONGEST_NAME or any(len(part.encode()) > LONGEST_PART for part in parts):
        return f"the name of an object may have {LONGEST_NAME} bytes, and {LONGEST_PART} between two /"
    return ""


def _of_group(group: str, caller: Identity) -> Area:
    if group not in caller.groups:
        raise Forbidden(
            f"You are not in a group {ascii(group)}; what stands before the first / in an object's name is a group."
        )
    return Area(Kind.GROUP, group)


def _as_part(owner: str) -> str:
    """An owner as one part of a name, readable and of bounded length; of two owners never the same."""
    part = quote(owner, safe=_PLAIN)
    if part.startswith("."):
        part = f"%2E{part[1:]}"
    if len(part) <= _LONGEST_OWNER:
        return part
    return f"{part[:100].rpartition('%')[0] or part[:100]}%~{hashlib.sha256(owner.encode()).hexdigest()}"

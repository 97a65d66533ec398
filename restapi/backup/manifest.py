"""What a backup says of itself, and what may be in one. Pure.

The manifest is the last thing in the archive: one that was cut off has none. Its sums show damage. They do not show who
made the archive, for whoever can change that can change its manifest, too.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from dataclasses import astuple, dataclass
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from prominence.core.errors import Rejected
from prominence.core.validation import Document, parse

LAYOUT = 1
"""Of the archive. A newer one is refused, never guessed at."""

NAME = "manifest.json"
LARGEST = 4 * 1024 * 1024
"""Of a manifest, in bytes."""

OWN_SUM = "sha256"

FILE, DIRECTORY, LINK = "file", "directory", "link"


class _InPart:
    """By its name: the part, and the path within that."""

    name: str

    @property
    def part(self) -> str:
        """The name of the part that it belongs to."""
        return self.name.partition("/")[0]

    @property
    def path(self) -> str:
        """Within the part; "" for the part itself."""
        return self.name.partition("/")[2]


@dataclass(frozen=True)
class Member(_InPart):
    """A thing in the archive. name: its part, and its path within that. owner: for people. target: of a link."""

    name: str
    kind: str
    mode: int
    owner: str = ""
    size: int = 0
    target: str = ""


class Cut(_InPart, Document):
    """A file that became shorter while it was copied. size: as long as it was then; what is behind that are zeros."""

    name: str
    size: int = Field(ge=0)


class PartSum(Document):
    """A part as it was put into the archive. sha256: of its members in their order, with all that is in them."""

    name: str
    members: int = Field(ge=0)
    bytes: int = Field(ge=0)
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(Document):
    """sandboxes: jobs in the queue know their directories by this path. left_out: what a backup does not hold.

    In the archive it has one key more, its own `sha256`.
    """

    layout: int = LAYOUT
    version: str
    host: str
    begun_at: AwareDatetime
    ended_at: AwareDatetime
    sandboxes: str
    parts: tuple[PartSum, ...]
    left_out: tuple[str, ...] = ()
    cut: tuple[Cut, ...] = ()


class Sum:
    """Adds up one part."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._members = self._bytes = 0
        self._hash = hashlib.sha256()

    def add(self, member: Member, content_sha256: str) -> None:
        """The next of its members."""
        line = [*astuple(member), content_sha256]
        self._hash.update(json.dumps(line).encode() + b"\n")
        self._members += 1
        self._bytes += member.size

    def result(self) -> PartSum:
        """Of all that were added."""
        return PartSum(name=self._name, members=self._members, bytes=self._bytes, sha256=self._hash.hexdigest())


def written(manifest: Manifest) -> bytes:
    """As it stands in the archive."""
    document = manifest.model_dump(mode="json")
    return json.dumps({**document, OWN_SUM: _own_sum(document)}, indent=1).encode() + b"\n"


def read(content: bytes) -> Manifest:
    """Raises Rejected for what is no manifest, or one of a later version of ours."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Rejected.because("is not JSON", NAME) from error
    layout = document.get("layout") if isinstance(document, dict) else None
    if type(layout) is int and layout > LAYOUT:
        raise Rejected.because(
            f"the backup has layout {layout} and this version knows {LAYOUT}: restore it with the version that made "
            f"it, {document.get('version', 'which is not named')!a}, and then upgrade",
            NAME,
        )
    manifest = parse(Manifest, document)
    if document.get(OWN_SUM) != _own_sum(document):
        raise Rejected.because("is damaged: it is not what its own sum says", NAME)
    names = [part.name for part in manifest.parts]
    if len(set(names)) != len(names):
        raise Rejected.because("a part is there twice", NAME)
    return manifest


def _own_sum(document: dict[str, Any]) -> str:
    """Of all its keys, those that we do not know among them."""
    rest = {name: value for name, value in document.items() if name != OWN_SUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


class Order:
    """Holds the members of an archive to what can be put back, one after the other."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}

    def check(self, member: Member) -> None:
        """Raises Rejected for what would be written to any other place than its own."""
        pieces = member.name.split("/")
        if "\0" in member.name or any(piece in ("", ".", "..") for piece in pieces):
            raise Rejected.because("is a path that leads out of the backup", ascii(member.name))
        if member.name in self._kinds:
            raise Rejected.because("is there twice", ascii(member.name))
        # What is beneath a link, or a file, would be somewhere else. A part may be a file by itself.
        above = posixpath.dirname(member.name)
        if above and self._kinds.get(above) != DIRECTORY:
            raise Rejected.because("is not in a directory of the backup", ascii(member.name))
        if member.kind == LINK and leads_out(member):
            raise Rejected.because("is a link that leads out of the backup", ascii(member.name))
        if member.mode & ~0o7777 or member.size < 0:
            raise Rejected.because("has a mode or a size that there is not", ascii(member.name))
        self._kinds[member.name] = member.kind

    def is_file(self, name: str) -> bool:
        """Whether there was a file of this name."""
        return self._kinds.get(name) == FILE


def leads_out(link: Member) -> bool:
    """Whether it leads to something that is not beneath its own part."""
    if "\0" in link.target or not link.target or posixpath.isabs(link.target) or not link.path:
        return True
    # By each step, not by the sum: what is in between may be a link again.
    depth = link.path.count("/")
    for piece in link.target.split("/"):
        depth += -1 if piece == ".." else piece not in ("", ".")
        if depth < 0:
            return True
    return False


def compare(promised: Manifest, found: dict[str, PartSum], order: Order) -> None:
    """Raises Rejected when what is in the archive is not what its manifest says. order: has seen all of it."""
    for part in promised.parts:
        if part.name not in found:
            raise Rejected.because("is missing, though the manifest names it", part.name)
        if found[part.name] != part:
            raise Rejected.because("is damaged: it is not what the manifest says", part.name)
    for name in found.keys() - {part.name for part in promised.parts}:
        raise Rejected.because("is in the backup, and the manifest does not name it", ascii(name))
    for cut in promised.cut:
        if not order.is_file(cut.name) or not cut.path:
            raise Rejected.because("is to be cut, and is no file of the backup", ascii(cut.name))

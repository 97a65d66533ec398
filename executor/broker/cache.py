"""The worker's images for Apptainer: each fetched once for all jobs, and kept as a file that they can read.

An image is known by its registry's digest, so that nobody has to be believed: whoever fetches it checks that what came
is what was asked for. Jobs have no part in that but to ask. What needs a password is in here for nobody. Files that
hold images (`webfiles`) are here as they came, each by the checksum of its content.

images_dir/         root's, nobody else may write, or list
    DIGEST.sif      an image that is whole: root's, to be read by everybody, and used last when it was changed last
    file-CHECKSUM   the same of a file that holds one
    made-CHECKSUM.sif  what Apptainer has made of that, where it is what docker has saved
    .part-KEY       one that is being copied
    builds/KEY/     where a builder works (`builder`)
"""

from __future__ import annotations

import os
import stat
import threading
import uuid
from collections import Counter
from contextlib import contextmanager, suppress
from typing import Callable, Iterable, Iterator, List, Tuple

from prominence.executor.broker import log, places
from prominence.executor.broker.enginesocket import HangUp
from prominence.executor.broker.pulls import NotKept, PullFailed

Build = Callable[[str, str, HangUp], str]
"""Makes a file of an image, of which the name with its digest is given, in the directory KEY of `builds`; its path.

Raises PullFailed, NotKept. Nobody but root can be believed about what is in the directory.
"""
_IMAGE, _FILE, _MADE = "sha256", "file", "made"
_SUFFIX = {_IMAGE: ".sif", _FILE: "", _MADE: ".sif"}
_PART = ".part-"
_PIECE = 1024 * 1024


def of_file(sha256: str) -> str:
    """What a file with this checksum is called where an image has its digest."""
    return f"{_FILE}:{sha256}"


def of_made(sha256: str) -> str:
    """The same of what Apptainer has made of it."""
    return f"{_MADE}:{sha256}"


class ImageCache:
    """Of one worker. most_kib: what all images together may take, but for those in use."""

    def __init__(self, images_dir: str, most_kib: int, build: Build) -> None:
        self._images_dir = images_dir
        self._most_kib = most_kib
        self._build = build
        self._in_use: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def builds(self) -> str:
        """The directory in which builders work."""
        return f"{self._images_dir}/builds"

    def prepare(self) -> None:
        """Make the directories, and clear away what was not finished. Raises OSError."""
        for directory in (self._images_dir, self.builds):
            places.prepare(directory)
        for name in places.sessions(self.builds):
            places.remove(self.builds, name)
        for name in os.listdir(self._images_dir):
            if name.startswith(_PART):
                os.unlink(f"{self._images_dir}/{name}")
        self.tidy()

    def use(self, digest: str) -> bool:
        """Let the image stay until `leave`, whether it is here already or comes meanwhile; whether it is here."""
        with self._lock:
            self._in_use[digest] += 1
        return self.has(digest)

    def has(self, digest: str) -> bool:
        """Whether it is here, for somebody who uses it."""
        with suppress(FileNotFoundError):
            os.utime(self.path(digest))
            return True
        return False

    def leave(self, digests: Iterable[str]) -> None:
        """They are not needed any more by one of those that did."""
        with self._lock:
            self._in_use -= Counter(digests)  # what nobody uses is counted no more
        self.tidy()

    def path(self, digest: str) -> str:
        """Of an image that is here."""
        kind, _, digits = digest.partition(":")
        return f"{self._images_dir}/{kind}-{digits}{_SUFFIX[kind]}"

    def fill(self, image: str, digest: str, hang_up: HangUp) -> None:
        """Have an image built, if nobody has meanwhile. image: its name with this digest.

        Raises PullFailed, NotKept.
        """
        if os.path.exists(self.path(digest)):
            return
        with self.being_made() as (key, part):
            copy(self._build(image, key, hang_up), part)
            os.replace(part, self.path(digest))
        log.info("image kept", image=image, bytes=os.path.getsize(self.path(digest)))
        self.tidy()

    @contextmanager
    def being_made(self) -> Iterator[Tuple[str, str]]:
        """A directory of `builds` by its name, and where a copy may be until it is whole; both are gone afterwards.

        Raises NotKept for OSError.
        """
        key = uuid.uuid4().hex
        part = f"{self._images_dir}/{_PART}{key}"
        try:
            yield key, part
        except OSError as error:
            raise NotKept(f"the image cannot be kept: {error.strerror}") from error
        finally:
            with suppress(FileNotFoundError):
                os.unlink(part)
            places.remove(self.builds, key)

    def tidy(self) -> None:
        """Remove what was not used for longest, until the rest fits."""
        try:
            self._tidy()
        except OSError as error:
            log.warning("images not tidied", error=str(error))

    def _tidy(self) -> None:
        with self._lock:  # so that nobody begins to use one meanwhile
            files = self._files()
            used_kib = sum(size_kib for _, size_kib, _ in files)
            for _, size_kib, digest in files:
                if used_kib <= self._most_kib:
                    return
                if self._in_use[digest] <= 0:
                    os.unlink(self.path(digest))
                    used_kib -= size_kib
                    log.info("image removed", digest=digest)

    def _files(self) -> List[Tuple[float, int, str]]:
        """When each was used last, its size, its digest; what was not used for longest comes first."""
        found = []
        for entry in os.scandir(self._images_dir):
            kind, _, rest = entry.name.partition("-")
            if kind in _SUFFIX:
                told = entry.stat(follow_symlinks=False)
                digest = f"{kind}:{rest[: len(rest) - len(_SUFFIX[kind])]}"
                found.append((told.st_mtime, told.st_blocks // 2, digest))
        return sorted(found)


def copy(source: str, target: str, tell: Callable[[bytes], object] = lambda piece: None) -> None:
    """A copy, since whoever made the source may still write to it. tell: of each piece. Raises OSError, PullFailed."""
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as reader:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise PullFailed("what was made is not an image")
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writer:
            while piece := reader.read(_PIECE):
                tell(piece)
                writer.write(piece)
            os.fchmod(writer.fileno(), 0o444)

"""Files that hold images, from web addresses: each fetched once for all jobs, and kept by the checksum of its content.

What is at an address may change at any time. So of an address it is kept by which tag its server knew the content, and
each job asks the server itself whether that still holds: who may not have the file learns nothing here, and nobody gets
an old one. What a server has no tag for is fetched anew each time.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from typing import Callable, NamedTuple, Optional, Tuple

from prominence.executor.broker import log
from prominence.executor.broker.cache import ImageCache, copy, of_file, of_made
from prominence.executor.broker.enginesocket import HangUp
from prominence.executor.broker.pulls import PullFailed

Fetch = Callable[[str, str, HangUp], Tuple[str, str]]
"""Fetches from an address, in the directory KEY of `builds`; the file's path, and its tag, "" for none.

Raises PullFailed, NotKept. Nobody but root can be believed about what is in the directory.
"""
Make = Callable[[str, str, HangUp], str]
"""Makes an image of Apptainer's of what docker has saved in a file, in the directory KEY; its path. The same holds."""
_MOST_ADDRESSES = 10_000


class Content(NamedTuple):
    """What was at an address. tag: its server's, "" for none."""

    sha256: str
    tag: str


class WebFiles:
    """Of one worker, in its cache."""

    def __init__(self, cache: ImageCache, fetch: Fetch, make: Make) -> None:
        self._cache = cache
        self._fetch, self._make = fetch, make
        self._known: OrderedDict[str, Content] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, url: str) -> Optional[Content]:
        """What was there when it was fetched last; None: nothing with a tag."""
        place = _place(url)
        with self._lock:
            if place in self._known:
                self._known.move_to_end(place)
            return self._known.get(place)

    def fetch(self, url: str, sha256: str, hang_up: HangUp) -> Content:
        """Have what is there kept, and remember it. sha256: what it must be; "" for anything.

        Raises PullFailed, NotKept.
        """
        digest = hashlib.sha256()
        with self._cache.being_made() as (key, part):
            file, tag = self._fetch(url, key, hang_up)
            copy(file, part, digest.update)
            if sha256 not in ("", digest.hexdigest()):
                raise PullFailed("what is there is not what was asked for")
            found = Content(digest.hexdigest(), tag)
            path = self._cache.path(of_file(found.sha256))
            os.replace(part, path)
        log.info("image file kept", sha256=found.sha256, bytes=os.path.getsize(path))
        if tag:
            self._remember(url, found)
        return found

    def make(self, sha256: str, hang_up: HangUp) -> None:
        """Have an image of Apptainer's made of a file that is kept, if nobody has. Raises PullFailed, NotKept."""
        path = self._cache.path(of_made(sha256))
        if os.path.exists(path):
            return
        with self._cache.being_made() as (key, part):
            copy(self._make(self._cache.path(of_file(sha256)), key, hang_up), part)
            os.replace(part, path)
        log.info("image made of a file", sha256=sha256, bytes=os.path.getsize(path))

    def _remember(self, url: str, found: Content) -> None:
        place = _place(url)
        with self._lock:
            self._known[place] = found
            self._known.move_to_end(place)
            while len(self._known) > _MOST_ADDRESSES:
                self._known.popitem(last=False)


def _place(url: str) -> str:
    """By which an address is remembered: it may be long, and a secret."""
    return hashlib.sha256(url.encode()).hexdigest()

"""The images that one connection has of those that the worker keeps: as long as it lasts, they stay."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple
from urllib.parse import urlsplit, urlunsplit

from prominence.executor.broker.cache import ImageCache, of_file, of_made
from prominence.executor.broker.enginesocket import HangUp
from prominence.executor.broker.names import qualified, repository
from prominence.executor.broker.pulls import NotKept, Pulls
from prominence.executor.broker.requests import File, Image, Made
from prominence.executor.broker.session import NoRoom
from prominence.executor.broker.webfiles import Content, WebFiles

MOST_IMAGES = 64
"""Images that one connection may keep from being removed."""


class Store(NamedTuple):
    """What the worker keeps."""

    cache: ImageCache
    files: WebFiles


class Lent:
    """Of one connection. store: None where the worker keeps nothing. Each verb raises NotKept, NoRoom, PullFailed.

    woken: is set when nobody waits any more.
    """

    def __init__(self, store: Optional[Store], pulls: Pulls) -> None:
        self._store = store
        self._pulls = pulls
        self._used: Set[str] = set()
        self._over = False
        self._lock = threading.Lock()

    def image(self, request: Image, woken: threading.Event) -> Dict[str, Any]:
        """An image of a registry's, as a file of Apptainer's."""
        cache = self._kept().cache
        name, _, digest = request.image.partition("@")
        image = f"{repository(qualified(name))}@{digest}"
        if not self._hold(digest):
            self._pulls.fetch_by(f"{image} for Apptainer", partial(cache.fill, image, digest), woken)
        return {"path": cache.path(digest)}

    def file(self, request: File, woken: threading.Event) -> Dict[str, Any]:
        """A file that holds an image, as it came."""
        found, fresh = self._content(request, woken)
        if not self._hold(of_file(found.sha256)):
            raise NotKept("the file has gone again")
        return {**found._asdict(), "fresh": fresh, "path": self._kept().cache.path(of_file(found.sha256))}

    def made(self, request: Made, woken: threading.Event) -> Dict[str, Any]:
        """What Apptainer makes of a file that is kept."""
        store, made = self._kept(), of_made(request.sha256)
        if not self._hold(of_file(request.sha256)):
            raise NotKept("the file is not kept here")
        if not self._hold(made):
            self._pulls.fetch_by(made, partial(store.files.make, request.sha256), woken)
        return {"path": store.cache.path(made)}

    def leave(self) -> None:
        """Those of a pull that is under way, too: whoever hangs up waits for nothing any more."""
        with self._lock:
            self._over = True
        if self._store is not None and self._used:
            self._store.cache.leave(self._used)

    def _content(self, request: File, woken: threading.Event) -> Tuple[Content, bool]:
        """What is kept of it, and whether that was fetched at this request's word."""
        files = self._kept().files
        if request.sha256 and self._hold(of_file(request.sha256)):
            return Content(request.sha256, ""), False
        known = None if request.sha256 else files.known(request.url)
        if known is not None and known.tag != request.stale and self._hold(of_file(known.sha256)):
            return known, False
        fetched: List[Content] = []

        def fetch(hang_up: HangUp) -> None:
            fetched.append(files.fetch(request.url, request.sha256, hang_up))

        self._pulls.fetch_by(_name(request), fetch, woken)
        if request.sha256:
            return Content(request.sha256, ""), True
        found = fetched[0] if fetched else files.known(request.url)
        if found is None:  # another's, which may have come before this job would have looked
            raise NotKept("nobody can tell whether the file is still that")
        return found, bool(fetched)

    def _kept(self) -> Store:
        if self._store is None:
            raise NotKept("this worker keeps no images")
        return self._store

    def _hold(self, digest: str) -> bool:
        """Have it stay, whether it is here already or comes meanwhile; whether it is here."""
        cache = self._kept().cache
        with self._lock:
            if self._over:
                raise NoRoom("the connection is over")
            if digest in self._used:
                return cache.has(digest)
            if len(self._used) == MOST_IMAGES:
                raise NoRoom(f"no connection has more than {MOST_IMAGES} images")
            self._used.add(digest)
            return cache.use(digest)


def _name(request: File) -> str:
    """What all who wait for the same call it; an address may be a secret. Signatures differ, the content does not."""
    url = urlunsplit(urlsplit(request.url)._replace(query="", fragment="")) if request.sha256 else request.url
    return f"file {request.sha256} at {hashlib.sha256(url.encode()).hexdigest()}"

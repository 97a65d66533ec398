"""The images that Docker's engine has pulled for jobs: marked, and removed when they take too much room.

An engine keeps one store for everybody on its machine, and says nothing of when an image was used. The mark is one more
name of the image in it, which tells the time: all workers of a machine see it, and it outlives them. What has no mark
was there before, or is somebody else's, and is left alone.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Callable, Dict, Iterable, List, NamedTuple, Set

from prominence.core import pulled
from prominence.executor.broker import log
from prominence.executor.broker.engine import Engine
from prominence.executor.broker.enginesocket import EngineRefused, HangUp, NotThere
from prominence.executor.broker.settings import Settings

_EXACT_S = 60
"""How exactly the time of the last use is kept."""
_SOON_S = 10
"""Within this who has pulled an image has made a container of it: until then nothing says that it is in use."""
_KIB = 1024


class _Marked(NamedTuple):
    """An image that was pulled. used: when last. marks: its names of ours."""

    image: str
    used: int
    marks: List[str]


class PulledImages:
    """Those that workers of this pool have pulled by one engine."""

    def __init__(self, engine: Engine, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._pool = settings.pool
        self._most_kib = settings.images_mib * _KIB
        self._clock = clock

    def fetch(self, image: str, hang_up: HangUp) -> None:
        """Pull an image, and mark it if it was not here. image: what `qualified` gives.

        Raises EngineUnavailable, EngineRefused.
        """
        if self._engine.has(image):
            self._engine.pull(image, hang_up)
            return
        before = self._engine.image_ids()
        self._engine.pull(image, hang_up)
        with suppress(NotThere):  # somebody was fast
            self._mark(image, before)

    def _mark(self, image: str, before: Set[str]) -> None:
        """Unless it was here, maybe by its digest alone, and not for jobs: with the new name it would go altogether."""
        known_as = self._engine.image_id(image)
        if known_as in before and known_as not in self._engine.sizes(pulled.pattern("*")):
            return
        self._engine.tag(known_as, pulled.mark(image, self._pool, self._clock()))
        log.info("image pulled", image=image)

    def used(self, image: str, known_as: str) -> None:
        """It was used just now. known_as: its id, since the name may be another's by now.

        Raises EngineUnavailable, EngineRefused.
        """
        _, names = self._engine.sizes(pulled.pattern(self._pool, image)).get(known_as, (0, []))
        marks = self._ours(names)
        if marks and max(map(pulled.used_at, marks)) < self._clock() - _EXACT_S:
            self._engine.tag(known_as, pulled.mark(image, self._pool, self._clock()))
            for mark in marks:
                self._engine.untag(mark)

    def tidy(self) -> None:
        """Remove what was not used for longest, and is neither in use nor about to be, until the rest fits.

        Raises EngineUnavailable, EngineRefused.
        """
        found = self._engine.sizes(pulled.pattern(self._pool))
        marks = {image: ours for image, (_, names) in found.items() if (ours := self._ours(names))}
        used_kib = sum(found[image][0] // _KIB for image in marks)
        if used_kib <= self._most_kib:
            return
        in_use, lately = self._engine.images_in_use(), self._clock() - _SOON_S
        for one in _by_use(marks):
            if one.image in in_use or one.used > lately:
                continue
            if used_kib > self._most_kib and self._remove(one):
                used_kib -= found[one.image][0] // _KIB

    def _remove(self, one: _Marked) -> bool:
        """Take its names away: those it was pulled by, and ours. Other names of it were somebody else's."""
        hashes = set(map(pulled.hash_of, one.marks))
        try:
            for name in self._engine.all_names(one.image):
                if pulled.hash_of_name(name) in hashes:
                    self._engine.untag(name)
            for mark in one.marks:
                self._engine.untag(mark)
        except EngineRefused as error:  # somebody uses it now
            log.warning("image not removed", image=one.image, error=str(error))
            return False
        log.info("image removed", image=one.image)
        return True

    def _ours(self, names: Iterable[str]) -> List[str]:
        return [name for name in names if pulled.pool_of(name) == self._pool]


def _by_use(marks: Dict[str, List[str]]) -> List[_Marked]:
    marked = [_Marked(image, max(map(pulled.used_at, names)), names) for image, names in marks.items()]
    return sorted(marked, key=lambda one: one.used)

"""Removes what sessions have left behind: after a crash, or while the engine did not answer.

It looks at what is there, not at what was missed: containers and images with this worker's labels and directories in
its place, of sessions that are not going on.
"""

from __future__ import annotations

from functools import partial
from typing import Callable, Dict, List, Mapping, Optional, Set

from prominence.executor.broker import log, places, private, spec
from prominence.executor.broker.engine import Engine
from prominence.executor.broker.enginesocket import EngineRefused, EngineUnavailable
from prominence.executor.broker.pulled import PulledImages
from prominence.executor.broker.settings import Settings

GoingOn = Callable[[], Set[str]]


def sweep(engine: Engine, settings: Settings, going_on: GoingOn) -> bool:
    """One round; whether nothing is left. What cannot be removed now is there in the next one."""
    clean = True
    for look in (_containers, _images, _private_images, _directories):
        try:
            leftovers = look(engine, settings, going_on)
        except (EngineUnavailable, EngineRefused, OSError) as error:
            log.warning("leftovers not found", error=str(error))
            clean = False
            continue
        for leftover in leftovers:
            clean = leftover.remove() and clean
    return clean


def tidy(engine: Engine, settings: Settings) -> None:
    """Let images that were pulled for jobs take no more room than they may."""
    if settings.docker_socket:
        try:
            PulledImages(engine, settings).tidy()
        except (EngineUnavailable, EngineRefused) as error:
            log.warning("images not tidied", error=str(error))


class _Leftover:
    def __init__(self, kind: str, name: str, action: Callable[[], None]) -> None:
        self._fields = {"kind": kind, "name": name}
        self._action = action

    def remove(self) -> bool:
        try:
            self._action()
        except (EngineUnavailable, EngineRefused, OSError) as error:
            log.warning("leftover not removed", error=str(error), **self._fields)
            return False
        log.info("leftover removed", **self._fields)
        return True


def _containers(engine: Engine, settings: Settings, going_on: GoingOn) -> List[_Leftover]:
    if not settings.docker_socket:
        return []
    found = engine.labelled(spec.labels(settings))
    return _of_the_past("container", _sessions(found), engine.remove, going_on)


def _images(engine: Engine, settings: Settings, going_on: GoingOn) -> List[_Leftover]:
    if not settings.docker_socket:
        return []
    found = engine.images(spec.labels(settings, "image"))
    return _of_the_past("image", _sessions(found), engine.remove_image, going_on)


def _private_images(engine: Engine, settings: Settings, going_on: GoingOn) -> List[_Leftover]:
    if not settings.docker_socket:
        return []
    return _of_the_past("private image", private.leftovers(engine, settings), engine.untag, going_on)


def _directories(engine: Engine, settings: Settings, going_on: GoingOn) -> List[_Leftover]:
    found = {one: one for one in places.sessions(settings.tasks_dir)}
    return _of_the_past("directory", found, partial(places.remove, settings.tasks_dir), going_on)


def _of_the_past(
    kind: str, found: Mapping[str, Optional[str]], remove: Callable[[str], None], going_on: GoingOn
) -> List[_Leftover]:
    """What belongs to no session that is going on. found: by name, each with its session."""
    alive = going_on()  # asked after looking: a session that has begun since then must not lose what it has
    return [_Leftover(kind, name, partial(remove, name)) for name, session in found.items() if session not in alive]


def _sessions(found: Mapping[str, Mapping[str, str]]) -> Dict[str, Optional[str]]:
    """By name, of things with labels."""
    return {name: labels.get(spec.SESSION_LABEL) for name, labels in found.items()}

"""Removes what sessions have left behind: after a crash, or while the engine did not answer.

It looks at what is there, not at what was missed: containers with this worker's labels and directories in its
place, of sessions that are not going on.
"""

from __future__ import annotations

from functools import partial
from typing import Callable, List, Set

from prominence.executor.broker import log, places, spec
from prominence.executor.broker.engine import Engine, EngineRefused, EngineUnavailable
from prominence.executor.broker.settings import Settings

GoingOn = Callable[[], Set[str]]


def sweep(engine: Engine, settings: Settings, going_on: GoingOn) -> bool:
    """One round; whether nothing is left. What cannot be removed now is there in the next one."""
    clean = True
    for look in (_containers, _directories):
        try:
            leftovers = look(engine, settings, going_on)
        except (EngineUnavailable, EngineRefused, OSError) as error:
            log.warning("leftovers not found", error=str(error))
            clean = False
            continue
        for leftover in leftovers:
            clean = leftover.remove() and clean
    return clean


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
    alive = going_on()  # asked after looking: a session that has begun since then must not lose its container
    return [
        _Leftover("container", one, partial(engine.remove, one))
        for one, labels in found.items()
        if labels.get(spec.SESSION_LABEL) not in alive
    ]


def _directories(engine: Engine, settings: Settings, going_on: GoingOn) -> List[_Leftover]:
    found = places.sessions(settings.tasks_dir)
    alive = going_on()
    return [
        _Leftover("directory", one, partial(places.remove, settings.tasks_dir, one))
        for one in found
        if one not in alive
    ]

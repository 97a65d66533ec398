"""Removes what sessions have left behind: after a crash, or while the engine did not answer.

It looks at what is there, not at what was missed: containers with this worker's labels and directories in its
place, of sessions that are not going on.
"""

from __future__ import annotations

from typing import Callable, Set

from prominence.executor.broker import log, places, spec
from prominence.executor.broker.engine import Engine, EngineRefused, EngineUnavailable
from prominence.executor.broker.settings import Settings


def sweep(engine: Engine, settings: Settings, going_on: Callable[[], Set[str]]) -> None:
    """One round. What cannot be removed now is there in the next one."""
    try:
        _sweep_containers(engine, settings, going_on)
        _sweep_directories(settings, going_on)
    except (EngineUnavailable, EngineRefused, OSError) as error:
        log.warning("leftovers not swept", error=str(error))


def _sweep_containers(engine: Engine, settings: Settings, going_on: Callable[[], Set[str]]) -> None:
    if not settings.docker_socket:
        return
    found = engine.labelled(spec.labels(settings))
    alive = going_on()  # asked after looking: a session that has begun since then must not lose its container
    for container, labels in found.items():
        if labels.get(spec.SESSION_LABEL) not in alive:
            engine.remove(container)
            log.info("leftover container removed", container=container)


def _sweep_directories(settings: Settings, going_on: Callable[[], Set[str]]) -> None:
    found = places.sessions(settings.tasks_dir)
    alive = going_on()
    for session in found:
        if session not in alive:
            places.remove(settings.tasks_dir, session)
            log.info("leftover directory removed", session=session)

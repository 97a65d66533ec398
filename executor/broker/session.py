"""One job's session: its directories, its running container, and the end of both."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, Optional, Sequence

from prominence.executor import diskuse
from prominence.executor.broker import log, places, slots, spec, streams
from prominence.executor.broker.engine import Engine, EngineRefused, EngineUnavailable, NotThere
from prominence.executor.broker.requests import Run
from prominence.executor.broker.settings import Settings
from prominence.executor.broker.spec import Peer


@dataclass(frozen=True)
class Output:
    """The job's descriptors for a container's stdout and stderr."""

    stdout: int
    stderr: int


class Session:
    """Begun by `begin`, ended by `end`; in between any number of containers, one at a time.

    `run` is called by one thread and `signal` and `end` by another.
    """

    def __init__(self, key: str, peer: Peer, engine: Engine, settings: Settings) -> None:
        self.key = key
        self._peer = peer
        self._engine = engine
        self._settings = settings
        self._place = spec.Place("", "")
        self._slot: Optional[slots.Slot] = None
        self._container = ""
        self._count = 0
        self._over = False
        self._changing = threading.Lock()

    def begin(self, sandbox: str, mounts: int) -> Dict[str, Any]:
        """Make the directories. Raises NoSlot, OSError."""
        if self._settings.execute_dir:
            self._slot = slots.claim(self._settings.execute_dir, sandbox, self._peer)
        try:
            self._place = places.make(self._settings.tasks_dir, self.key, self._peer, mounts)
        except OSError:
            self._leave_slot()
            raise
        log.info("session begun", session=self.key, uid=self._peer.uid, pid=self._peer.pid)
        return {"home": self._place.home, "tmp": self._place.tmp, "mounts": list(self._place.mounts)}

    def run(self, request: Run, output: Output) -> Dict[str, Any]:
        """Run a container to its end; what became of it. Raises EngineUnavailable, EngineRefused."""
        container = self._create(request)
        try:
            with self._engine.output(container) as reader, self._disk_watched(container) as watch:
                self._engine.start(container)
                log.info("container started", session=self.key, container=container, image=request.image)
                descriptors = {streams.STDOUT: output.stdout, streams.STDERR: output.stderr}
                forwarded = streams.forward(reader, descriptors, lambda: self._over)
            self._engine.wait(container)
            state = self._engine.state(container)
            digest = self._engine.image_digest(state.image)  # only now: the container need not wait for it
        except EngineRefused:
            self._engine.version()  # of an engine that is about to end, a refusal says nothing of the container
            raise
        finally:
            self._forget(container)
        log.info("container ended", session=self.key, container=container, exit_code=state.exit_code)
        return {
            "exit_code": state.exit_code,
            "oom": state.out_of_memory,
            "disk": watch is not None and watch.exceeded,
            "image_digest": digest,
            "last_words": forwarded.last_words,
            "cut": forwarded.cut,
        }

    def enter(self, command: Sequence[str], output: Output, abandoned: Callable[[], bool]) -> Dict[str, Any]:
        """Run a command in the container that runs; how it ended. Raises NotThere, EngineUnavailable, EngineRefused."""
        with self._changing:
            container = self._container
        if not container:
            raise NotThere("no container is running")
        entry = self._engine.entry(container, command)
        log.info("container entered", session=self.key, container=container)
        descriptors = {streams.STDOUT: output.stdout, streams.STDERR: output.stderr}
        with self._engine.entered(entry) as reader:
            streams.forward(reader, descriptors, abandoned)
        return {"exit_code": self._engine.exit_code(entry)}

    def signal(self, name: str) -> None:
        """Send a signal to the running container. That there is none, or not any more, is fine."""
        with self._changing:
            container = self._container
        if container:
            with suppress(EngineRefused, EngineUnavailable):
                self._engine.kill(container, name)

    def end(self) -> bool:
        """Kill what runs, remove the directories; whether nothing is left. May be repeated."""
        with self._changing:
            self._over = True
            container = self._container
        try:
            if container:
                self._engine.remove(container)
            places.remove(self._settings.tasks_dir, self.key)
        except (EngineRefused, EngineUnavailable, OSError) as error:
            log.warning("session not removed yet", session=self.key, error=str(error))
            return False
        finally:
            self._leave_slot()
        log.info("session ended", session=self.key)
        return True

    def _create(self, request: Run) -> str:
        host = self._engine.host()
        limit = spec.most(host, self._slot.limits if self._slot else None, self._settings)
        wanted = spec.container(request, self._peer, self._place, self.key, host, limit, self._settings)
        with self._changing:
            # Under the lock, so that a session that ends meanwhile finds the container it has to remove.
            if self._over:
                raise EngineRefused("the session is over")
            self._count += 1
            self._container = self._engine.create(f"{self._settings.worker}-{self.key}-{self._count}", wanted)
            return self._container

    @contextmanager
    def _disk_watched(self, container: str) -> Iterator[Optional[diskuse.Watch]]:
        """A container whose session keeps more than its slot's disk is killed. Without a slot nobody knows how much."""
        if self._slot is None:
            yield None
            return
        limit_kib = self._slot.disk_kib
        watch = diskuse.Watch(lambda: self._used_kib(container, limit_kib), limit_kib, lambda: self.signal("KILL"))
        try:
            yield watch
        finally:
            watch.stop()

    def _used_kib(self, container: str, enough_kib: int) -> int:
        with suppress(EngineRefused, EngineUnavailable):
            layer_kib = self._engine.layer_kib(container)
            return layer_kib + diskuse.used_kib([self._place.home, self._place.tmp, *self._place.mounts], enough_kib)
        return 0  # no more container, no more use

    def _leave_slot(self) -> None:
        if self._slot:
            os.close(self._slot.descriptor)
        self._slot = None

    def _forget(self, container: str) -> None:
        try:
            self._engine.remove(container)
        except (EngineRefused, EngineUnavailable) as error:
            log.warning("container not removed yet", session=self.key, container=container, error=str(error))
            return  # the session's end will try again
        with self._changing:
            self._container = ""

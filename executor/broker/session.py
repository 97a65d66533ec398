"""One job's session: its directories, its running containers, and the end of both."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from prominence.executor import diskuse
from prominence.executor.broker import loaded, log, places, slots, spec, streams
from prominence.executor.broker.engine import Engine, Host
from prominence.executor.broker.enginesocket import EngineRefused, EngineUnavailable, HangUp, NotThere
from prominence.executor.broker.loaded import LoadedImages
from prominence.executor.broker.names import qualified
from prominence.executor.broker.private import PrivateImages
from prominence.executor.broker.pulled import PulledImages
from prominence.executor.broker.requests import Has, Load, Pull, Run
from prominence.executor.broker.settings import Settings
from prominence.executor.broker.spec import Peer
from prominence.executor.broker.watches import Watches
from prominence.executor.usage import Meter, Usage

TASK = 0
"""The seat of the task's container; those beside it have other numbers."""


class NoRoom(Exception):
    """The job has no room for it; the text says for what."""


@dataclass(frozen=True)
class Output:
    """The job's descriptors for a container's stdout and stderr."""

    stdout: int
    stderr: int


class Session:
    """Begun by `begin`, ended by `end`; in between any number of containers, one at a time on each of its seats.

    `run` is called by one thread for each seat, and `signal` and `end` by others.
    """

    def __init__(self, key: str, peer: Peer, engine: Engine, settings: Settings) -> None:
        self.key = key
        self._peer = peer
        self._engine = engine
        self._settings = settings
        self._place = spec.Place("", "")
        self._slot: Optional[slots.Slot] = None
        self._containers: Dict[int, str] = {}
        self._seats = 0
        self._beside = 0
        self._meter: Optional[Meter] = None
        self._watch: Optional[diskuse.Watch] = None
        self._count = 0
        self._used: List[Tuple[str, str]] = []
        self.begun = False
        self._over = False
        self._private = PrivateImages(key, engine, settings)
        self._loaded = LoadedImages(key, engine, settings)
        self._watches = Watches(engine, self._running)
        self._changing = threading.Lock()

    def begin(self, sandbox: str, mounts: int, beside: int = 0) -> Dict[str, Any]:
        """Make the directories. beside: how many containers may run beside the task's. Raises NoSlot, OSError."""
        self._beside = beside
        if self._settings.execute_dir:
            self._slot = slots.claim(self._settings.execute_dir, sandbox, self._peer)
        try:
            self._place = places.make(self._settings.tasks_dir, self.key, self._peer, mounts)
        except OSError:
            self._leave_slot()
            raise
        self.begun = True
        log.info("session begun", session=self.key, uid=self._peer.uid, pid=self._peer.pid)
        return {"home": self._place.home, "tmp": self._place.tmp, "mounts": list(self._place.mounts)}

    def has(self, request: Has) -> bool:
        """Whether this session can run the image as it is. Raises EngineUnavailable, EngineRefused."""
        image = qualified(request.image)
        return self._private.name_of(image) is not None or (not request.private and self._engine.has(image))

    def fetch(self, request: Pull, hang_up: HangUp) -> None:
        """Fetch an image for this session alone. Raises EngineUnavailable, EngineRefused."""
        self._private.fetch(qualified(request.image), request.username, request.token, hang_up)

    def load(self, request: Load, descriptor: int) -> Dict[str, Any]:
        """Make an image for this session; its id. Raises NoRoom, EngineUnavailable, EngineRefused."""
        if self._slot and self._loaded.kib + loaded.kib(request) > self._slot.disk_kib:
            raise NoRoom(f"its layers have {loaded.kib(request)} KiB, which is more than the job's disk has room for")
        return {"image": self._loaded.load(request, descriptor)}

    def seat(self) -> int:
        """One beside the task's. Raises NoRoom."""
        with self._changing:
            if self._seats == self._beside:
                raise NoRoom(f"the session was to have {self._beside} containers beside its task's")
            self._seats += 1
            return self._seats

    def run(
        self,
        request: Run,
        output: Output,
        seat: int = TASK,
        started: Callable[[], None] = lambda: None,
        given_up: Callable[[], bool] = lambda: False,
    ) -> Dict[str, Any]:
        """Run a container to its end; what became of it. given_up: whether nobody waits for it any more.

        Raises EngineUnavailable, EngineRefused.
        """
        container = self._create(request, seat, given_up)
        try:
            with self._watches.metered(container) as meter, self._watched(request, seat) as (disk, memory):
                forwarded, used = self._follow(container, request, output, meter, seat, started, given_up)
            self._engine.wait(container)
            state = self._engine.state(container)
            digest = self._digest(request.image, state.image)  # only now: the container need not wait for it
        except EngineRefused:
            self._engine.version()  # of an engine that is about to end, a refusal says nothing of the container
            raise
        finally:
            self._forget(container, seat)
        log.info("container ended", session=self.key, container=container, exit_code=state.exit_code)
        with self._changing:
            self._used.append((request.image, state.image))
        return {
            "exit_code": state.exit_code,
            "oom": state.out_of_memory or (memory is not None and memory.exceeded),
            "disk": disk is not None and disk.exceeded,
            "disk_kib": None if disk is None else disk.seen_kib,
            "cpu_s": None if used is None else round(used.cpu_s, 3),
            "max_rss_kib": None if used is None else used.peak_kib,
            "image_digest": digest,
            "last_words": forwarded.last_words,
            "cut": forwarded.cut,
        }

    def tell_use(self) -> None:
        """Note which images were run. When nobody waits: an engine with many images takes its time to list them."""
        with self._changing:
            used, self._used = self._used, []
        for image, known_as in used:
            if image in self._loaded or self._private.name_of(qualified(image)) is not None:
                continue
            try:
                PulledImages(self._engine, self._settings).used(qualified(image), known_as)
            except (EngineRefused, EngineUnavailable) as error:
                log.warning("use of an image not noted", session=self.key, image=image, error=str(error))

    def _follow(
        self,
        container: str,
        request: Run,
        output: Output,
        meter: Meter,
        seat: int,
        started: Callable[[], None],
        given_up: Callable[[], bool],
    ) -> Tuple[streams.Forwarded, Optional[Usage]]:
        """Start it, and pass on what it prints until it prints no more; what it has used."""
        with self._engine.output(container) as reader:
            self._engine.start(container)
            meter.start()
            if seat == TASK:
                with self._changing:
                    self._meter = meter
            log.info("container started", session=self.key, container=container, image=request.image)
            if given_up():
                self.signal("KILL", seat)
            started()
            descriptors = {streams.STDOUT: output.stdout, streams.STDERR: output.stderr}
            try:
                return streams.forward(reader, descriptors, lambda: self._over or given_up()), meter.now()
            finally:
                with self._changing:
                    self._meter = None if self._meter is meter else self._meter

    def _digest(self, image: str, known_as: str) -> Optional[str]:
        """None: nobody can tell any more, and what has ended has ended as it did."""
        with suppress(EngineRefused, EngineUnavailable):
            return self._private.digest_of(qualified(image)) or self._engine.image_digest(known_as)
        return None

    def enter(self, command: Sequence[str], output: Output, abandoned: Callable[[], bool]) -> Dict[str, Any]:
        """Run a command in the container that runs; how it ended. Raises NotThere, EngineUnavailable, EngineRefused."""
        container = self._on(TASK)
        if not container:
            raise NotThere("no container is running")
        entry = self._engine.entry(container, command)
        log.info("container entered", session=self.key, container=container)
        descriptors = {streams.STDOUT: output.stdout, streams.STDERR: output.stderr}
        with self._engine.entered(entry) as reader:
            streams.forward(reader, descriptors, abandoned)
        return {"exit_code": self._engine.exit_code(entry)}

    def usage(self) -> Dict[str, Any]:
        """What the task's container uses. Raises NotThere."""
        with self._changing:
            meter, watch = self._meter, self._watch
        if meter is None:
            raise NotThere("no container is running")
        used = meter.now()
        return {
            "cpu_s": None if used is None else round(used.cpu_s, 3),
            "memory_kib": None if used is None else used.memory_kib,
            "disk_kib": None if watch is None else watch.seen_kib,
        }

    def signal(self, name: str, seat: int = TASK) -> None:
        """Send a signal to the container that runs there. That there is none, or not any more, is fine."""
        container = self._on(seat)
        if container:
            with suppress(EngineRefused, EngineUnavailable):
                self._engine.kill(container, name)

    def end(self) -> bool:
        """Kill what runs, remove the directories; whether nothing is left. May be repeated."""
        with self._changing:
            self._over = True
        containers = self._running()
        self._loaded.stop()
        try:
            for container in containers:
                self._engine.remove(container)
            self._loaded.remove()
            self._private.end()
            places.remove(self._settings.tasks_dir, self.key)
        except (EngineRefused, EngineUnavailable, OSError) as error:
            log.warning("session not removed yet", session=self.key, error=str(error))
            return False
        finally:
            self._leave_slot()
        log.info("session ended", session=self.key)
        return True

    def _on(self, seat: int) -> str:
        with self._changing:
            return self._containers.get(seat, "")

    def _limit(self) -> Host:
        return spec.most(self._engine.host(), self._slot.limits if self._slot else None, self._settings)

    def _create(self, request: Run, seat: int, given_up: Callable[[], bool]) -> str:
        if request.between_nodes and not self._settings.worker_network:
            raise EngineRefused("no task of this worker may speak with a job's other nodes")
        host, limit = self._engine.host(), self._limit()
        known = replace(request, image=self._known_as(request.image))
        among = 1 + self._beside
        wanted = spec.container(known, self._peer, self._place, self.key, host, limit, self._settings, among)
        with self._changing:
            # Under the lock, so that a session that ends meanwhile finds the container it has to remove.
            if self._over or given_up():
                raise EngineRefused("the session is over")
            self._count += 1
            container = self._engine.create(f"{self._settings.worker}-{self.key}-{self._count}", wanted)
            self._containers[seat] = container
            return container

    def _known_as(self, image: str) -> str:
        """By which the engine knows what this session calls so: never an id, but to who has loaded the image."""
        if image in self._loaded:
            return image
        name = qualified(image)
        return self._private.name_of(name) or name

    @contextmanager
    def _watched(self, request: Run, seat: int) -> Iterator[Tuple[Optional[diskuse.Watch], Optional[diskuse.Watch]]]:
        """Of its disk and its memory, where there is something to hold it to."""
        limit_kib = self._slot.disk_kib if self._slot else None
        seen = [self._place.home, self._place.tmp, *self._place.mounts]
        with ExitStack() as held:
            disk = held.enter_context(
                self._watches.disk(limit_kib, lambda: self._loaded.kib, seen, lambda: self.signal("KILL", seat))
            )
            if seat == TASK:
                self._watch = disk
            memory = None
            if self._beside:
                most_kib = min(request.memory_mib, self._limit().memory_mib) * 1024
                memory = held.enter_context(self._watches.memory(most_kib, seat, lambda: self.signal("KILL", seat)))
            yield disk, memory

    def _running(self) -> List[str]:
        with self._changing:
            return list(self._containers.values())

    def _leave_slot(self) -> None:
        if self._slot:
            os.close(self._slot.descriptor)
        self._slot = None

    def _forget(self, container: str, seat: int) -> None:
        try:
            self._engine.remove(container)
        except (EngineRefused, EngineUnavailable) as error:
            log.warning("container not removed yet", session=self.key, container=container, error=str(error))
            return  # the session's end will try again
        with self._changing:
            self._containers.pop(seat, None)

"""Clouds behind an Infrastructure Manager (IM), over its REST API: each worker is an infrastructure of one machine.

IM has no names for infrastructures: our marks are in the description of the RADL from which it makes one, and which it
tells as long as it exists. The machine becomes a worker by cloud-init alone; IM logs in to none.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from prominence.core.errors import CloudError, NotFound, ProminenceError
from prominence.core.machines import Flavour
from prominence.imc import cloudinit
from prominence.imc.adapters import infrastructure_manager_radl as radl
from prominence.imc.adapters.cloud_errors import IM, of_answer
from prominence.imc.adapters.declared import DeclaredCloud
from prominence.imc.adapters.infrastructure_manager_api import Manager, asking
from prominence.imc.declared import ManagedSettings
from prominence.imc.ports import File, Layout, Node, NodeState

_SETTLE_STEP_S = 2.0
_ENDED = ("stopped", "off", "failed", "deleting")


@dataclass(frozen=True)
class _Infrastructure:
    """One of ours. state: IM's word; unknown is not ended."""

    id: str
    worker: str
    state: str


class ManagedCloud(DeclaredCloud[ManagedSettings, _Infrastructure]):
    """Promise: see ports.Cloud. The manager is asked for the first time when the first verb is called."""

    def __init__(
        self,
        name: str,
        declared: ManagedSettings,
        pool: str,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(name, declared, pool, clock, declared.image)
        self._clock = clock
        self._pause = pause
        self._workers: dict[str, str] = {}  # by infrastructure, "" where it is not ours: it never changes

    def layout(self, name: str) -> Layout:
        return cloudinit.layout(name)

    def nodes(self) -> Sequence[Node]:
        by_name: dict[str, list[_Infrastructure]] = {}
        for one in self._there.get(self._listed):
            by_name.setdefault(one.worker, []).append(one)
        return [_node(name, there) for name, there in sorted(by_name.items())]

    def _listed(self) -> list[_Infrastructure]:
        with asking(self._name, self._declared) as manager:
            return self._ours(manager)

    def create(self, name: str, flavour: Flavour, files: Sequence[File]) -> None:
        try:
            with self._acting() as manager:
                there = sorted(self._present(manager, name), key=_age)
                if there:
                    self._leave_one(manager, there)
                    self._settle(manager, there[0].id)
                else:
                    user_data = cloudinit.cloud_config(files, self.layout(name), self._declared.install)
                    wanted = radl.wanted(self._declared, self._pool, name, flavour, user_data)
                    made = manager.ask("POST", "/infrastructures", json=wanted, wait_s=self._declared.settle_s)
                    self._settle(manager, _id(made))
        except CloudError:
            with suppress(ProminenceError):
                self.delete(name)
            raise

    def thin_out(self, name: str) -> None:
        with self._acting() as manager:
            self._leave_one(manager, self._present(manager, name))

    def delete(self, name: str) -> None:
        with self._acting() as manager:
            for one in self._present(manager, name):
                self._destroy(manager, one)

    def _present(self, manager: Manager, name: str) -> list[_Infrastructure]:
        """Those of this name that are not being deleted already; several, if the manager has heard us twice."""
        return [one for one in self._ours(manager, name) if one.state != "deleting"]

    def _leave_one(self, manager: Manager, there: Sequence[_Infrastructure]) -> None:
        """The machine that came first has most to lose."""
        for one in sorted(there, key=_age)[1:]:
            self._destroy(manager, one)

    def _destroy(self, manager: Manager, one: _Infrastructure) -> None:
        with suppress(NotFound):
            manager.ask("DELETE", f"/infrastructures/{one.id}", wait_s=self._declared.settle_s)

    def _settle(self, manager: Manager, id_: str) -> None:
        """Wait until the machine starts: what is refused late is refused, too."""
        deadline = self._clock() + self._declared.settle_s
        while (state := _state(manager, id_)) == "pending" and self._clock() < deadline:
            self._pause(_SETTLE_STEP_S)
        if state == "failed":
            said = manager.ask("GET", f"/infrastructures/{id_}/contmsg").get("contmsg")
            raise of_answer(IM, f"the machine has failed: {said or 'nobody tells why'}", None)

    def _ours(self, manager: Manager, name: str | None = None) -> list[_Infrastructure]:
        """All that bear our pool's mark, or of those the worker's of this name, as they are now."""
        listed = [_id(one) for one in manager.ask("GET", "/infrastructures")["uri-list"]]
        missing = [one for one, worker in list(self._workers.items()) if worker and one not in listed]
        found = []
        for id_ in [*listed, *missing]:
            # One that is missing is asked for: a manager that knows us by another user lists nothing of ours.
            with suppress(NotFound):
                worker = self._worker(manager, id_)
                if worker and name in (None, worker):
                    found.append(_Infrastructure(id_, worker, _state(manager, id_)))
                continue
            self._workers.pop(id_, None)
        return found

    def _worker(self, manager: Manager, id_: str) -> str:
        """Of which worker of ours it is, by its RADL; "" when it is none's."""
        if id_ not in self._workers:
            text = str(manager.ask("GET", f"/infrastructures/{id_}/radl")["radl"])
            worker = radl.worker(text, self._pool)
            if not radl.is_complete(text):
                return worker  # it is being made, and its description may be still to come
            self._workers[id_] = worker
        return self._workers[id_]

    @contextmanager
    def _acting(self) -> Iterator[Manager]:
        with self._there.acting(), asking(self._name, self._declared) as manager:
            yield manager


def _id(told: Any) -> str:
    """Of an infrastructure, by its address. We do not follow that: behind a proxy IM tells a wrong one."""
    return str(told["uri"]).rstrip("/").rpartition("/")[2]


def _state(manager: Manager, id_: str) -> str:
    return str(manager.ask("GET", f"/infrastructures/{id_}/state")["state"]["state"])


def _age(one: _Infrastructure) -> tuple[int, str]:
    """The first that was made sorts first: IM's ids are UUIDs that have their time."""
    with suppress(ValueError):
        return uuid.UUID(one.id).time, one.id
    return 0, one.id


def _node(name: str, there: Sequence[_Infrastructure]) -> Node:
    running = [one for one in there if one.state not in _ENDED]
    state = NodeState.RUNNING if running else NodeState.STOPPED
    return Node(name, state, ", ".join(one.state for one in there if one.state in _ENDED), max(1, len(running)))

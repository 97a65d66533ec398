"""A cloud and a pool in dictionaries, with faults on request: for tests, and to see the shape of the ports."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from prominence.core.errors import CloudError, NotFound
from prominence.core.machines import Flavour
from prominence.imc import outsiders
from prominence.imc.adapters.named import NamedCloud
from prominence.imc.condor_text import Outsider, Revocation
from prominence.imc.ports import About, Admission, ExecutePoint, File, Layout, Node, NodeState, Terms


@dataclass(frozen=True)
class Fault:
    """What the next call of a verb raises. after_acting: what was asked for happens all the same."""

    error: Exception
    after_acting: bool = False


class Faults:
    """One queue for each verb."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Fault]] = defaultdict(deque)

    def next(self, verb: str, error: Exception, times: int = 1, after_acting: bool = False) -> None:
        """The next calls of `verb` fail."""
        self._queues[verb].extend([Fault(error, after_acting)] * times)

    def clear(self) -> None:
        """From now on everything works."""
        self._queues.clear()

    @contextmanager
    def around(self, verb: str) -> Iterator[None]:
        """Fail before or after the body if told to."""
        fault = self._queues[verb].popleft() if self._queues[verb] else None
        if fault and not fault.after_acting:
            raise fault.error
        yield
        if fault:
            raise fault.error


@dataclass(frozen=True)
class Machine:
    """A node as the memory cloud keeps it."""

    node: Node
    flavour: Flavour
    files: tuple[File, ...] = ()


class MemoryCloud(NamedCloud):
    """Promise: see ports.Cloud. `machines` may be changed by tests, as the world changes machines.

    traces: names for which something lies around, with or without a machine, until they are deleted. by_user_data: as
    in Layout.
    """

    def __init__(self, name: str, flavours: Sequence[Flavour], limit: int = 4, **terms: Any) -> None:
        super().__init__(name, Terms(limit, **terms))
        self.machines: dict[str, Machine] = {}
        self.traces: set[str] = set()
        self.faults = Faults()
        self.by_user_data = False
        self.known = About()
        self._flavours = tuple(flavours)

    def flavours(self) -> Sequence[Flavour]:
        with self.faults.around("flavours"):
            return self._flavours

    def about(self) -> About:
        return self.known

    def layout(self, name: str) -> Layout:
        return Layout(f"/{name}/execute", f"/{name}/tasks", "/docker.sock", by_user_data=self.by_user_data)

    def nodes(self) -> Sequence[Node]:
        with self.faults.around("nodes"):
            return [machine.node for machine in self.machines.values()]

    def create(self, name: str, flavour: Flavour, files: Sequence[File]) -> None:
        self.traces.add(name)
        try:
            with self.faults.around("create"):
                there = self.machines.get(name)
                if there is None or there.node.state is NodeState.UNFINISHED:
                    self.machines[name] = Machine(Node(name, NodeState.RUNNING), flavour, tuple(files))
        except CloudError:
            self._clear(name)
            raise

    def thin_out(self, name: str) -> None:
        """Names are unique here."""

    def delete(self, name: str) -> None:
        with self.faults.around("delete"):
            self._clear(name)

    def turn(self, name: str, state: NodeState, detail: str = "", taken: bool = False) -> None:
        """For tests: the machine is in another state now."""
        machine = self.machines[name]
        self.machines[name] = replace(machine, node=Node(name, state, detail, taken=taken))

    def _clear(self, name: str) -> None:
        self.machines.pop(name, None)
        self.traces.discard(name)


@dataclass
class MemoryPool:
    """Promise: see ports.Pool. Tests let workers join by a token and be claimed."""

    faults: Faults = field(default_factory=Faults)
    points: dict[str, ExecutePoint] = field(default_factory=dict)
    revoked: dict[str, Revocation] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)
    _outsiders: tuple[Outsider, ...] = ()
    _minted: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def execute_points(self) -> Mapping[str, ExecutePoint]:
        with self.faults.around("execute_points"):
            return dict(self.points)

    def drain(self, name: str, reason: str) -> None:
        with self.faults.around("drain"):
            self._turn(name, draining=True)

    def undrain(self, name: str) -> None:
        with self.faults.around("undrain"):
            self._turn(name, draining=False)

    def invalidate(self, name: str) -> None:
        with self.faults.around("invalidate"):
            self.points.pop(name, None)

    def mint(self, name: str) -> SecretStr:
        with self.faults.around("mint"), self._lock:
            self._minted += 1
            token = f"token-{self._minted}"
            self._tokens[token] = name
            return SecretStr(token)

    def revoke(self, name: str, now: datetime) -> None:
        moment = int(now.timestamp())
        with self.faults.around("revoke"), self._lock:
            self._forget({name})
            self.revoked[name] = Revocation(name, moment, moment + 600)

    def revocations(self) -> Sequence[Revocation]:
        with self.faults.around("revocations"), self._lock:
            return list(self.revoked.values())

    def refuse(self, entries: Sequence[Revocation]) -> None:
        with self.faults.around("refuse"), self._lock:
            # Tokens do not tell when they were made: of a name that is refused anew there are none left.
            self._forget({entry.identity for entry in entries if self.revoked.get(entry.identity) != entry})
            self.revoked = {entry.identity: entry for entry in entries}

    def _forget(self, names: set[str]) -> None:
        self._tokens = {token: owner for token, owner in self._tokens.items() if owner not in names}

    def outsiders(self) -> Sequence[Outsider]:
        with self.faults.around("outsiders"):
            return self._outsiders

    def keep_out(self, entries: Sequence[Outsider]) -> None:
        with self.faults.around("keep_out"), self._lock:
            self._outsiders = tuple(entries)
            for name in outsiders.names(entries):
                self.points.pop(name, None)

    def mint_for_owner(self, owner: str) -> Admission:
        return Admission(self.mint(f"{owner}@users"), 600)

    def revoke_of_owner(self, owner: str, now: datetime) -> None:
        self.revoke(f"{owner}@users", now)

    def join(self, name: str, token: str) -> bool:
        """For tests: a startd of this name shows this token. False when it is refused."""
        is_shut_out = name in outsiders.names(self._outsiders)
        if is_shut_out or self._tokens.get(token.strip()) not in (name, f"{name.partition('.')[2]}@users"):
            return False
        if "." not in name:  # machines of users are none of imc's
            self.points.setdefault(name, ExecutePoint(claimed_slots=0, draining=False))
        return True

    def claim(self, name: str, slots: int) -> None:
        """For tests: so many of its slots are claimed now."""
        self.points[name] = replace(self.points[name], claimed_slots=slots)

    def _turn(self, name: str, draining: bool) -> None:
        if name not in self.points:
            raise NotFound(f"Worker {name} is not in the pool.")
        self.points[name] = replace(self.points[name], draining=draining)

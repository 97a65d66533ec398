"""Clouds with virtual machines, through Apache Libcloud. What is particular to one kind of cloud is its `Provider`'s.

A machine carries our marks from the request that makes it: the pool and the worker's name. What is known of the cloud
is kept for a while (poll_s, discover_s), and machines are looked at anew after each act of ours.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from typing import Any

from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import InvalidCredsError, LibcloudError, MalformedResponseError
from libcloud.compute.base import Node as Machine
from libcloud.compute.types import NodeState as State

from prominence.core import logs
from prominence.core.errors import (
    CloudError,
    CredentialsRefused,
    NoSuchFlavour,
    NoSuchImage,
    ProminenceError,
    QuotaExceeded,
    Unavailable,
)
from prominence.core.machines import Flavour
from prominence.imc import cloudinit
from prominence.imc.adapters.cloud_errors import of_answer
from prominence.imc.adapters.libcloud_discovery import Discovery
from prominence.imc.adapters.libcloud_provider import Provider
from prominence.imc.adapters.listing import Listing, Spared
from prominence.imc.adapters.marks import WORKER
from prominence.imc.adapters.named import NamedCloud
from prominence.imc.declared_machines import MachineSettings
from prominence.imc.ports import About, File, Layout, Node, NodeState

log = logs.get(__name__)

_SETTLE_STEP_S = 2.0
_ENDED = (State.STOPPED, State.STOPPING, State.SUSPENDED, State.PAUSED, State.ERROR)
_UNSETTLED = (State.PENDING, State.STARTING, State.UNKNOWN)


class LibcloudCloud(NamedCloud):
    """Promise: see ports.Cloud. The cloud is asked for the first time when the first verb is called."""

    def __init__(
        self,
        name: str,
        declared: MachineSettings,
        provider: Provider,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        super().__init__(name, declared.terms)
        self._declared = declared
        self._provider = provider
        self._clock = clock
        self._pause = pause
        self._discovery = Discovery(name, declared, provider, clock, today)
        self._machines_there: Listing[list[Machine]] = Listing(clock, declared.poll_s)
        self._offered: Spared[Sequence[Flavour]] = Spared(clock, declared.poll_s)
        self._of_thread = threading.local()

    def flavours(self) -> Sequence[Flavour]:
        return self._offered.ask(self._discovered)

    def _discovered(self) -> Sequence[Flavour]:
        with self._translated():
            return self._discovery.flavours(self._driver())

    def about(self) -> About:
        self._look_at_quota()
        found, age_s = self._discovery, self._machines_there.age_s
        ages = found.ages_s if age_s is None else {**found.ages_s, "machines": age_s}
        return About(found.quota, found.image, found.prices, ages)

    def _look_at_quota(self) -> None:
        """When it is old, and not while the cloud is in trouble."""
        if self._machines_there.is_in_trouble or not self._discovery.quota_is_due():
            return
        try:
            with self._translated():
                self._discovery.read_quota(self._driver())
        except ProminenceError as error:
            log.warning("the quota cannot be read", cloud=self._name, error=str(error))

    def layout(self, name: str) -> Layout:
        return cloudinit.layout(name, self._provider.notices)

    def nodes(self) -> Sequence[Node]:
        by_name: dict[str, list[Machine]] = {}
        for machine in self._machines_there.get(self._listed):
            if machine.state is not State.TERMINATED:
                by_name.setdefault(_worker(machine), []).append(machine)
        return [self._node(name, machines) for name, machines in sorted(by_name.items())]

    def _listed(self) -> list[Machine]:
        """All machines as they are now."""
        with self._translated():
            return self._provider.machines(self._driver())

    def create(self, name: str, flavour: Flavour, files: Sequence[File]) -> None:
        try:
            with self._translated(), self._machines_there.acting():
                self._create(name, flavour, files)
                self._settle(name)
        except CloudError as error:
            if isinstance(error, QuotaExceeded):
                self._discovery.forget_quota()
            with suppress(ProminenceError):
                self.delete(name)
            raise

    def thin_out(self, name: str) -> None:
        with self._translated(), self._machines_there.acting():
            there = [machine for machine in self._machines(name) if not self._provider.is_leaving(machine)]
            self._leave_one(there)

    def delete(self, name: str) -> None:
        with self._translated(), self._machines_there.acting():
            driver = self._driver()
            for machine in self._machines(name):
                if not self._provider.is_leaving(machine):
                    self._provider.before_deletion(driver, name, machine)
                    with _fine_when_gone():
                        driver.destroy_node(machine)
            self._provider.clear(driver, name)

    def _create(self, name: str, flavour: Flavour, files: Sequence[File]) -> None:
        there = [machine for machine in self._machines(name) if not self._provider.is_leaving(machine)]
        if there:
            self._leave_one(there)
            return
        offer, image = self._discovery.wanted(self._driver(), flavour)
        user_data = cloudinit.cloud_config(files, self.layout(name), self._declared.install)
        self._provider.create(self._driver(), name, offer, image, user_data)

    def _leave_one(self, machines: Sequence[Machine]) -> None:
        """A request may have been heard twice: the machine that came first has most to lose."""
        for machine in sorted(machines, key=_age)[1:]:
            with _fine_when_gone():
                self._driver().destroy_node(machine)

    def _settle(self, name: str) -> None:
        """Wait until the new machine is listed and starts: what is refused late is refused, too."""
        deadline = self._clock() + self._declared.settle_s
        while True:
            there = [machine for machine in self._machines(name) if not self._provider.is_leaving(machine)]
            failed = [machine for machine in there if machine.state is State.ERROR]
            if failed:
                raise of_answer(self._provider.errors, self._provider.fault(failed[0]) or "the machine failed", None)
            if there and there[0].state not in _UNSETTLED:
                return
            if self._clock() >= deadline:
                break
            self._pause(_SETTLE_STEP_S)
        if not there:
            if why := self._end(name):
                raise of_answer(self._provider.errors, why, None)
            raise Unavailable(f"{self._name} has taken the request for a machine and does not list it")

    def _machines(self, name: str) -> list[Machine]:
        """Those of this name as they are now; there may be several, if the cloud has heard us twice."""
        return [machine for machine in self._ever(name) if machine.state is not State.TERMINATED]

    def _ever(self, name: str) -> list[Machine]:
        """With those that have ended, of which some clouds tell for a while."""
        return [machine for machine in self._provider.machines(self._driver()) if _worker(machine) == name]

    def _end(self, name: str) -> str:
        """Why the last machine of this name has ended; "" where none has, or nobody tells."""
        over = [machine for machine in self._ever(name) if machine.state is State.TERMINATED]
        return self._provider.fault(max(over, key=_age)) if over else ""

    def _node(self, name: str, machines: Sequence[Machine]) -> Node:
        running = [machine for machine in machines if not self._has_ended(machine)]
        detail = f"{len(machines)} machines of this name" if len(machines) > 1 else self._provider.fault(machines[0])
        state = NodeState.RUNNING if running else NodeState.STOPPED
        taken = not running and any(self._provider.was_taken(machine) for machine in machines)
        return Node(name, state, detail, copies=max(1, len(running)), taken=taken)

    def _has_ended(self, machine: Machine) -> bool:
        return machine.state in _ENDED or self._provider.is_leaving(machine)

    def _driver(self) -> Any:
        """Libcloud's drivers are not for several threads."""
        if getattr(self._of_thread, "driver", None) is None:
            self._of_thread.driver = self._provider.connect()
        return self._of_thread.driver

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Libcloud's errors as ours."""
        try:
            yield
        except ProminenceError as error:
            if isinstance(error, NoSuchImage | NoSuchFlavour):
                self._discovery.forget()
            raise
        except InvalidCredsError as error:
            self._of_thread.driver = None
            raise CredentialsRefused(f"{self._name} refuses the credentials: {error.value}") from error
        except BaseHTTPError as error:
            raise self._refusal(str(error.message), error.code) from error
        except MalformedResponseError as error:
            raise Unavailable(f"{self._name} sends what cannot be understood: {error.value}") from error
        except LibcloudError as error:
            raise self._refusal(*_said(error)) from error
        except OSError as error:  # requests' errors are, too
            raise Unavailable(f"{self._name} does not answer: {type(error).__name__}") from error
        except (LookupError, TypeError, ValueError, AttributeError, SyntaxError) as error:
            # Libcloud takes answers apart and does not expect all that a cloud in trouble sends.
            raise Unavailable(f"{self._name} sends what cannot be understood: {error!r}") from error

    def _refusal(self, text: str, status: int | None) -> ProminenceError:
        """What the cloud says, in our words."""
        error = of_answer(self._provider.errors, text, status)
        if isinstance(error, CredentialsRefused):
            self._of_thread.driver = None  # the file may hold others by the next time
        return error


def _said(error: LibcloudError) -> tuple[str, int | None]:
    """Text and status. Google's errors have a code beside the text, or all of it as a document."""
    value: Any = error.value
    text = value.get("message", value) if isinstance(value, dict) else value
    code, status = getattr(error, "code", None), getattr(error, "http_code", None)
    return f"{code}: {text}" if code else str(text), None if status == 200 else status


def _worker(machine: Machine) -> str:
    """Of which worker it is."""
    marks = machine.extra.get("tags") or machine.extra.get("metadata") or {}
    return str(marks.get(WORKER, machine.name))


def _age(machine: Machine) -> tuple[str, str]:
    return (machine.created_at.isoformat() if machine.created_at else "~", str(machine.id))


@contextmanager
def _fine_when_gone() -> Iterator[None]:
    try:
        yield
    except BaseHTTPError as error:
        if error.code != 404 and "NotFound" not in str(error.message):
            raise

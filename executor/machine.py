"""The machine that a job's executor is on, made of its real parts."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Sequence, Tuple, Type, TypeVar

from prominence.core import document
from prominence.core.plan import (
    CREDENTIALS_FILE,
    STORAGE_FILE,
    Credentials,
    ExecutionPlan,
    PlannedStorage,
    RegistryCredential,
    StorageSecret,
)
from prominence.executor import choice, condor, environment, sandbox
from prominence.executor.adapters.broker import Broker
from prominence.executor.adapters.late import LateApptainer
from prominence.executor.bench import Bench
from prominence.executor.ports import ContainerRuntime, RuntimeUnavailable, WorkerLost
from prominence.executor.teams import Single, Team
from prominence.executor.worker import Alone, Company, Files, Found, NoFiles, Storage

if TYPE_CHECKING:
    from prominence.executor.images import ImageFiles


T = TypeVar("T")

_LOOK_S = 0.5
"""How soon an order to the running job is seen."""
_ROOM = 16 * 1024 * 1024
"""Bytes on the worker's disk without which it is full: what a job's report and its last output need, many times."""
_OF_PROCESSOR = {"vendor_id": "cpu_vendor", "model name": "cpu_model", "cpu MHz": "cpu_clock"}
"""What the report is told of the processor, by the kernel's names."""
_STARTS_S = 30.0
"""A worker's broker has started by then, on a busy machine too."""

RUNTIMES = ("apptainer", "docker", "podman")
"""Those that every worker may have, in the order in which `--runtimes` tells them."""

IF_ALLOWED = ("udocker", "process")
"""Those that a worker has where its administrator says so."""


class Machine:
    """`worker.Worker` made of the real parts of this machine."""

    def __init__(
        self, place: condor.Surroundings, broker_socket: str, patience_s: float = 0.0, allowed: Sequence[str] = ()
    ) -> None:
        self.place = place
        self.allowed = tuple(allowed) if place.runtimes is None else place.runtimes
        self.broker_socket = broker_socket
        # The startd may take a job before the worker's broker has started, and before it has told what runs there.
        self.patience_s = max(patience_s, _STARTS_S if place.job_id and place.runtimes is None else 0.0)

    @property
    def job_id(self) -> str:
        return self.place.job_id

    @property
    def member(self) -> Optional[Tuple[int, int]]:
        return self.place.member

    @property
    def host(self) -> str:
        return self.place.host

    @property
    def node(self) -> Tuple[int, int]:
        return self.place.node

    @property
    def processor(self) -> Dict[str, str]:
        told: Dict[str, str] = {}
        with suppress(OSError), open("/proc/cpuinfo", errors="replace") as file:
            for line in file:
                if not line.strip():
                    break  # the other cores are alike
                name, _, value = line.partition(":")
                if name.strip() in _OF_PROCESSOR:
                    told[_OF_PROCESSOR[name.strip()]] = value.strip()
        return told

    @property
    def disk_kib(self) -> Optional[int]:
        return self.place.disk_kib

    @property
    def cpus(self) -> Optional[int]:
        return self.place.cpus

    @property
    def gpus(self) -> Dict[str, str]:
        return {name: os.environ[name] for name in environment.OF_GPUS if name in os.environ}

    def credentials(self, plan: ExecutionPlan) -> Tuple[Optional[RegistryCredential], ...]:
        if not any(task.private for task in plan.tasks):
            return ()
        found = self._read_once(Credentials, CREDENTIALS_FILE).of_tasks
        if len(found) != len(plan.tasks):
            raise document.BadDocument(f"{CREDENTIALS_FILE} is not of this plan")
        return found

    def works(self) -> List[str]:
        """The runtimes that this worker can promise, each tried out."""
        found = self.find((*RUNTIMES, *self.allowed)).runtimes
        return [name for name, one in found.items() if not isinstance(one, LateApptainer) or one.can_run()]

    def lets_nodes_meet(self) -> bool:
        """Whether tasks of a job of several nodes that are here reach those on other workers."""
        with suppress(RuntimeUnavailable):
            return Broker(self.broker_socket, self.place.sandbox, self.patience_s).lets_nodes_meet()
        return False

    def find(self, wanted: Sequence[str]) -> Found:
        found = Found({}, {})
        promised = wanted if self.place.runtimes is None else self.place.runtimes
        for name in choice.candidates(wanted, promised):
            for runtime in self._known(name):
                with suppress(RuntimeUnavailable):
                    found.versions[name] = runtime.version()
                    found.runtimes[name] = runtime
                    break
            if self.place.runtimes is not None and name not in found.runtimes:
                raise WorkerLost(f"the worker's {name} does not answer any more")
        return found

    def is_well(self) -> bool:
        """Whether the worker's disk has room, and its broker and its engine answer: otherwise jobs are handed back."""
        try:
            Broker(self.broker_socket, self.place.sandbox).version()
        except RuntimeUnavailable:
            return False
        disk = os.statvfs(self.place.sandbox)
        return disk.f_bavail * disk.f_frsize >= _ROOM

    def workspace(self, runtimes: Dict[str, ContainerRuntime], mounts: int, beside: int = 0) -> sandbox.Workspace:
        # The broker shows its own directories to containers and no others; every other runtime can show these too.
        broker = runtimes.get("docker")
        if isinstance(broker, Broker):
            return broker.workspace(mounts, beside)
        return sandbox.make_workspace(self.place.sandbox, mounts)

    def attend(self, bench: Bench, live_s: Optional[int], over: threading.Event) -> None:
        if self.node[0]:
            return  # orders are the first one's
        if over.wait(_LOOK_S):  # most jobs are given none, and a job that starts need not wait for what loads here
            return
        from prominence.core.orders import Verb
        from prominence.executor import live, orders
        from prominence.executor.accesspoint import AccessPoint

        acts: Dict[Verb, orders.Act] = {
            Verb.RUN: lambda order: orders.run_command(order, bench.runtimes),
            Verb.SNAPSHOT: lambda order: orders.take_snapshot(order, bench.workspace.home, self.place.sandbox),
            Verb.WALLTIME: lambda order: orders.change_walltime(order, bench.walltime),
        }
        there = AccessPoint(self.place.sandbox)
        gauge = None if live_s is None else live.Gauge(there, bench.runtimes.values(), live_s)
        orders.Desk(there, acts).serve(over, _LOOK_S, (lambda: None) if gauge is None else gauge.turn)

    def storage(self, plan: PlannedStorage, patience_s: float) -> Storage:
        from prominence.executor.adapters import mounts  # few jobs have any

        secret = self._read_once(StorageSecret, STORAGE_FILE).secret
        names = {environment.JOB: self.job_id, environment.WORKFLOW: self.place.workflow}
        return mounts.storage(plan, secret, self.place.sandbox.resolve() / "storage", names, patience_s)

    def company(self, plan: ExecutionPlan, bench: Bench) -> Company:
        if self.node[0] or not any(task.beside for task in plan.tasks):
            return Alone()
        from prominence.executor.accesspoint import AccessPoint
        from prominence.executor.sidecars import Sidecars

        return Sidecars(plan, bench, lambda: AccessPoint(self.place.sandbox))

    def team(self, plan: ExecutionPlan) -> Team:
        number, count = self.node
        if count == 1:
            return Single()
        from prominence.executor.accesspoint import AccessPoint  # with what follows, for few jobs
        from prominence.executor.firstnode import First
        from prominence.executor.nodes import Seat
        from prominence.executor.othernode import Other
        from prominence.executor.team import FirstTeam, OtherTeam

        def reach() -> AccessPoint:
            return AccessPoint(self.place.sandbox)

        seat = Seat(self.job_id, number, count, self.host, self.place.address)
        if number:
            return OtherTeam(Other(reach, seat), reach, self.place.unmet)
        return FirstTeam(First(reach, seat), plan, self.place.completions - self.place.unmet, reach, self.place.unmet)

    def files(self, plan: ExecutionPlan, workspace: sandbox.Workspace) -> Files:
        if not plan.has_files:
            return NoFiles()
        from prominence.executor.staging import Staging  # what speaks HTTP takes as long to load as all the rest

        return Staging(plan, workspace, self.place.sandbox)

    def image_files(self, plan: ExecutionPlan, workspace: sandbox.Workspace) -> Optional[ImageFiles]:
        if all(task.file is None for task in plan.tasks):
            return None
        from prominence.executor.staging import image_files  # as above

        return image_files(plan, workspace, self.place.sandbox, self.disk_kib, self.broker_socket)

    def _read_once(self, kind: Type[T], name: str) -> T:
        """A file with secrets is gone before a task runs, which might get out of its container."""
        file = self.place.sandbox / name
        found = document.loads(kind, file.read_text(encoding="utf-8"))
        file.unlink()
        return found

    def _known(self, name: str) -> Iterator[ContainerRuntime]:
        """The ways to have this runtime here, best first."""
        if name == "apptainer":
            directory = self.place.sandbox.resolve() / "apptainer"
            yield LateApptainer(directory, self.place.network, os.environ, self.place.apptainer, self.broker_socket)
            return
        if name == "docker":
            yield Broker(self.broker_socket, self.place.sandbox, self.patience_s)
        if name in RUNTIMES:
            from prominence.executor.adapters.docker import DockerCommand  # rarely: each import keeps jobs waiting

            yield DockerCommand(name, self.place.network, os.environ)
        if name == "udocker" and name in self.allowed:
            from prominence.executor.adapters.udocker import Udocker

            yield Udocker(self.place.sandbox.resolve() / "udocker", os.environ)
        if name == "process" and name in self.allowed:
            from prominence.executor.adapters.bare import BareProcess

            yield BareProcess(os.environ)

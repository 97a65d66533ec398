"""The executor's process: `executor.pyz plan.json`, started by HTCondor in the job's sandbox.

Reads the plan, runs its tasks in containers, and writes report.json beside it whatever happens. Its exit code is
the job's: see `exits`. `executor.pyz --runtimes`, run by an ordinary user, tries out what this worker can run
containers with; the worker tells HTCondor, and jobs rely on it. The environment variable PROMINENCE_BROKER_SOCKET
says where the broker listens, if not in its usual place.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from prominence.core import document
from prominence.core.plan import ExecutionPlan
from prominence.core.report import FILE_NAME, ExecutionReport
from prominence.executor import choice, condor, environment, exits, handing_back, sandbox
from prominence.executor.adapters.broker import Broker
from prominence.executor.adapters.late import LateApptainer
from prominence.executor.broker import protocol
from prominence.executor.ports import ContainerRuntime, RuntimeUnavailable, Stop, WorkerLost
from prominence.executor.run import Files, Found, NoFiles, run

_LOOK_S = 0.5
"""How soon an order to the running job is seen."""
_ROOM = 16 * 1024 * 1024
"""Bytes on the worker's disk without which it is full: what a job's report and its last output need, many times."""
_PROCESSES = 4096
"""Of the job's account, where the runtime cannot limit them by container."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run a plan, or tell what could run one."""
    plan, patience_s = _options(sys.argv[1:] if arguments is None else arguments)
    place = condor.surroundings(os.environ, socket.gethostname())
    machine = Machine(place, os.environ.get("PROMINENCE_BROKER_SOCKET", protocol.SOCKET), patience_s)
    if plan is None:
        print(" ".join(machine.works()))
        return 0
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop.request)
    _limit_processes()
    exit_code = run(lambda: _read(plan), machine, lambda report: _write(place.sandbox, report), stop)
    return handing_back.hand_back(stop, machine.is_well) if exit_code == exits.HANDED_BACK else exit_code


def _options(arguments: Sequence[str]) -> Tuple[Optional[Path], float]:
    """The plan to carry out, None to tell of runtimes; and how long to wait for the broker to start."""
    if len(arguments) == 1 and not arguments[0].startswith("-"):
        return Path(arguments[0]), 0.0  # as HTCondor starts us: a job need not wait until a parser is loaded
    import argparse

    parser = argparse.ArgumentParser(prog="executor.pyz", description="Runs one job on a worker.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("plan", nargs="?", help="the plan to carry out")
    what.add_argument(
        "--runtimes",
        action="store_true",
        help="try out the container runtimes of this worker, print those that work, and end",
    )
    parser.add_argument("--wait", type=float, default=0.0, metavar="S", help="seconds to wait for the broker to start")
    chosen = parser.parse_args(arguments)
    return None if chosen.runtimes else Path(chosen.plan), chosen.wait


RUNTIMES = ("apptainer", "docker", "podman")
"""All that there are, in the order in which `--runtimes` tells them."""


class Machine:
    """`run.Worker` made of the real parts of this machine."""

    def __init__(self, place: condor.Surroundings, broker_socket: str, patience_s: float = 0.0) -> None:
        self.place = place
        self.broker_socket = broker_socket
        self.patience_s = patience_s

    @property
    def job_id(self) -> str:
        return self.place.job_id

    @property
    def host(self) -> str:
        return self.place.host

    @property
    def cpu_model(self) -> str:
        with suppress(OSError), open("/proc/cpuinfo", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        return ""

    @property
    def disk_kib(self) -> Optional[int]:
        return self.place.disk_kib

    @property
    def cpus(self) -> Optional[int]:
        return self.place.cpus

    @property
    def gpus(self) -> Dict[str, str]:
        return {name: os.environ[name] for name in environment.OF_GPUS if name in os.environ}

    def works(self) -> List[str]:
        """The runtimes that this worker can promise, each tried out."""
        found = self.find(RUNTIMES).runtimes
        return [name for name, one in found.items() if not isinstance(one, LateApptainer) or one.can_run()]

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

    def workspace(self, runtimes: Dict[str, ContainerRuntime], mounts: int) -> sandbox.Workspace:
        # The broker shows its own directories to containers and no others; every other runtime can show these too.
        broker = runtimes.get("docker")
        if isinstance(broker, Broker):
            return broker.workspace(mounts)
        return sandbox.make_workspace(self.place.sandbox, mounts)

    def attend(self, runtimes: Mapping[str, ContainerRuntime], over: threading.Event) -> None:
        if over.wait(_LOOK_S):  # most jobs are given none, and a job that starts need not wait for what loads here
            return
        from prominence.core.orders import Verb
        from prominence.executor.accesspoint import AccessPoint
        from prominence.executor.orders import Desk, run_command

        Desk(AccessPoint(self.place.sandbox), {Verb.RUN: lambda order: run_command(order, runtimes)}).serve(
            over, _LOOK_S
        )

    def files(self, plan: ExecutionPlan, workspace: sandbox.Workspace) -> Files:
        if not plan.has_files:
            return NoFiles()
        from prominence.executor.staging import Staging  # what speaks HTTP takes as long to load as all the rest

        return Staging(plan, workspace, self.place.sandbox)

    def _known(self, name: str) -> Iterator[ContainerRuntime]:
        """The ways to have this runtime here, best first."""
        if name == "apptainer":
            directory = self.place.sandbox.resolve() / "apptainer"
            yield LateApptainer(directory, self.place.network, os.environ, self.place.apptainer)
            return
        if name == "docker":
            yield Broker(self.broker_socket, self.place.sandbox, self.patience_s)
        if name in RUNTIMES:
            from prominence.executor.adapters.docker import DockerCommand  # rarely: each import keeps jobs waiting

            yield DockerCommand(name, self.place.network, os.environ)


def _read(file: Path) -> ExecutionPlan:
    return document.loads(ExecutionPlan, file.read_text(encoding="utf-8"))


def _write(directory: Path, report: ExecutionReport) -> bool:
    """Replace the report in one step: whoever looks sees a whole one. Whether it could be written.

    The disk is not waited for, since a sandbox does not outlive its worker.
    """
    partial = directory / f".{FILE_NAME}.part"
    try:
        partial.write_text(document.dumps(report), encoding="utf-8")
        os.replace(partial, directory / FILE_NAME)
    except OSError as error:
        print(f"prominence: the report cannot be written: {error}", file=sys.stderr)
        return False
    return True


def _limit_processes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    limits = [limit for limit in (soft, hard, _PROCESSES) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_NPROC, (min(limits), min(limits)))


if __name__ == "__main__":
    sys.exit(main())

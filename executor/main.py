"""The executor's process: `executor.pyz plan.json`, started by HTCondor in the job's sandbox.

Reads the plan, runs its tasks in containers, and writes report.json beside it whatever happens. Its exit code is
the job's: see `exits`. `executor.pyz --runtimes`, run by an ordinary user, tries out what this worker can run
containers with, and `--storage` what storage of users' own it can mount; the worker tells HTCondor, and jobs rely on
it. The environment variable PROMINENCE_BROKER_SOCKET
says where the broker listens, if not in its usual place.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Callable, Optional, Sequence, Tuple

from prominence.core import document
from prominence.core.plan import ExecutionPlan
from prominence.core.report import FILE_NAME, ExecutionReport, of_node
from prominence.executor import condor, environment, exits, handing_back, saying
from prominence.executor.broker import protocol
from prominence.executor.machine import IF_ALLOWED, RUNTIMES, Machine
from prominence.executor.ports import Stop
from prominence.executor.run import run

_PROCESSES = 4096
"""Of the job's account, where the runtime cannot limit them by container."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run a plan, or tell what could run one."""
    said = sys.argv[1:] if arguments is None else arguments
    if list(said) == ["--keep"]:
        from prominence.executor import keeper  # for jobs with sidecars alone

        return keeper.keep()
    if list(said[:1]) == ["--enclose"]:
        from prominence.executor.adapters import enclosed  # for jobs with storage alone

        return enclosed.enclose(said[1:])
    if list(said) == ["--storage"]:
        from prominence.executor.adapters import mounts  # as above

        print(" ".join(mounts.kinds_here()))
        return 0
    plan, patience_s, allowed, tell = _options(said)
    place = condor.surroundings(os.environ, socket.gethostname())
    machine = Machine(place, os.environ.get("PROMINENCE_BROKER_SOCKET", protocol.SOCKET), patience_s, allowed)
    if tell is not None:
        print(tell(machine))
        return 0
    assert plan is not None
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop.request)
    _limit_processes()
    exit_code = run(lambda: _read(plan, place), machine, lambda report: _write(place.sandbox, report), stop)
    if stop.requested:
        _send_home(place)
    return handing_back.hand_back(stop, machine.is_well) if exit_code == exits.HANDED_BACK else exit_code


def _runtimes(machine: Machine, only: Sequence[str]) -> str:
    return " ".join(name for name in machine.works() if not only or name in only)


def _nodes_meet(machine: Machine) -> str:
    return "true" if machine.lets_nodes_meet() else "false"


_Tell = Callable[[Machine], str]


def _options(arguments: Sequence[str]) -> Tuple[Optional[Path], float, Sequence[str], Optional[_Tell]]:
    """The plan to carry out; how long to wait for the broker to start; what is allowed; what to tell instead."""
    if len(arguments) == 1 and not arguments[0].startswith("-"):
        return Path(arguments[0]), 0.0, (), None  # as HTCondor starts us: a job need not wait until a parser is loaded
    import argparse

    parser = argparse.ArgumentParser(prog="executor.pyz", description="Runs one job on a worker.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("plan", nargs="?", help="the plan to carry out")
    what.add_argument(
        "--runtimes",
        action="store_true",
        help="try out the container runtimes of this worker, print those that work, and end",
    )
    what.add_argument(
        "--between-nodes",
        action="store_true",
        help="print whether containers here reach those of a job's other nodes, and end",
    )
    parser.add_argument("--wait", type=float, default=0.0, metavar="S", help="seconds to wait for the broker to start")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=IF_ALLOWED,
        help="a runtime that isolates nothing, for jobs to have here all the same",
    )
    parser.add_argument(
        "--only", action="append", default=[], choices=(*RUNTIMES, *IF_ALLOWED), help="print none but this one"
    )
    chosen = parser.parse_args(arguments)
    tell: Optional[_Tell] = None
    if chosen.runtimes:
        tell = partial(_runtimes, only=chosen.only)
    elif chosen.between_nodes:
        tell = _nodes_meet
    return None if tell else Path(chosen.plan), chosen.wait, chosen.allow, tell


def _read(file: Path, place: condor.Surroundings) -> ExecutionPlan:
    plan = document.loads(ExecutionPlan, file.read_text(encoding="utf-8"))
    if place.job_id:
        plan = environment.told_of_itself(plan, place.job_id, place.workflow)
    if place.end is not None:
        plan = environment.told_of_the_end(plan, place.end)
    if not place.parameters:
        return plan
    from urllib.parse import unquote  # few jobs have any

    from prominence.core import substitution

    return substitution.with_values(plan, substitution.read_values(unquote(place.parameters)))


def _write(directory: Path, report: ExecutionReport) -> bool:
    """Replace the report in one step: whoever looks sees a whole one. Whether it could be written.

    The disk is not waited for, since a sandbox does not outlive its worker.
    """
    partial = directory / f".{FILE_NAME}.part"
    try:
        partial.write_text(document.dumps(report), encoding="utf-8")
        os.replace(partial, directory / FILE_NAME)
    except OSError as error:
        saying.say(f"prominence: the report cannot be written: {error}")
        return False
    return True


def _send_home(place: condor.Surroundings) -> None:
    """HTCondor fetches no files of a job that was told to stop; what became of it is to be known all the same."""
    from prominence.executor.accesspoint import AccessPoint  # rarely: each import keeps jobs waiting

    with suppress(OSError):  # of which not being heard is one
        AccessPoint(place.sandbox).write(of_node(FILE_NAME, place.node[0]), (place.sandbox / FILE_NAME).read_bytes())


def _limit_processes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    limits = [limit for limit in (soft, hard, _PROCESSES) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_NPROC, (min(limits), min(limits)))


if __name__ == "__main__":
    sys.exit(main())

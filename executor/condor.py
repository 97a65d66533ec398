"""What HTCondor tells a job about itself: the ads in its sandbox.

They are in the old text form, an attribute a line. Only plain strings and numbers are needed here, so that no
ClassAd library has to be on the worker.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Dict, Mapping, NamedTuple, Optional, Tuple

_CLUSTER_ID = "clusterid"
_ARRAY_INDEX = "prominencearrayindex"
_ARRAY_COUNT = "prominencearraycount"
_NODE = "prominencenode"
_NODE_COUNT = "prominencenodecount"
_UNMET = "chirpprominenceunmet"
_COMPLETIONS = "numjobcompletions"
_ADDRESS = "myaddress"
_PARAMETERS = "prominenceparameters"
_WORKFLOW_END = "prominenceworkflowend"
_WORKFLOW = "dagmanjobid"
_MACHINE = "machine"
_DISK = "disk"
_CPUS = "cpus"
_TASK_NETWORK = "prominencetasknetwork"
_RUNTIMES = "prominenceruntimes"
_APPTAINER = "prominenceapptainer"
_UNDEFINED = "undefined"


class Surroundings(NamedTuple):
    """job_id: the job's number, "" outside HTCondor. host: the execute point's name. network: what tasks may reach.

    runtimes: those that the worker is known to have, as it has told HTCondor; None: it has told nothing. disk_kib,
    cpus: the slot's; None: it has not told them either. apptainer: the version that it has told, "" if it has not.
    member: of an array its place in it, counted from 0, and how many there are; None for a job of its own.
    parameters: of a workflow's job, as its ad has them; "" for none. workflow: its number; "" for none. end: of one
    that runs when all others have ended, DAGMan's word on how, 0 where all is well, and how many have failed.
    node: of a job of several, which of how many this is, counted from 0. address: where the worker's neighbours reach
    it, "" if it has not told. completions: how often the job has ended before; unmet: how often this node has not met
    the others.
    """

    sandbox: Path
    job_id: str
    host: str
    network: str
    runtimes: Optional[Tuple[str, ...]] = None
    disk_kib: Optional[int] = None
    apptainer: str = ""
    cpus: Optional[int] = None
    member: Optional[Tuple[int, int]] = None
    parameters: str = ""
    end: Optional[Tuple[int, int]] = None
    workflow: str = ""
    node: Tuple[int, int] = (0, 1)
    address: str = ""
    completions: int = 0
    unmet: int = 0


def surroundings(environment: Mapping[str, str], host: str) -> Surroundings:
    """Where we are. host: this machine's name, for where HTCondor does not tell one."""
    job = attributes(_text(environment.get("_CONDOR_JOB_AD", "")))
    machine = attributes(_text(environment.get("_CONDOR_MACHINE_AD", "")))
    cluster, member = job.get(_CLUSTER_ID, ""), _pair(job, _ARRAY_INDEX, _ARRAY_COUNT)
    return Surroundings(
        sandbox=Path(environment.get("_CONDOR_SCRATCH_DIR") or os.getcwd()),
        job_id=cluster if member is None else f"{cluster}.{member[0]}",
        host=machine.get(_MACHINE, host),
        network=machine.get(_TASK_NETWORK, "none"),
        runtimes=_names(machine.get(_RUNTIMES, _UNDEFINED)),
        disk_kib=_whole(machine.get(_DISK, _UNDEFINED)),
        apptainer=machine.get(_APPTAINER, "").replace(_UNDEFINED, ""),
        cpus=_whole(machine.get(_CPUS, _UNDEFINED)),
        member=member,
        parameters=job.get(_PARAMETERS, ""),
        end=_end(job.get(_WORKFLOW_END, "")),
        workflow=job.get(_WORKFLOW, "").replace(_UNDEFINED, ""),
        node=_pair(job, _NODE, _NODE_COUNT) or (0, 1),
        address=_host_of(machine.get(_ADDRESS, "")),
        completions=_whole(job.get(_COMPLETIONS, "")) or 0,
        unmet=_whole(job.get(_UNMET, "")) or 0,
    )


def attributes(ad: str) -> Dict[str, str]:
    """Attributes by their names in lower case, as ClassAds ignore case; strings without their quotes."""
    found: Dict[str, str] = {}
    for line in ad.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found[name.strip().lower()] = _plain(value.strip())
    return found


def _pair(job: Mapping[str, str], place: str, number: str) -> Optional[Tuple[int, int]]:
    index, count = (_whole(job.get(name, _UNDEFINED)) for name in (place, number))
    return None if index is None or count is None else (index, count)


def _end(value: str) -> Optional[Tuple[int, int]]:
    found = re.fullmatch(r"(\d+) (\d+)", value)
    return None if found is None else (int(found[1]), int(found[2]))


def _host_of(address: str) -> str:
    """Of HTCondor's way to write an address: <10.0.0.5:9618?...>."""
    found = re.match(r"<([0-9.]+|\[[0-9a-f:]+\]):", address)
    return found[1].strip("[]") if found else ""


def _names(value: str) -> Optional[Tuple[str, ...]]:
    return None if value == _UNDEFINED else tuple(re.split(r"[,\s]+", value))


def _whole(value: str) -> Optional[int]:
    return int(value) if value.isdecimal() else None


def _plain(value: str) -> str:
    if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
        return value[1:-1].replace('\\"', '"')
    return value


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace") if file else ""
    except OSError:
        return ""

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
_MACHINE = "machine"
_DISK = "disk"
_CPUS = "cpus"
_TASK_NETWORK = "prominencetasknetwork"
_RUNTIMES = "prominenceruntimes"
_APPTAINER = "prominenceapptainer"
_UNDEFINED = "undefined"


class Surroundings(NamedTuple):
    """job_id: the ClusterId, "" outside HTCondor. host: the execute point's name. network: what tasks may reach.

    runtimes: those that the worker is known to have, as it has told HTCondor; None: it has told nothing. disk_kib,
    cpus: the slot's; None: it has not told them either. apptainer: the version that it has told, "" if it has not.
    """

    sandbox: Path
    job_id: str
    host: str
    network: str
    runtimes: Optional[Tuple[str, ...]] = None
    disk_kib: Optional[int] = None
    apptainer: str = ""
    cpus: Optional[int] = None


def surroundings(environment: Mapping[str, str], host: str) -> Surroundings:
    """Where we are. host: this machine's name, for where HTCondor does not tell one."""
    job = attributes(_text(environment.get("_CONDOR_JOB_AD", "")))
    machine = attributes(_text(environment.get("_CONDOR_MACHINE_AD", "")))
    return Surroundings(
        sandbox=Path(environment.get("_CONDOR_SCRATCH_DIR") or os.getcwd()),
        job_id=job.get(_CLUSTER_ID, ""),
        host=machine.get(_MACHINE, host),
        network=machine.get(_TASK_NETWORK, "none"),
        runtimes=_names(machine.get(_RUNTIMES, _UNDEFINED)),
        disk_kib=_whole(machine.get(_DISK, _UNDEFINED)),
        apptainer=machine.get(_APPTAINER, "").replace(_UNDEFINED, ""),
        cpus=_whole(machine.get(_CPUS, _UNDEFINED)),
    )


def attributes(ad: str) -> Dict[str, str]:
    """Attributes by their names in lower case, as ClassAds ignore case; strings without their quotes."""
    found: Dict[str, str] = {}
    for line in ad.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found[name.strip().lower()] = _plain(value.strip())
    return found


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

"""What somebody who has taken over a worker would try. Runs there, as root, with HTCondor's own bindings.

python3 taken_over.py TARGETS DEED...: TARGETS is JSON, addresses by daemon. Prints a JSON object: of each deed whether
it was done, and what came of it. Each is done in a process of its own, for refused bindings may hang or crash.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import classad2
import htcondor2

Targets = dict[str, str]

# Older bindings raise what Python has, newer ones their own.
REFUSALS = (getattr(htcondor2, "HTCondorException", RuntimeError), RuntimeError, OSError, ValueError)

UPDATES = (
    *("UPDATE_STARTD_AD", "UPDATE_MASTER_AD", "UPDATE_SCHEDD_AD", "UPDATE_SUBMITTOR_AD", "UPDATE_NEGOTIATOR_AD"),
    *("UPDATE_COLLECTOR_AD", "UPDATE_ACCOUNTING_AD", "UPDATE_AD_GENERIC", "UPDATE_LICENSE_AD", "UPDATE_STORAGE_AD"),
    *("UPDATE_HAD_AD", "UPDATE_GRID_AD", "MERGE_STARTD_AD"),
)
TYPES = (
    "Machine",
    "DaemonMaster",
    "Scheduler",
    "Submitter",
    "Negotiator",
    "Collector",
    "Accounting",
    "Generic",
    "StartD",
)
INVALIDATIONS = (
    *("INVALIDATE_SCHEDD_ADS", "INVALIDATE_SUBMITTOR_ADS", "INVALIDATE_NEGOTIATOR_ADS", "INVALIDATE_COLLECTOR_ADS"),
    *("INVALIDATE_ACCOUNTING_ADS", "INVALIDATE_ADS_GENERIC"),
)


def daemon(address: str, kind: str = "Scheduler") -> Any:
    """Where a daemon is, as a collector would say it."""
    version = htcondor2.version()
    return classad2.ClassAd(
        {"MyAddress": address, "MyType": kind, "Name": "x", "Machine": "x", "CondorVersion": version}
    )


def schedd(at: Targets) -> Any:
    return htcondor2.Schedd(daemon(at["schedd"]))


def read_the_collector(at: Targets) -> Any:
    return [ad.get("Name") for ad in htcondor2.Collector().query(htcondor2.AdType.Any)]


def read_claim_ids(at: Targets) -> Any:
    """Whoever knows a claim's id may use the slot."""
    return [str(ad) for ad in htcondor2.Collector().query(htcondor2.AdType.StartdPrivate)]


def read_the_queue(at: Targets) -> Any:
    return [str(ad.get("ClusterId")) for ad in schedd(at).query()]


def read_the_history(at: Targets) -> Any:
    return [str(ad.get("ClusterId")) for ad in schedd(at).history(constraint="true", projection=["ClusterId"])]


def submit(at: Targets) -> Any:
    return schedd(at).submit(htcondor2.Submit({"executable": "/bin/true", "My.TakenOver": "true"})).cluster()


def hold(at: Targets) -> Any:
    return _done(schedd(at).act(htcondor2.JobAction.Hold, "JobStatus =!= 4", "taken over"))


def remove(at: Targets) -> Any:
    return _done(schedd(at).act(htcondor2.JobAction.Remove, "JobStatus =!= 4", "taken over"))


def edit(at: Targets) -> Any:
    schedd(at).edit("JobStatus =!= 4", "TakenOver", "true")
    return "edited"


def read_priorities(at: Targets) -> Any:
    return [str(ad.get("Name")) for ad in htcondor2.Negotiator(daemon(at["negotiator"])).getPriorities()]


def set_a_priority(at: Targets) -> Any:
    htcondor2.Negotiator(daemon(at["negotiator"])).setFactor("taken@over", 7.0)
    return "set"


def reconfigure(at: Targets) -> Any:
    return _command(at, "Reconfig")


def turn_off(at: Targets) -> Any:
    return _command(at, "OffFast")


def drain_a_neighbour(at: Targets) -> Any:
    return htcondor2.Startd(daemon(at["startd"], "Machine")).drainJobs()


def advertise_others(at: Targets) -> Any:
    """Any kind of ad under any name that is not its own; what was let in is seen in the collector."""
    names = (
        (at["other"], f"slot1@{at['other']}"),
        (at["own"], f"slot1@{at['other']}"),
        (at["other"], f"slot1@{at['own']}"),
        (at["own"], at["other"]),
        (at["own"], f"slot1@{at['own']}@{at['other']}"),
        (at["own"], f"x{at['own']}"),
        (at["other"], at["other"]),
        ("ap", "ap"),
    )
    as_a_worker = [_ad(at, kind, *name) for kind in ("Machine", "DaemonMaster", "StartD") for name in names]
    as_another = [_ad(at, kind, "ap", "ap") for kind in TYPES]
    may_send = ("UPDATE_STARTD_AD", "UPDATE_MASTER_AD")
    return _each(may_send, as_a_worker + as_another) + _each(UPDATES, as_another[:1])


def advertise_itself(at: Targets) -> Any:
    own = {"Machine": at["own"], "Name": at["own"], "MyType": "DaemonMaster", "TakenOver": True}
    htcondor2.Collector().advertise([classad2.ClassAd(own)], "UPDATE_MASTER_AD", True)
    return "sent"


def take_away_ads(at: Targets) -> Any:
    """Of everything that is no worker's."""
    return _each(INVALIDATIONS, [{"MyType": "Query", "TargetType": "Any"}])


def take_away_the_neighbours_ads(at: Targets) -> Any:
    query = classad2.ClassAd({"MyType": "Query", "TargetType": "Machine"})
    query["Requirements"] = classad2.ExprTree(f"Machine == {classad2.quote(at['other'])}")
    htcondor2.Collector().advertise([query], "INVALIDATE_STARTD_ADS", True)
    return "sent"


def _ad(at: Targets, kind: str, machine: str, name: str) -> dict[str, Any]:
    return {"Machine": machine, "Name": name, "MyType": kind, "MyAddress": at["schedd"], "TakenOver": True}


def _command(at: Targets, name: str) -> Any:
    done, refusals = [], []
    for target in ("master", "collector", "schedd", "negotiator", "startd", "startds_master"):
        try:
            htcondor2.send_command(daemon(at[target], "DaemonMaster"), getattr(htcondor2.DaemonCommand, name), "")
            done.append(target)
        except REFUSALS as error:
            refusals.append(f"{target}: {error}")
    return _at_least_one(done, refusals)


def _each(commands: tuple[str, ...], ads: list[dict[str, Any]]) -> Any:
    done, refusals = [], []
    for command in commands:
        for fields in ads:
            ad = classad2.ClassAd(fields)
            ad["Requirements"] = classad2.ExprTree("true")
            try:
                htcondor2.Collector().advertise([ad], command, True)
                done.append(command)
            except REFUSALS as error:
                refusals.append(f"{command}: {error}")
    return _at_least_one(done, refusals)


def _at_least_one(done: list[str], refusals: list[str]) -> list[str]:
    if not done:
        raise PermissionError("; ".join(refusals))
    return sorted(set(done))


def _done(result: Any) -> Any:
    if not result["TotalSuccess"]:
        raise PermissionError(f"nothing was done: {result}")
    return result["TotalSuccess"]


DEEDS: dict[str, Callable[[Targets], Any]] = {
    deed.__name__: deed
    for deed in (
        *(read_the_collector, read_claim_ids, read_the_queue, read_the_history, read_priorities),
        *(submit, hold, remove, edit, set_a_priority, reconfigure, turn_off, drain_a_neighbour),
        *(advertise_others, advertise_itself, take_away_ads, take_away_the_neighbours_ads),
    )
}


def attempt(targets: str, deed: str) -> tuple[bool, str]:
    """Whether it was done, and what came of it."""
    command = [sys.executable, __file__, "--one", targets, deed]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    return done.returncode == 0, f"{done.stdout}{done.stderr}"


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        print(DEEDS[sys.argv[3]](json.loads(sys.argv[2])))
    else:
        print(json.dumps({deed: attempt(sys.argv[1], deed) for deed in sys.argv[2:]}))

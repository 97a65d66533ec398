"""What jobs have used, counted again from HTCondor's history, without a line of the service's own code.

condor_history -json | python3 recount.py
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SCHEDULER = 7
"""HTCondor's number for the universe of jobs that run on the access point."""


@dataclass
class Counted:
    """In hours."""

    jobs: int = 0
    wall: float = 0.0
    cpu: float = 0.0


def recount(ads: Iterable[Mapping[str, Any]], by: str = "ProminenceIdentity") -> dict[str, Counted]:
    """By this attribute. HTCondor may write a record twice. What runs a workflow is on the access point, and no job."""
    have_run = [ad for ad in ads if ad.get("RemoteWallClockTime") and ad["JobUniverse"] != SCHEDULER]
    each = {(ad["ClusterId"], ad["ProcId"]): ad for ad in have_run}
    found: defaultdict[str, Counted] = defaultdict(Counted)
    for ad in each.values():
        cores = ad["RequestCpus"]
        seconds = ad["RemoteWallClockTime"] * cores if isinstance(cores, int) else ad["CumulativeSlotTime"]
        counted = found[ad.get(by, "")]
        counted.jobs += 1
        counted.wall += seconds / 3600
        counted.cpu += (ad.get("CumulativeRemoteUserCpu", 0) + ad.get("CumulativeRemoteSysCpu", 0)) / 3600
    return dict(found)


if __name__ == "__main__":
    for name, counted in sorted(recount(json.load(sys.stdin)).items()):
        print(f"{name}: {counted.jobs} jobs, {counted.wall:.4f} h wall time times cores, {counted.cpu:.4f} h CPU time")

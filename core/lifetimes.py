"""Of machines that are there for a time only: which jobs can still end there, by their walltimes. Pure."""

from __future__ import annotations

from typing import NamedTuple

WALLTIME = "ProminenceWalltime"
ENDS_AT = "ProminenceEndsAt"
"""Attributes, see `classads`, whose library not every worker has."""

VACATE_S = 60
"""How long jobs have to leave before a machine's time is over."""
MARGIN_S = 180
"""What a job may need beyond its walltime, for its image as for its outputs. One that would not have it waits."""
JOINING_S = 300
"""Of a machine's time what may be over before it has joined the pool and a job is matched to it."""

START = f"time() + TARGET.{WALLTIME} + {VACATE_S + MARGIN_S} <= MY.{ENDS_AT}"
"""Of a machine that tells when its time is over: a job may start there that ends before. One that tells no walltime may
not."""


class Walltimes(NamedTuple):
    """Of jobs, in seconds: longer than one and at most the other. None: there is no longest."""

    over_s: int = 0
    up_to_s: int | None = None

    def hold(self, walltime_s: int) -> bool:
        """Whether it is one of them."""
        return self.over_s < walltime_s and (self.up_to_s is None or walltime_s <= self.up_to_s)


ANY = Walltimes()


def longest_now(left_s: float) -> int:
    """The longest walltime of a job that can start on a machine with so many seconds left; 0: of none."""
    return max(0, int(left_s) - VACATE_S - MARGIN_S)


def longest_ever(lifetime_s: int) -> int:
    """The same of a machine that has to start first, and is there for so long."""
    return longest_now(lifetime_s - JOINING_S)

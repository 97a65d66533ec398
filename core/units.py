"""Cores, MiB, KiB, minutes: the only place that converts between them.

People write GB. One GB of memory is asked of HTCondor as 1000 MiB, as the service always did, so that a job of
4 GB fits a machine sold as 4 GB whose kernel keeps some; one GB of disk is 1024 x 1024 KiB.
"""

from __future__ import annotations

import math

MIB_PER_GB_OF_MEMORY = 1000
KIB_PER_GB_OF_DISK = 1024 * 1024
KIB_PER_MIB = 1024
BYTES_PER_KIB = 1024
SECONDS_PER_MINUTE = 60


def memory_mib(gigabytes: float) -> int:
    """Memory to ask of HTCondor, in MiB, rounded up."""
    return math.ceil(gigabytes * MIB_PER_GB_OF_MEMORY)


def memory_gb(mib: int) -> float:
    """The inverse, in GB with at most two decimals."""
    return round(mib / MIB_PER_GB_OF_MEMORY, 2)


def disk_kib(gigabytes: float) -> int:
    """Disk to ask of HTCondor, in KiB, rounded up."""
    return math.ceil(gigabytes * KIB_PER_GB_OF_DISK)


def disk_gb(kib: int) -> float:
    """The inverse, in GB with at most two decimals."""
    return round(kib / KIB_PER_GB_OF_DISK, 2)


def mib_needed(kib: int) -> int:
    """KiB in whole MiB, so that it suffices."""
    return math.ceil(kib / KIB_PER_MIB)


def mib_available(kib: int) -> int:
    """KiB in whole MiB, so that it is really there."""
    return kib // KIB_PER_MIB


def mib_of_bytes(count: int) -> int:
    """Bytes in whole MiB, so that it is really there."""
    return mib_available(count // BYTES_PER_KIB)


def bytes_of_mib(mib: int) -> int:
    """MiB in bytes."""
    return kib(mib) * BYTES_PER_KIB


def bytes_of_gb(gigabytes: float) -> int:
    """GB of disk in bytes."""
    return disk_kib(gigabytes) * BYTES_PER_KIB


def kib(mib: int) -> int:
    """MiB in KiB."""
    return mib * KIB_PER_MIB


def seconds(minutes: int) -> int:
    """Minutes, as people write walltimes, in seconds."""
    return minutes * SECONDS_PER_MINUTE


def plainly(value_s: float) -> str:
    """A duration as people say it: "45 s", "12 min", "3 h 20 min"."""
    if value_s < 120:
        return f"{value_s:g} s"
    minutes = round(value_s / SECONDS_PER_MINUTE)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"

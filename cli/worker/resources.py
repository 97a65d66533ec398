"""How large this machine is, for who says nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

from prominence.cli.worker.offer import Machine

_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)


def here(meminfo: Path = Path("/proc/meminfo")) -> Machine:
    """Cores that this process may run on, and memory that nobody uses at the moment."""
    found = _AVAILABLE.search(meminfo.read_text())
    return Machine(len(os.sched_getaffinity(0)), int(found[1]) // 1024 if found else 0)

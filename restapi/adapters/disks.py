"""Disks as the operating system knows them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from prominence.core import units
from prominence.core.errors import Unavailable
from prominence.restapi.health.rules import Room


class LocalDisks:
    """Those of this machine."""

    def room(self, directory: Path) -> Room:
        try:
            # Some directories are made when something is first put there.
            there = next(path for path in (directory, *directory.parents) if path.exists())
            usage = shutil.disk_usage(there)
        except OSError as error:
            raise Unavailable(f"{directory} cannot be looked at: {error.strerror}") from error
        writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
        return Room(units.mib_of_bytes(usage.free), units.mib_of_bytes(usage.total), writable)

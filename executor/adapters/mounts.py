"""Which program mounts which kind of storage, and which kinds this worker has programs for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import List, Mapping

from prominence.core.plan import PlannedStorage
from prominence.core.substitution import substitute
from prominence.executor.adapters import oneclient, rclone
from prominence.executor.storage import Driver, Storage


def storage(plan: PlannedStorage, secret: str, where: Path, names: Mapping[str, str], patience_s: float) -> Storage:
    """where: a directory of the job's that is not there yet. names: what stands for what in the plan's directory."""
    directory = substitute(plan.directory, {name: value for name, value in names.items() if value}).strip("/")
    program = rclone.Rclone if plan.kind in rclone.KINDS else oneclient.OneClient
    driver: Driver = program(plan, directory, secret, where, _path())
    return Storage(driver, patience_s)


def kinds_here() -> List[str]:
    """As users call them, each tried out but for OneData's, which would need a provider."""
    path = _path()
    of_rclone = ["webdav", "b2drop", "s3"] if rclone.can_mount(path) else []
    return [*of_rclone, *(["onedata"] if shutil.which(oneclient.PROGRAM, path=path) else [])]


def _path() -> str:
    return os.environ.get("PATH", os.defpath)

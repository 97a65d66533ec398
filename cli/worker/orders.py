"""What imc tells a worker that it has submitted as a batch job: the files of a machine that is a worker."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Any

from prominence.cli.errors import ClientError

_CONFIG = "/etc/condor/config.d/50-worker.conf"
_INVITATION = "/etc/prominence/invitation.json"
_PROXIES = "/etc/prominence/proxies.json"
_WORKER = re.compile(r"[a-z][a-z0-9-]{0,61}[a-z0-9]")
_REFUSED = "What this worker is told is not what imc says."


@dataclass(frozen=True)
class Orders:
    """worker: its name in the pool. config: HTCondor's. minutes: for so long it is there, if nothing else tells."""

    worker: str
    config: str
    invitation: str = field(repr=False)
    proxies: str = field(default="", repr=False)
    minutes: int | None = None


def read(text: str) -> Orders:
    """Of a batch script's input. Raises ClientError."""
    try:
        told = json.loads(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise ClientError(_REFUSED) from error
    if not isinstance(told, dict):
        raise ClientError(_REFUSED)
    files: Any = told.get("files")
    worker, minutes = told.get("worker"), told.get("minutes")
    if not isinstance(files, dict) or not isinstance(worker, str) or not _WORKER.fullmatch(worker):
        raise ClientError(_REFUSED)
    config, invitation, proxies = (files.get(path, "") for path in (_CONFIG, _INVITATION, _PROXIES))
    if not (config and invitation and all(isinstance(one, str) for one in (config, invitation, proxies))):
        raise ClientError(_REFUSED)
    return Orders(worker, config, invitation, proxies, minutes if isinstance(minutes, int) and minutes > 0 else None)

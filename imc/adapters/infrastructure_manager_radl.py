"""RADL, in which an Infrastructure Manager is told what to make, and tells what it was told. Pure."""

from __future__ import annotations

import re
from typing import Any

from prominence.core.machines import Flavour
from prominence.imc.adapters.marks import POOL, WORKER
from prominence.imc.declared import ManagedSettings

_MIB = 1024 * 1024
_DESCRIBED = re.compile(r"^description worker \(([^)]*)\)", re.MULTILINE)
_FEATURE = re.compile(r"([\w.]+) = '([^']*)'")
_DEPLOYS = re.compile(r"^deploy ", re.MULTILINE)


def wanted(declared: ManagedSettings, pool: str, name: str, flavour: Flavour, user_data: str) -> list[dict[str, Any]]:
    """One machine with our marks, in RADL's form of JSON. Sizes are bytes there."""
    size = flavour.size
    types = [one.instance_type for one in declared.flavours if one.name == flavour.name and one.instance_type]
    system = {
        **declared.system,
        "cpu.count_min": size.cpus,
        "memory.size_min": size.memory_mib * _MIB,
        "disks.free_size_min": size.disk_mib * _MIB,
        "disk.0.image.url": declared.image,
        "net_interface.0.connection": "workers",
        "net_interface.0.dns_name": name,
        "instance_tags": f"{POOL}={pool},{WORKER}={name}",
    }
    if types:
        system["instance_type"] = types[0]
    by_cloud_init = {"system": "worker", "configure": "worker", "ctxt_tool": "cloud_init"}
    deployed = {"class": "deploy", "system": "worker", "vm_number": 1}
    return [
        {"class": "description", "id": "worker", POOL: pool, WORKER: name},
        {**declared.network, "class": "network", "id": "workers"},
        {**system, "class": "system", "id": "worker"},
        {"class": "configure", "id": "worker", "recipes": user_data},
        {"class": "contextualize", "items": [by_cloud_init]},
        deployed | ({"cloud": declared.cloud_id} if declared.cloud_id else {}),
    ]


def worker(text: str, pool: str) -> str:
    """Of which worker of this pool's it is; "" when it is none's."""
    described = _DESCRIBED.search(text)
    said = dict(_FEATURE.findall(described[0])) if described else {}
    return str(said.get(WORKER, "")) if said.get(POOL) == pool else ""


def is_complete(text: str) -> bool:
    """Whether all has been said: what is to be deployed comes last."""
    return bool(_DEPLOYS.search(text))

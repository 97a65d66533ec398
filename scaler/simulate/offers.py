"""The clouds of the shipped loads: machines, prices and boot times like those of research and public clouds."""

from __future__ import annotations

from prominence.core.machines import Flavour, Size
from prominence.scaler.simulate.load import Cloud

GIB = 1024
_DISK_PER_CORE = 20 * GIB

OWN, PUBLIC = "own", "public"

CORE_PRICE = {"compute": 0.0425, "general": 0.048, "memory": 0.063}
"""Per core and hour on the public cloud."""

GIB_PER_CORE = {"compute": 2, "general": 4, "memory": 8}

OWN_DISCOUNT = 0.5
"""What a core of an institute's own cloud costs of one of a public cloud."""

STANDARD = (
    *(f"{cloud}-general-16" for cloud in (OWN, PUBLIC)),
    *(f"{PUBLIC}-{kind}" for kind in ("memory-32", "general-64", "memory-64", "gpu-1", "gpu-4", "gpu-8")),
)
"""Few kinds that hold all jobs, as somebody would choose them who has to declare each."""


def own_cloud(limit: int = 20) -> Cloud:
    """Cheap and small: general machines only, slow to boot."""
    flavours = [_flavour(OWN, "general", cores, OWN_DISCOUNT) for cores in (4, 8, 16, 32)]
    return Cloud(OWN, tuple(flavours), limit, boot_s=150, spread=0.3)


def public_cloud(limit: int = 500, refused: float = 0.0, lost: float = 0.0) -> Cloud:
    """All kinds and sizes."""
    flavours = [_flavour(PUBLIC, family, cores, 1.0) for family in CORE_PRICE for cores in (2, 4, 8, 16, 32, 48, 64)]
    flavours += [_with_gpus(gpus) for gpus in (1, 4, 8)]
    return Cloud(PUBLIC, tuple(flavours), limit, boot_s=80, spread=0.25, refused=refused, lost=lost)


def _flavour(cloud: str, family: str, cores: int, discount: float) -> Flavour:
    size = Size(cpus=cores, memory_mib=cores * GIB_PER_CORE[family] * GIB, disk_mib=cores * _DISK_PER_CORE)
    price = round(cores * CORE_PRICE[family] * discount, 6)
    return Flavour(cloud=cloud, name=f"{cloud}-{family}-{cores}", size=size, price=price)


def _with_gpus(gpus: int) -> Flavour:
    size = Size(cpus=8 * gpus, memory_mib=32 * gpus * GIB, disk_mib=8 * gpus * _DISK_PER_CORE, gpus=gpus)
    return Flavour(cloud=PUBLIC, name=f"{PUBLIC}-gpu-{gpus}", size=size, price=round(0.9 * gpus, 6))

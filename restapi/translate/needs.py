"""What a job needs of a worker, with the site's defaults filled in, and in HTCondor's words. Pure.

A job may leave the number of its cores open. Then it is an expression: with a slot at hand the cores that the job would
get there, without one the fewest, so that a job that waits is counted and shown as one that needs those.
"""

from __future__ import annotations

from dataclasses import dataclass

from prominence.core import classads, units
from prominence.core.errors import Mistake
from prominence.core.resources import Gpus, Resources
from prominence.restapi.translate.site import Site

_CPUS, _MEMORY = f"TARGET.{classads.CPUS}", f"TARGET.{classads.MEMORY}"


@dataclass(frozen=True)
class Needs:
    """cpus: the fewest. most_cpus: None where their number is fixed. is_range: any number between will do, too.

    memory_mib: with the fewest cores; memory_mib_per_cpu: for each core, None where it is the same for any number.
    """

    cpus: int
    most_cpus: int | None
    is_range: bool
    memory_mib: int
    memory_mib_per_cpu: int | None
    disk_kib: int
    gpus: Gpus | None = None

    def commands(self) -> dict[str, str]:
        """For the submit description."""
        per_cpu = self.memory_mib_per_cpu if self.most_cpus is not None else None
        return {
            "request_cpus": self._request_cpus(),
            "request_memory": str(self.memory_mib) if per_cpu is None else f"{classads.REQUEST_CPUS} * {per_cpu}",
            "request_disk": str(self.disk_kib),
            **_gpus(self.gpus),
        }

    def requirements(self) -> list[str]:
        """What must hold of a slot besides."""
        if self.most_cpus is None:
            return []
        # A slot that is not carved is taken whole, as it is.
        fits = (
            f"{_CPUS} <= {self.most_cpus}" if self.is_range else f"member({_CPUS}, {{{self.cpus}, {self.most_cpus}}})"
        )
        return [
            f"{_CPUS} >= {classads.REQUEST_CPUS}",
            f'(TARGET.{classads.SLOT_TYPE} =?= "Partitionable" || {fits})',
        ]

    def _request_cpus(self) -> str:
        fewest, most, per_cpu = self.cpus, self.most_cpus, self.memory_mib_per_cpu
        if most is None:
            return str(fewest)
        if self.is_range:
            bounds = [_CPUS, str(most), *([f"int({_MEMORY} / {per_cpu})"] if per_cpu else [])]
            return f"ifThenElse({_CPUS} =?= undefined, {fewest}, max({{{fewest}, min({{{', '.join(bounds)}}})}}))"
        enough = [f"{_CPUS} >= {most}", *([f"{_MEMORY} >= {most * per_cpu}"] if per_cpu else [])]
        return f"ifThenElse(({' && '.join(enough)}) =?= true, {most}, {fewest})"


def _gpus(asked: Gpus | None) -> dict[str, str]:
    if asked is None:
        return {}
    least = {
        "gpus_minimum_memory": units.memory_mib(asked.minimumMemory) if asked.minimumMemory is not None else None,
        "gpus_minimum_capability": asked.capability,
    }
    return {
        "request_gpus": str(asked.count),
        **{name: f"{value}" for name, value in least.items() if value is not None},
    }


def needs(asked: Resources, site: Site) -> Needs:
    """Of a job that asks for this."""
    bounds = asked.cpusRange or asked.cpusOptions
    fewest, most = bounds or (asked.cpus or site.default_cpus, None)
    per_cpu = units.memory_mib(asked.memoryPerCpu) if asked.memoryPerCpu is not None else None
    memory = units.memory_mib(asked.memory or site.default_memory)
    return Needs(
        cpus=fewest,
        most_cpus=most,
        is_range=asked.cpusRange is not None,
        memory_mib=memory if per_cpu is None else fewest * per_cpu,
        memory_mib_per_cpu=per_cpu,
        disk_kib=units.disk_kib(asked.disk or site.default_disk),
        gpus=asked.gpus,
    )


def beyond(asked: Resources, site: Site) -> list[Mistake]:
    """What is more than the site allows."""
    cpus = (asked.cpusRange or asked.cpusOptions or (asked.cpus or site.default_cpus,))[-1]
    memory = asked.memory if asked.memoryPerCpu is None else asked.memoryPerCpu * cpus
    checks = (
        (("cpus", "cpusRange", "cpusOptions"), cpus, site.max_cpus, "cores"),
        (("memory", "memoryPerCpu"), memory, site.max_memory, "GB"),
        (("disk",), asked.disk, site.max_disk, "GB"),
        (("walltime",), asked.walltime, site.max_walltime, "minutes"),
    )
    return [
        Mistake(f"resources.{_named(asked, fields)}", f"this site gives a job at most {most:g} {unit}")
        for fields, wanted, most, unit in checks
        if wanted is not None and most is not None and wanted > most
    ]


def _named(asked: Resources, fields: tuple[str, ...]) -> str:
    return next((field for field in fields if getattr(asked, field) is not None), fields[0])

"""Apptainer's adapter, loaded when a job needs it: a job whose image Docker has would wait for it in vain."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Mapping, Sequence

from prominence.executor.ports import Container, Ended, Limits, Stop

if TYPE_CHECKING:
    from prominence.executor.adapters.apptainer import Apptainer


class LateApptainer:
    """ContainerRuntime. told: the version, where the worker has tried it out and told; otherwise it is asked."""

    name = "apptainer"

    def __init__(self, directory: Path, network: str, environment: Mapping[str, str], told: str) -> None:
        self._directory = directory
        self._network = network
        self._environment = environment
        self._told = told

    def version(self) -> str:
        return self._told or self._adapter.version()

    def can_run(self) -> bool:
        return self._adapter.can_run()

    def has(self, image: str) -> bool:
        return self._adapter.has(image)

    def fetch(self, image: str, timeout_s: float | None, stop: Stop) -> None:
        self._adapter.fetch(image, timeout_s, stop)

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        return self._adapter.run(container, limits, stop)

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        return self._adapter.enter(command, output, limit_s)

    @cached_property
    def _adapter(self) -> Apptainer:
        from prominence.executor.adapters.apptainer import Apptainer

        return Apptainer(self._directory, self._network, self._environment)

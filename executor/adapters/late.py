"""Apptainer's adapter, loaded when a job needs it: a job whose image Docker has would wait for it in vain."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Mapping, Sequence

from prominence.core.plan import RegistryCredential
from prominence.executor.ports import Container, Ended, Limits, Output, Stop, Used

if TYPE_CHECKING:
    from prominence.executor.adapters.apptainer import Apptainer
    from prominence.executor.imagefiles import ImageFile


class LateApptainer:
    """ContainerRuntime. told: the version, where the worker has tried it out and told; otherwise it is asked.

    broker: its socket.
    """

    name = "apptainer"

    def __init__(self, directory: Path, network: str, environment: Mapping[str, str], told: str, broker: str) -> None:
        self._directory = directory
        self._network = network
        self._environment = environment
        self._told = told
        self._broker = broker

    def version(self) -> str:
        return self._told or self._adapter.version()

    def can_run(self) -> bool:
        return self._adapter.can_run()

    def has(self, image: str, credential: RegistryCredential | None = None) -> bool:
        return self._adapter.has(image, credential)

    def fetch(
        self, image: str, timeout_s: float | None, stop: Stop, credential: RegistryCredential | None = None
    ) -> None:
        self._adapter.fetch(image, timeout_s, stop, credential)

    def load(self, file: ImageFile, timeout_s: float | None, stop: Stop) -> str:
        return self._adapter.load(file, timeout_s, stop)

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        return self._adapter.run(container, limits, stop)

    def accompany(
        self, container: Container, output: Output, limits: Limits, stop: Stop, started: Callable[[], None]
    ) -> Ended:
        return self._adapter.accompany(container, output, limits, stop, started)

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        return self._adapter.enter(command, output, limit_s)

    def usage(self) -> Used:
        return self._adapter.usage()

    @cached_property
    def _adapter(self) -> Apptainer:
        from prominence.executor.adapters.apptainer import Apptainer
        from prominence.executor.adapters.workerimages import WorkerImages

        return Apptainer(self._directory, self._network, self._environment, WorkerImages(self._broker))

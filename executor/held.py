"""A task's image in the hands of a runtime that can run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional, Sequence

from prominence.core.plan import PlannedImage, PlannedTask, RegistryCredential
from prominence.executor import choice
from prominence.executor.bench import Bench
from prominence.executor.ports import ContainerRuntime, RuntimeTrouble, Stop

if TYPE_CHECKING:
    from prominence.executor.images import ImageFiles


class NoRuntime(RuntimeTrouble):
    """No runtime of this worker is acceptable to the task."""


class Held(NamedTuple):
    """A runtime with an image that it calls `image`. pull_s: seconds it took to fetch it; None: it was there already.

    digest: of the image's file, if it is one.
    """

    runtime: ContainerRuntime
    image: str
    pull_s: Optional[float] = None
    digest: Optional[str] = None


def with_image(
    task: PlannedTask, credential: Optional[RegistryCredential], bench: Bench, limit_s: Optional[float], stop: Stop
) -> Held:
    """A runtime that holds the task's image."""
    names = choice.candidates(task.runtimes, bench.runtimes)
    if not names:
        raise NoRuntime(choice.why_none(task.runtimes, bench.runtimes))
    if task.file is not None and bench.images is not None:
        return _with_file(task.file, bench.images, [bench.runtimes[name] for name in names], bench, limit_s, stop)
    for name in names:
        if bench.runtimes[name].has(task.image, credential):
            return Held(bench.runtimes[name], task.image)
    from prominence.executor import fetching  # most jobs find their image here, and need not wait for what loads

    started = bench.clock()
    patience = fetching.Patience(limit_s, stop, bench.patience_s, bench.clock, bench.sleep)
    runtime = fetching.fetch(task.image, credential, [bench.runtimes[name] for name in names], patience)
    return Held(runtime, task.image, round(bench.clock() - started, 3))


def _with_file(
    file: PlannedImage,
    images: ImageFiles,
    runtimes: Sequence[ContainerRuntime],
    bench: Bench,
    limit_s: Optional[float],
    stop: Stop,
) -> Held:
    started, pull_s = bench.clock(), None
    loaded = images.known(file)
    if loaded is None:
        loaded = images.load(file, runtimes, limit_s, stop)
        pull_s = round(bench.clock() - started, 3)
    return Held(loaded.runtime, loaded.image, pull_s, f"sha256:{loaded.sha256}")

"""What jobs have kept, matched with what they were to keep. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prominence.core.job import JobSpec
from prominence.restapi.objects import Stored


@dataclass(frozen=True)
class Output:
    """name: of the file that was found, or as it was asked for. url: "" and size: None when nothing was kept."""

    name: str
    url: str = ""
    size: int | None = None


@dataclass(frozen=True)
class Outputs:
    """In the order in which they were asked for: of each pattern all that match, by name."""

    files: tuple[Output, ...] = ()
    directories: tuple[Output, ...] = ()


def outputs(spec: JobSpec, folder: str, stored: Sequence[Stored], address: Callable[[str], str]) -> Outputs:
    """What the job kept. stored: what is in its folder. address: where to get an object, by the store's name for it."""
    kept = {one.name.removeprefix(f"{folder}/"): one for one in stored}

    def output(name: str, file: str | None) -> Output:
        return Output(name) if file is None else Output(name, address(kept[file].name), kept[file].size)

    files: dict[str, Output] = {}
    for pattern in spec.outputFiles:
        found = sorted(name for name in kept if matches(name, pattern))
        files.update({name: output(name, name) for name in found} if found else {pattern: output(pattern, None)})
    return Outputs(
        files=tuple(files.values()),
        directories=tuple(output(path, file if (file := f"{path}.tgz") in kept else None) for path in spec.outputDirs),
    )


def matches(name: str, pattern: str) -> bool:
    """As a shell's patterns: nothing but "/" matches "/"."""
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))

"""Environments for the command lines of container programs: in a file, or one by one where a line cannot hold them."""

from __future__ import annotations

from typing import List, Mapping


def environment_file(env: Mapping[str, str]) -> str:
    """What can be said in a file: NAME=VALUE to the end of the line, nothing quoted."""
    return "".join(f"{name}={value}\n" for name, value in env.items() if _fits_a_line(name, value))


def one_by_one(env: Mapping[str, str]) -> List[str]:
    """Options for the rest."""
    # Not through the client's own environment, where DOCKER_HOST or LD_PRELOAD would mean something to it.
    return [f"--env={name}={value}" for name, value in env.items() if not _fits_a_line(name, value)]


def _fits_a_line(name: str, value: str) -> bool:
    line = f"{name}={value}"
    return line.splitlines() == [line] and not name.startswith("#") and not any(map(str.isspace, name))

"""The proxies through which this worker fetches images, for runtimes that fetch them in the job's own process.

Who made the worker has written them down. Their addresses may hold a password, so they are for fetching alone: no task
is given them, and none of them is in what is told of a failure.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Dict, Mapping

from prominence.executor.ports import FetchFailed

FILE = Path(os.environ.get("PROMINENCE_PROXIES", "/etc/prominence/proxies.json"))
"""Elsewhere on a worker that a user has started."""
_NAMES = ("http_proxy", "https_proxy", "no_proxy")
_PASSED_ON = (*_NAMES, "all_proxy", "ftp_proxy")
"""By Apptainer, to every container, whatever else it keeps from it."""


def variables(file: Path = FILE) -> Dict[str, str]:
    """The environment of a program that fetches; empty where the worker has no proxies. Raises OSError, ValueError."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    found = {name: str(told[name]) for name in _NAMES if name in told}
    return {**found, **{name.upper(): value for name, value in found.items()}}


def for_images() -> Dict[str, str]:
    """The same, for who fetches an image. Raises FetchFailed."""
    try:
        return variables()
    except (OSError, ValueError) as error:
        raise FetchFailed("the worker's list of proxies cannot be read") from error


def left_out(environment: Mapping[str, str]) -> Dict[str, str]:
    """The environment without proxies, for programs that pass them on to tasks."""
    return {name: value for name, value in environment.items() if name.lower() not in _PASSED_ON}


def hidden(text: str, proxies: Mapping[str, str]) -> str:
    """The text without their addresses."""
    for name, value in proxies.items():
        if value and name.lower() != "no_proxy":
            text = text.replace(value, "the proxy")
    return text

"""A job's own documents, from its directory: what its user asked for, and what its worker told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from prominence.core import logs, report
from prominence.core.errors import NotFound
from prominence.core.job import JobSpec
from prominence.core.report import ExecutionReport
from prominence.restapi.finished import read_report, read_spec
from prominence.restapi.ports import Sandboxes, Unusable

log = logs.get(__name__)

Document = TypeVar("Document")

SPEC_FILE = "spec.json"
"""The job as its user described it, without what is in its input files."""

INPUTS_FILE = "inputs.json"
"""What is in the files that come with the job, in their order: a list of texts in base64."""


def spec_of(uid: str, sandboxes: Sandboxes) -> JobSpec | None:
    """The job as its user described it; None when that cannot be read."""
    return _read(uid, SPEC_FILE, read_spec, sandboxes)


def whole(spec: JobSpec, uid: str, sandboxes: Sandboxes) -> JobSpec:
    """The description with what is in its input files. Raises NotFound when that is no longer kept."""
    if not spec.inputs:
        return spec
    file = sandboxes.open(uid, INPUTS_FILE)
    if file is None:
        raise NotFound("What is in the job's input files is no longer kept.")
    with file:
        contents = json.loads(file.read())
    filled = (one.model_copy(update={"content": text}) for one, text in zip(spec.inputs, contents, strict=True))
    return spec.model_copy(update={"inputs": tuple(filled)})


def report_of(uid: str, sandboxes: Sandboxes) -> ExecutionReport | None:
    """What the last attempt that came to its end told; None when there is nothing that can be read."""
    return _read(uid, report.FILE_NAME, read_report, sandboxes)


def files_of(uid: str, sandboxes: Sandboxes) -> tuple[JobSpec | None, ExecutionReport | None]:
    """Both."""
    return spec_of(uid, sandboxes), report_of(uid, sandboxes)


def _read(
    uid: str, name: str, reader: Callable[[bytes | None], Document | None], sandboxes: Sandboxes
) -> Document | None:
    try:
        return reader(sandboxes.read(uid, name))
    except (Unusable, ValueError) as error:  # of which ValidationError and UnicodeError are kinds
        log.warning("a job's file cannot be read", uid=uid, file=name, error=str(error))
        return None

"""What a job has written so far, from any byte on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from prominence.core import classads, logs
from prominence.core.errors import Forbidden, NotFound, Rejected
from prominence.core.jobid import JobId
from prominence.core.plan import output_beside
from prominence.core.report import of_node
from prominence.core.states import ENDED, Status
from prominence.restapi import legacy
from prominence.restapi.identity import Act, Identity, may
from prominence.restapi.parameters.output import OutputParameters, PieceParameters
from prominence.restapi.ports import Unusable
from prominence.restapi.presentation import Job
from prominence.restapi.query import find
from prominence.restapi.services import Services
from prominence.restapi.text import unfinished

log = logs.get(__name__)


_PIECE = 256 * 1024


@dataclass(frozen=True)
class Output:
    """A part of a file: `length` bytes from where it stands, up to byte `end` of what the job has written.

    status: of the job, looked at before the file. Where it is final, nothing comes after this. To be closed.
    """

    status: Status
    end: int
    length: int = 0
    file: BinaryIO | None = None

    def pieces(self) -> Iterator[bytes]:
        """The bytes; fewer than `length` when another attempt began to write the file anew."""
        left = self.length
        while self.file is not None and left > 0 and (piece := self.file.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece

    def close(self) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()


def output(job_id: JobId, name: str, asked: OutputParameters, caller: Identity, services: Services) -> Output:
    """What the job has written to this stream. Raises NotFound; Forbidden for another user's job; Rejected for a node
    that it does not have.

    Of a job that may write more, a character that is only half there is left for the next time. Less than was
    asked for is there when another attempt began anew: whoever follows is told to begin again, too.
    """
    job = find(job_id, services)
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    if may(caller, Act.READ, job.owner) is None:
        raise Forbidden(f"Job {job_id} is not yours.")
    nodes = int(job.ad.get(classads.NODE_COUNT, 1))
    if asked.node >= nodes:
        raise Rejected.because(f"must be less than {nodes}, the number of the job's nodes", "node")
    return read_output(job, of_node(name, asked.node), asked, services)


def read_output(job: Job, name: str, asked: PieceParameters, services: Services) -> Output:
    """The same of a job that the caller may read."""
    status = job.view.status
    file = _open(job.uid, job.job_id, name if asked.task is None else output_beside(name, asked.task), services)
    if file is None:
        return Output(status, end=0)
    size = file.seek(0, os.SEEK_END)
    offset = legacy.first_byte(file, asked.offset, asked.byte)
    if offset > size:
        return Output(status, end=0, file=file)
    end = size if status in ENDED else size - _unfinished(file, offset, size)
    file.seek(offset)
    return Output(status, end, end - offset, file)


def _open(uid: str, job_id: JobId, name: str, services: Services) -> BinaryIO | None:
    try:
        file = services.sandboxes.open(uid, name)
    except Unusable as error:
        log.warning("a job's output cannot be read", job=job_id.shown, stream=name, error=str(error))
        raise NotFound(f"Job {job_id} has no {name} that can be read.") from error
    if file is None and not services.sandboxes.exists(uid):
        raise NotFound(f"The output of job {job_id} is no longer kept.")
    return file


def _unfinished(file: BinaryIO, offset: int, size: int) -> int:
    file.seek(max(offset, size - 4))
    return unfinished(file.read(4))

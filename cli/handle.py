"""One job as an object of Python's: what is known of it, and what can be done with it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from prominence.cli import transfers, view
from prominence.cli.errors import ClientError, JobFailed, Unreachable
from prominence.cli.follow import Clock, follow
from prominence.cli.kept import kept
from prominence.cli.news import NOTHING, News, Printed, Sink, Stream

if TYPE_CHECKING:
    from prominence.cli.client import Client

_CLOCK = Clock(now=time.monotonic, sleep=time.sleep)


class Job:
    """A job. What it tells of itself is as it was when it was last looked at: `refresh` and `wait` look again."""

    def __init__(
        self, client: Client, job_id: view.JobId, document: view.Job | None = None, clock: Clock = _CLOCK
    ) -> None:
        self.id = job_id
        self._client, self._document, self._clock = client, document, clock

    def __repr__(self) -> str:
        return f"<Job {self.id}>" if self._document is None else f"<Job {self.id} {self.status}>"

    @property
    def document(self) -> view.Job:
        """The API's own document; of a job of a list, what the list told."""
        if self._document is None:
            self.refresh()
        return self._document or {}

    @property
    def name(self) -> str:
        """ "" when it has none."""
        return view.text(self.document, "name")

    @property
    def labels(self) -> dict[str, str]:
        """By name."""
        return {key: str(value) for key, value in view.mapping(self.document, "labels").items()}

    @property
    def status(self) -> str:
        """The status word: idle, deploying, waiting, running, completed, failed, deleted or killed."""
        return view.status(self.document)

    @property
    def reason(self) -> str:
        """Why it is so, as a sentence; "" when there is nothing to say."""
        return view.reason(self.document)

    @property
    def reason_code(self) -> str:
        """The same as one word, which stays what it is; "" when there is none."""
        return view.text(self.document, "statusReasonCode")

    @property
    def exit_code(self) -> int | None:
        """The job's own; None: it has none, or none yet."""
        return view.exit_code(self.document)

    @property
    def has_ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return view.ended(self.document)

    @property
    def created_at(self) -> datetime | None:
        """None when it is not known; as in all of these, in UTC."""
        return self._moment("createTime")

    @property
    def started_at(self) -> datetime | None:
        """None when it has not started."""
        return self._moment("startTime")

    @property
    def ended_at(self) -> datetime | None:
        """None when it has not ended."""
        return self._moment("endTime")

    def refresh(self) -> Self:
        """Look at it again, in full. Raises NoSuchJob."""
        self._document = self._client.job(self.id)
        return self

    def explain(self) -> dict[str, Any]:
        """Why it is where it is: what it waits for, and when it may start."""
        return self._client.explain(self.id)

    def wait(self, timeout_s: float | None = None) -> Self:
        """Wait until it has ended, well or not. Raises TimeoutError; Unreachable when the API is away for minutes."""
        return self.follow({}, timeout_s)

    def follow(self, sinks: Mapping[Stream, Sink], timeout_s: float | None = None) -> Self:
        """The same, and give what it prints to these: {"stdout": sys.stdout.buffer.write}."""
        api = _Patient(self._client, self._clock, None if timeout_s is None else self._clock.now() + timeout_s)
        self._document = follow(api, self.id, sinks, _Nobody(), self._clock)
        return self

    def raise_for_status(self) -> Self:
        """Raises JobFailed for a job that has ended in any other way than completed."""
        if self.has_ended and self.status != "completed":
            raise JobFailed(self.id, self.status, self.reason, self.reason_code)
        return self

    def stdout(self, offset: int = 0) -> bytes:
        """What it has printed so far, from this byte on."""
        return self._output("stdout", offset)

    def stderr(self, offset: int = 0) -> bytes:
        """The same of its standard error."""
        return self._output("stderr", offset)

    def download(self, directory: Path) -> list[Path]:
        """Fetch what it has kept into the directory; the files. What broke off before goes on where it was."""
        if not self.refresh().has_ended:
            raise ClientError(f"Job {self.id} has not ended: it is {self.status}.")
        files = list(kept(self.document, directory))
        for one in files:
            one.file.parent.mkdir(parents=True, exist_ok=True)
            transfers.download(self._client.web(one.url), one.url, one.file, lambda _: None)
        return [one.file for one in files]

    def delete(self) -> None:
        """End it and take it out of the queue."""
        self._client.delete_job(self.id)

    def remove(self) -> None:
        """Take it out of the queue, where it has ended and stayed there."""
        self._client.remove_job(self.id)

    def hold(self) -> None:
        """Let it not start; if it runs it is ended, and begins anew when it is released."""
        self._client.hold_job(self.id)

    def release(self) -> None:
        """Let it start again."""
        self._client.release_job(self.id)

    def edit(self, change: Mapping[str, Any]) -> None:
        """While it waits: change the parts that `change` has; while it runs, resources.walltime."""
        self._client.edit_job(self.id, change)

    def run(self, *command: str) -> Printed:
        """While it runs: run a command in the container of its task, and wait for its end."""
        return self._client.run_in_job(self.id, command)

    def snapshot(self, path: str, file: Path) -> None:
        """While it runs: fetch a copy of a file or a directory of its home, as a .tgz."""
        url = self._client.take_snapshot(self.id, path)
        transfers.download(self._client.web(url), url, file, lambda _: None)

    def clone(self) -> Job:
        """Submit the same job once more; the new one."""
        return Job(self._client, self._client.clone_job(self.id), clock=self._clock)

    def _output(self, stream: Stream, offset: int) -> bytes:
        pieces: list[bytes] = []
        self._client.output(self.id, stream, pieces.append, offset)
        return b"".join(pieces)

    def _moment(self, event: str) -> datetime | None:
        found = view.moment(self.document, event)
        try:
            return None if found is None else datetime.fromtimestamp(found, UTC)
        except (OverflowError, ValueError, OSError):  # not a moment that a calendar has
            return None


@dataclass(frozen=True)
class _Patient:
    """The client, asked to wait no longer than until a moment."""

    client: Client
    clock: Clock
    until: float | None

    def watch_job(
        self, job_id: view.JobId, known: str = "", wait_s: int = 0, read: Mapping[Stream, int] = NOTHING
    ) -> News:
        if self.until is None:
            return self.client.watch_job(job_id, known, wait_s, read)
        left = max(0.0, self.until - self.clock.now())
        too_late = TimeoutError(f"Job {job_id} has not ended in time.")
        try:
            news = self.client.watch_job(job_id, known, math.ceil(min(wait_s, left)), read)
        except Unreachable as error:
            if left == 0:
                raise too_late from error
            raise
        if left == 0 and not (news.job is not None and view.ended(news.job)):
            raise too_late
        return news

    def output(self, job_id: view.JobId, stream: Stream, sink: Sink, offset: int = 0) -> int | None:
        return self.client.output(job_id, stream, sink, offset)


class _Nobody:
    """Is told how it goes."""

    def seen(self, job: view.Job) -> None:
        pass

    def away(self, error: Unreachable) -> None:
        pass

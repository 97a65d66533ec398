"""Stay with a job until it has ended, and pass its output on as it appears.

The API answers when there is news; one that cannot wait for news is asked again and again. Each turn asks for the job
first and for its output after: what the job wrote before its status became final is there by then, so the last turn
reads to the end and nothing is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from prominence.cli import view
from prominence.cli.errors import ApiError, Unreachable
from prominence.cli.news import NOTHING, News, Sink, Stream
from prominence.core.error_reasons import ErrorReason

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 2.0
WAIT_S = 25
"""For so long the API is asked to wait for news: less than any proxy in between would."""
PATIENCE_S = 300
"""For so long the API may be away, for a restart or an upgrade, before we give up."""


_NOT_THERE = (ErrorReason.NOT_FOUND.value, "")
"""What the API says of output that it does not have; an older one has no word for it."""


class Api(Protocol):
    """What following needs of the client."""

    def watch_job(
        self, job_id: view.JobId, known: str = "", wait_s: int = 0, read: Mapping[Stream, int] = NOTHING
    ) -> News:
        """The job, at once if its version is not `known`, else when there is news, or after `wait_s`."""

    def output(self, job_id: view.JobId, stream: Stream, sink: Sink, offset: int = 0) -> int | None:
        """Give what the stream holds from byte `offset` on to `sink`; where to go on, if known."""


class Listener(Protocol):
    """Who is told how it goes."""

    def seen(self, job: view.Job) -> None:
        """The job is like this now; called every turn."""

    def away(self, error: Unreachable) -> None:
        """The API does not answer; called every turn in which it does not."""


@dataclass(frozen=True)
class Clock:
    """Time, as an argument. now: seconds that only grow."""

    now: Callable[[], float]
    sleep: Callable[[float], object]


def follow(api: Api, job_id: view.JobId, sinks: Mapping[Stream, Sink], listener: Listener, clock: Clock) -> view.Job:
    """Stay with the job until it has ended; the ended job. Raises Unreachable after PATIENCE_S without an answer."""
    turns = _Turns(api, job_id, [_Tail(api, job_id, stream, sink) for stream, sink in sinks.items()], listener)
    pause, heard_at = SHORTEST_PAUSE_S, clock.now()
    while True:
        begun_at = clock.now()
        try:
            if turns.take():
                return turns.job
            heard_at = clock.now()
            if turns.waited(heard_at - begun_at):
                pause = SHORTEST_PAUSE_S
        except Unreachable as error:
            if clock.now() - heard_at > PATIENCE_S:
                raise
            listener.away(error)
        clock.sleep(pause)
        pause = min(pause * 1.25, LONGEST_PAUSE_S)


class _Tail:
    """One stream of the job and how far we have passed it on."""

    def __init__(self, api: Api, job_id: view.JobId, stream: Stream, sink: Sink) -> None:
        self._api, self._job_id, self._stream, self._sink = api, job_id, stream, sink
        self._offset = 0

    def advance(self) -> bool:
        """Pass on what is new; whether there was anything."""
        before = self._offset
        try:
            said = self._api.output(self._job_id, self._stream, self._pass_on, before)
        except ApiError as error:
            if error.status != 400 or error.reason_code not in _NOT_THERE:
                raise
            return False  # the job is there, its output is not: it has never started, or not written yet
        if said is not None and said < before:
            self.rewind()  # it has started again between two looks
        elif said is not None and said > before:
            self._offset = said
        return self._offset != before

    def rewind(self) -> None:
        """The job starts again, and its output with it."""
        self._offset = 0

    @property
    def offset(self) -> int:
        """How many bytes have been passed on."""
        return self._offset

    @property
    def stream(self) -> Stream:
        """Which one it is."""
        return self._stream

    def _pass_on(self, piece: bytes) -> None:
        self._sink(piece)
        self._offset += len(piece)  # at once: a connection that breaks now must not repeat this piece


class _Turns:
    """The turns of the loop, with what one has to know of the turn before."""

    def __init__(self, api: Api, job_id: view.JobId, tails: list[_Tail], listener: Listener) -> None:
        self._api, self._job_id, self._tails, self._listener = api, job_id, tails, listener
        self.job: view.Job = {}
        self._version = ""
        self._is_news = True

    def waited(self, length_s: float) -> bool:
        """Whether the API has waited for news, or found some: then it may be asked again soon."""
        return bool(self._version) and (self._is_news or length_s > LONGEST_PAUSE_S)

    def _known(self) -> dict[Stream, int]:
        """What we have of the output; of a job that waits, what an attempt before has left is no news."""
        return {} if view.waiting(self.job) else {tail.stream: tail.offset for tail in self._tails}

    def take(self) -> bool:
        """Look once; whether the job has ended and all of its output was passed on."""
        news = self._api.watch_job(self._job_id, self._version, WAIT_S, self._known())
        self._version, self._is_news = news.version, news.job is not None
        before, self.job = self.job, news.job if news.job is not None else self.job
        if view.ended(self.job):
            for tail in self._tails:
                while tail.advance():
                    pass
            self._listener.seen(self.job)
            return True
        self._listener.seen(self.job)
        if view.waiting(self.job):
            if before and not view.waiting(before):
                for tail in self._tails:
                    tail.rewind()
            return False
        for tail in self._tails:
            tail.advance()
        return False

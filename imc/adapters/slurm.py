"""Clusters with Slurm: a worker is a batch job of the service's account, submitted here or where we log in by SSH.

A batch job waits, runs, and ends by itself when its time is over; its worker has let its jobs go before. Marks are
the jobs' names. Slurm tells for some minutes of a job that has ended, and cannot be made to forget it: which of those
we have deleted is known here alone, and an imc that was restarted deletes them once more, which does no harm.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from prominence.core.errors import CloudError, NoSuchFlavour, ProminenceError, Rejected, Unavailable
from prominence.core.machines import Flavour
from prominence.imc.adapters import slurm_words as words
from prominence.imc.adapters.cloud_errors import SLURM, of_answer
from prominence.imc.adapters.declared import DeclaredCloud
from prominence.imc.adapters.slurm_words import BatchJob
from prominence.imc.declared_slurm import SlurmSettings
from prominence.imc.ports import File, Layout, Node

Run = Callable[[Sequence[str], str, float], "subprocess.CompletedProcess[str]"]
"""Runs a command with this input, for so many seconds at the most."""


def run_here(command: Sequence[str], stdin: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """As a process of ours."""
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout_s, errors="replace")


class SlurmCloud(DeclaredCloud[SlurmSettings, BatchJob]):
    """Promise: see ports.Cloud. Slurm is asked for the first time when the first verb is called."""

    def __init__(
        self,
        name: str,
        declared: SlurmSettings,
        pool: str,
        run: Run = run_here,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name, declared, pool, clock)
        self._run = run
        self._deleted: set[int] = set()
        self._lock = threading.Lock()

    def layout(self, name: str) -> Layout:
        """The batch job makes its own directories; these are said for people."""
        home = f"{self._declared.directory.rstrip('/')}/prominence-{name}"
        return Layout(f"{home}/execute", f"{home}/tasks", by_user_data=True)

    def nodes(self) -> Sequence[Node]:
        by_worker: dict[str, list[BatchJob]] = {}
        for job in self._there.get(self._jobs):
            by_worker.setdefault(job.worker, []).append(job)
        return [words.node(worker, jobs) for worker, jobs in sorted(by_worker.items())]

    def create(self, name: str, flavour: Flavour, files: Sequence[File]) -> None:
        partition = self._declared.partition(flavour.name)
        if partition is None:
            raise NoSuchFlavour(f"no partition is declared as {flavour.name}")
        with self._there.acting():
            there = [job for job in self._jobs_of(name) if not job.has_ended]
            if there:
                self._cancel(sorted(there, key=_age)[1:])
                return
            try:
                self._ask(
                    words.submit(self._declared, partition, self._pool, name),
                    words.script(self._declared, partition, name, files),
                    check=words.submitted,
                )
            except CloudError:
                # Of a job that it refuses Slurm tells for a while as of one that has failed.
                with suppress(ProminenceError):
                    self._cancel(self._jobs_of(name))
                raise

    def thin_out(self, name: str) -> None:
        with self._there.acting():
            alive = [job for job in self._jobs_of(name) if not job.has_ended]
            self._cancel(sorted(alive, key=_age)[1:])

    def delete(self, name: str) -> None:
        with self._there.acting():
            self._cancel(self._jobs_of(name))

    def _cancel(self, jobs: Sequence[BatchJob]) -> None:
        if alive := [job for job in jobs if job.may_be_cancelled]:
            try:
                self._ask(words.cancel(alive))
            except CloudError as error:
                if not words.is_over(str(error)):
                    raise
        with self._lock:
            self._deleted |= {job.id for job in jobs}

    def _jobs_of(self, name: str) -> list[BatchJob]:
        return [job for job in self._jobs() if job.worker == name]

    def _jobs(self) -> list[BatchJob]:
        """All of our pool's but those that we have deleted."""
        found = words.read(self._ask(words.listing()), self._pool)
        with self._lock:
            self._deleted &= {job.id for job in found}  # of others Slurm has forgotten
            return [job for job in found if job.id not in self._deleted]

    def _ask(self, command: Sequence[str], stdin: str = "", check: Callable[[str], object] = lambda _: None) -> str:
        """What it prints. Raises Unavailable, or another CloudError."""
        full = words.through_ssh(self._declared, command) if self._declared.login else list(command)
        try:
            done = self._run(full, stdin, self._declared.timeout_s)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{command[0]} does not answer within {self._declared.timeout_s:g} s") from error
        except OSError as error:
            raise Unavailable(f"{full[0]} cannot be started: {error.strerror}") from error
        if done.returncode != 0:
            raise of_answer(SLURM, words.complaint(done.stderr or done.stdout, done.returncode), None)
        try:
            check(done.stdout)
        except Rejected as error:
            raise Unavailable(f"{command[0]}: {error}") from error
        return done.stdout


def _age(job: BatchJob) -> int:
    """The first that was submitted sorts first: it has most to lose."""
    return job.id

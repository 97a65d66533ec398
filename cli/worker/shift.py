"""A worker's life from its start to its end: HTCondor's master runs, and we watch whether it is time to go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from prominence.cli.errors import ClientError
from prominence.cli.worker import processes, text
from prominence.cli.worker.home import Broken, Home
from prominence.cli.worker.offer import Offer
from prominence.cli.worker.programs import loaded
from prominence.core.lifetimes import VACATE_S

Say = Callable[[str], object]

HURRIED_S = 20
"""How long jobs have when somebody says stop."""
_LOOK_S = 1.0
_PING_S = 20
_ENDS_WITHIN_S = 20
_TRIES = 3
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class Stop:
    """How often we were told to go."""

    times: int = 0

    def request(self, *_: object) -> None:
        """A signal's handler."""
        self.times += 1

    def heed(self) -> None:
        """Be told by signals."""
        for number in _SIGNALS:
            signal.signal(number, self.request)


@dataclass
class Shift:
    """environment: of HTCondor's programs. renew: gets a new token when it is time; called once in a while."""

    home: Home
    offer: Offer
    environment: dict[str, str]
    say: Say
    stop: Stop = field(default_factory=Stop)
    renew: Callable[[], None] = lambda: None

    def check(self) -> None:
        """Raises ClientError when the pool does not let us in."""
        last = ""
        for _ in range(_TRIES):
            done = self._ping()
            if done is not None and done.returncode == 0:
                return
            last = _last_line(done.stderr or done.stdout) if done is not None else "it does not answer"
        raise ClientError(f"The pool does not let this worker in: {last}")

    def join(self) -> None:
        """Trade the invitation for a token; the program goes on renewing it. Raises ClientError."""
        program = [sys.executable, str(self.home.bin / "join-pool")]
        done = subprocess.run(
            program, env={**self.environment, "PROMINENCE_ROOT": str(self.home.root)}, stdin=subprocess.DEVNULL
        )
        if done.returncode != 0:
            raise ClientError("This worker gets no token, for the reason above.")

    def work(self, started: Callable[[], None]) -> None:
        """Until it is time to go, and to the end of all that was started. Raises Broken."""
        master = subprocess.Popen(
            ["condor_master", "-f"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is ours alone
            preexec_fn=processes.dies_with_us(signal.SIGQUIT),
        )
        try:
            started()
            reason = self._watch(master)
            self.say(f"This worker leaves: {reason}.")
            self._let_jobs_go(HURRIED_S if self.stop.times else VACATE_S)
        finally:
            _end(master)

    def _watch(self, master: subprocess.Popen[bytes]) -> str:
        """Why to go."""
        leave = loaded("leave-when-lost")
        watch = leave.Watch(self._setting("LOST"), self._setting("UNUSED"), time.monotonic)
        watches = bool(watch.lost_after_s or watch.unused_after_s)
        look_at = time.monotonic()
        while not self.stop.times:
            if master.poll() is not None:
                raise Broken(f"HTCondor has ended: {self._complaint()}. Its logs are in {self.home.log}.")
            if self.offer.ends_at is not None and time.time() >= self.offer.ends_at - VACATE_S:
                return "its time is over"
            if time.monotonic() >= look_at:
                self.renew()
                if watches and (reason := watch.reason(self._has_job(), self._is_heard)):
                    return str(reason)
                look_at = time.monotonic() + (watch.pause_s if watches else 60.0)
            time.sleep(_LOOK_S)
        return "somebody has said so"

    def _let_jobs_go(self, vacate_s: int) -> None:
        """The startd takes no more jobs, and has those that run vacate their slots, with what they have made."""
        told = loaded("heed-notice").TEXT.format(vacate_s=vacate_s)
        (self.home.part / text.LEAVING).write_text(told)
        processes.send(signal.SIGHUP, *processes.named("condor_startd", os.getpid()))
        until, asked = time.monotonic() + vacate_s, self.stop.times
        while self._has_job() and time.monotonic() < until and self.stop.times == asked:
            time.sleep(_LOOK_S)

    def _has_job(self) -> bool:
        """Each job has a starter for as long as anything of it is here."""
        return bool(processes.named("condor_starter", os.getpid()))

    def _is_heard(self) -> bool:
        done = self._ping()
        return done is not None and done.returncode == 0

    def _ping(self) -> subprocess.CompletedProcess[str] | None:
        """None: no answer."""
        command = ["condor_ping", "-type", "COLLECTOR", "ADVERTISE_STARTD"]
        try:
            return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=_PING_S)
        except subprocess.TimeoutExpired:
            return None

    def _setting(self, which: str) -> int:
        command = ["condor_config_val", f"PROMINENCE_{which}_AFTER_S"]
        said = subprocess.run(command, env=self.environment, capture_output=True, text=True).stdout.strip()
        return int(said) if said.isdecimal() else 0

    def _complaint(self) -> str:
        for name in ("StartLog", "MasterLog"):
            lines = _lines(self.home.log / name)
            if found := next((line for line in reversed(lines) if "ERROR" in line), ""):
                return found
        return "it does not say why"


def _end(master: subprocess.Popen[bytes]) -> None:
    """HTCondor's fast shutdown, and then whatever there still is."""
    if master.poll() is None:
        master.send_signal(signal.SIGQUIT)
        try:
            master.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            master.kill()
            master.wait()
    for number in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + 5
        processes.send(number, *processes.descendants(os.getpid()))
        while processes.descendants(os.getpid()) and time.monotonic() < until:
            time.sleep(0.1)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(errors="replace").splitlines()
    except OSError:
        return []


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "HTCondor says nothing"

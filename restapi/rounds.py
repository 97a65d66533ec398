"""What the service's processes beside the API share: its settings, a log, and rounds until they are told to end."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from prominence.core import logs
from prominence.core.errors import ProminenceError, Rejected
from prominence.core.settings import load
from prominence.restapi.settings import RestApiSettings

log = logs.get(__name__)


def parser(name: str, about: str) -> argparse.ArgumentParser:
    """Of the options that all of them have."""
    made = argparse.ArgumentParser(prog=name, description=about)
    made.add_argument("--config", type=Path, metavar="FILE", help="the REST API's TOML file of settings")
    made.add_argument("--log-file", type=Path, metavar="FILE", help="where the log goes; absent: to stderr")
    return made


def settled(name: str, options: argparse.Namespace) -> RestApiSettings:
    """The settings; from now on there is a log. Raises Rejected."""
    settings = load(RestApiSettings, "restapi", options.config)
    logs.configure(name, options.log_file, settings.log_level)
    return settings


def refused(name: str, error: Rejected) -> int:
    """Tell what is wrong with the settings; the exit code."""
    for mistake in error.mistakes:
        print(f"{name}: {mistake}", file=sys.stderr)
    return 2


def until_told() -> threading.Event:
    """Set when the process is told to end."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


Beat = Callable[[float, str], None]
"""Tells how the process is: in how many seconds it is heard of next, and what was wrong with this round."""


def go_round(
    one_round: Callable[[], float], stop: threading.Event, after_failure_s: float, beat: Beat = lambda *_: None
) -> None:
    """Round after round until `stop`. one_round: its value is how many seconds the next one may wait."""
    log.info("started")
    while True:
        trouble = ""
        try:
            pause_s = one_round()
        except ProminenceError as error:
            log.error("a round failed", error=str(error))
            pause_s, trouble = after_failure_s, str(error)
        except Exception:
            log.exception("a round failed by a mistake of ours")
            pause_s, trouble = after_failure_s, "it made a mistake, which is in its log"
        beat(pause_s, trouble)
        if stop.wait(pause_s):
            return


def go_round_every(interval_s: float, one_round: Callable[[], object], beat: Beat = lambda *_: None) -> None:
    """The same until the process is told to end, with so many seconds between two."""

    def round_and_interval() -> float:
        one_round()
        return interval_s

    go_round(round_and_interval, until_told(), interval_s, beat)

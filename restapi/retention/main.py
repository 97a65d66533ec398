"""The process that takes away what has had its time: settings -> services -> sweep after sweep.

python -m prominence.restapi.retention.main [--once | --dry-run]

One on each access point, beside the API and with its settings.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from prominence.core import logs
from prominence.core.errors import ProminenceError, Rejected
from prominence.core.settings import load
from prominence.restapi.main import services_of
from prominence.restapi.retention.sweep import plan, sweep
from prominence.restapi.services import Services
from prominence.restapi.settings import RestApiSettings

COMPONENT = "retention"

log = logs.get(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="retention", description="Takes away what has had its time.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the REST API's TOML file of settings")
    parser.add_argument("--log-file", type=Path, metavar="FILE", help="where the log goes; absent: to stderr")
    parser.add_argument("--once", action="store_true", help="sweep once and end")
    parser.add_argument("--dry-run", action="store_true", help="print what would be taken away; change nothing")
    options = parser.parse_args(arguments)
    try:
        settings = load(RestApiSettings, "restapi", options.config)
        logs.configure(COMPONENT, options.log_file, settings.log_level)
        services = services_of(settings)
    except Rejected as error:
        for mistake in error.mistakes:
            print(f"retention: {mistake}", file=sys.stderr)
        return 2
    if options.dry_run:
        for kind, names in vars(plan(services)).items():
            print("\n".join(f"{kind} {name}" for name in names))
        return 0
    if options.once:
        sweep(services)
        return 0
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _loop(services, stop, settings.data.sweep_interval_s)
    return 0


def _loop(services: Services, stop: threading.Event, interval_s: float) -> None:
    while True:
        try:
            sweep(services)
        except ProminenceError as error:
            log.error("a sweep failed", error=str(error))
        except Exception:
            log.exception("a sweep failed by a mistake of ours")
        if stop.wait(interval_s):
            return


if __name__ == "__main__":
    sys.exit(main())

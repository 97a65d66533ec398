"""The scaler's process: settings -> adapters -> round after round."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from prominence.core import logs
from prominence.core import settings as settings_
from prominence.core.errors import Conflict, ProminenceError, Rejected, Unavailable
from prominence.core.keyvalue.election import Election
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.scaling import LEADER_KEY, ScalingPlan
from prominence.core.snapshot import PoolSnapshot
from prominence.scaler.adapters.htcondor import HTCondorPool
from prominence.scaler.adapters.imc import ImcProvisioner
from prominence.scaler.board import Board
from prominence.scaler.decide import decide
from prominence.scaler.history import PlanHistory
from prominence.scaler.round import Rounds, World, look, names
from prominence.scaler.settings import ScalerSettings

COMPONENT = "scaler"
LONGEST_PAUSE_S = 10

log = logs.get(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `prominence-scaler`; the exit code."""
    options = _options(arguments)
    try:
        settings = settings_.load(ScalerSettings, COMPONENT, options.config)
        if options.show_settings:
            print(settings_.shown(settings, COMPONENT, options.config))
            return 0
        logs.configure(COMPONENT, settings.log_file, settings.log_level)
        world, store = _world(settings), EtcdKeyValue(settings.etcd_endpoints)
    except Rejected as error:
        for mistake in error.mistakes:
            print(f"prominence-scaler: {mistake}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"prominence-scaler: the log cannot be written: {error}", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if options.dry_run:
        return _dry_run(settings, world, Board(store))
    election = Election(store, LEADER_KEY, f"{socket.gethostname()}:{os.getpid()}", settings.leader_ttl_s)
    history = PlanHistory(settings.plans_file) if settings.plans_file else None
    rounds = Rounds(world, settings.policy, election, Board(store), history, stop.is_set)
    try:
        return _once(rounds) if options.once else _loop(rounds.run, stop, settings.interval_s)
    finally:
        election.resign()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="prominence-scaler", description="Keeps as many workers as jobs need.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file of settings")
    parser.add_argument("--once", action="store_true", help="do one round, print its plan, and end")
    parser.add_argument("--dry-run", action="store_true", help="print the plan that would be made; change nothing")
    parser.add_argument("--show-settings", action="store_true", help="print the settings in force and where from")
    return parser.parse_args(arguments)


def _world(settings: ScalerSettings) -> World:
    try:
        token = SecretStr(settings.imc.token_file.read_text("ascii").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected.because(f"{settings.imc.token_file} cannot be read: {error}", "imc.token_file") from error
    return World(
        source=HTCondorPool(settings.htcondor.collector, settings.htcondor.schedd),
        provisioner=ImcProvisioner(settings.imc.url, token, settings.imc.timeout_s),
        clock=lambda: datetime.now(UTC),
    )


def _dry_run(settings: ScalerSettings, world: World, board: Board) -> int:
    previous: PoolSnapshot | None = None
    try:
        board.open()
        previous = board.snapshot()
    except Unavailable as error:
        log.warning("etcd does not answer, so all workers seem to be idle since now", error=str(error))
    _print(decide(look(world, settings.policy, previous), settings.policy, world.clock(), names(0)))
    return 0


def _once(rounds: Rounds) -> int:
    try:
        plan = rounds.run()
    except ProminenceError as error:
        print(f"prominence-scaler: {error}", file=sys.stderr)
        return 1
    if plan is None:
        print("prominence-scaler: another scaler leads; nothing was done", file=sys.stderr)
        return 1
    _print(plan)
    return 0


def _print(plan: ScalingPlan) -> None:
    print(plan.model_dump_json(indent=2))


def _loop(one_round: Callable[[], object], stop: threading.Event, interval_s: float) -> int:
    """Until told to stop. Failures in a row make the pauses longer; one that lasts is logged once."""
    failures = 0
    while not stop.is_set():
        began = time.monotonic()
        try:
            one_round()
        except (Unavailable, Conflict) as error:
            failures += 1
            if failures == 1:
                log.warning("this round was not finished, the next is tried soon", error=str(error))
        except Exception as error:  # the loop must outlive every mistake
            failures += 1
            log.exception("a round failed by a mistake of ours", error=repr(error))
        else:
            if failures:
                log.info("rounds are finished again", failures=failures)
            failures = 0
        stop.wait(max(0.0, _pause_s(interval_s, failures) - (time.monotonic() - began)))
    log.info("stopped")
    return 0


def _pause_s(interval_s: float, failures: int) -> float:
    return max(interval_s, min(interval_s * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE_S))


if __name__ == "__main__":
    sys.exit(main())

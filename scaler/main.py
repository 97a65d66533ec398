"""The scaler's process: settings -> adapters -> round after round."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from prominence.core import logs
from prominence.core import settings as settings_
from prominence.core.errors import ProminenceError, Rejected, Unavailable
from prominence.core.keyvalue.election import Election
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.published import packed_snapshot
from prominence.core.scaling import LEADER_KEY, ScalingPlan
from prominence.core.snapshot import PoolSnapshot
from prominence.scaler import loop
from prominence.scaler.adapters.classads import evaluate
from prominence.scaler.adapters.events import EventLog
from prominence.scaler.adapters.htcondor import HTCondorPool
from prominence.scaler.adapters.imc import ImcProvisioner
from prominence.scaler.adapters.prometheus import Metrics
from prominence.scaler.board import Board
from prominence.scaler.decide import decide
from prominence.scaler.history import PlanHistory
from prominence.scaler.matching import Matcher
from prominence.scaler.ports import Meter
from prominence.scaler.round import Rounds, World, look, names
from prominence.scaler.settings import ScalerSettings
from prominence.scaler.telling import told

COMPONENT = "scaler"

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
        metrics = Metrics(_now)
        world, store = _world(settings, metrics), EtcdKeyValue(settings.etcd_endpoints, tls=settings.etcd_tls)
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
        if options.once:
            return _once(rounds)
        metrics.serve(settings.metrics)
        loop.run(rounds.run, stop, settings.pace, world.events.heard if world.events else None)
        return 0
    finally:
        election.resign()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="prominence-scaler", description="Keeps as many workers as jobs need.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file of settings")
    parser.add_argument("--once", action="store_true", help="do one round, print its plan, and end")
    parser.add_argument("--dry-run", action="store_true", help="print the plan that would be made; change nothing")
    parser.add_argument("--show-settings", action="store_true", help="print the settings in force and where from")
    return parser.parse_args(arguments)


def _world(settings: ScalerSettings, meter: Meter) -> World:
    try:
        token = SecretStr(settings.imc.token_file.read_text("ascii").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected.because(f"{settings.imc.token_file} cannot be read: {error}", "imc.token_file") from error
    return World(
        source=HTCondorPool(settings.htcondor.collector, settings.htcondor.schedd),
        provisioner=ImcProvisioner(settings.imc.url, token, settings.imc.timeout_s),
        clock=_now,
        meter=meter,
        matcher=Matcher(evaluate),
        events=EventLog(settings.htcondor.events_file) if settings.htcondor.events_file else None,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _dry_run(settings: ScalerSettings, world: World, board: Board) -> int:
    previous: PoolSnapshot | None = None
    try:
        board.open()
        previous = board.snapshot()
    except Unavailable as error:
        log.warning("etcd does not answer, so all workers seem to be idle since now", error=str(error))
    snapshot = look(world, settings.policy, previous)
    plan = decide(snapshot, settings.policy, world.clock(), names(0))
    _print(told(plan, snapshot, packed_snapshot(snapshot).sha256, settings.policy, None))
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


if __name__ == "__main__":
    sys.exit(main())

"""imc's process: the HTTP API in one thread, the reconciler's loop in the main one. Ends when either does."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import waitress
from pydantic import SecretStr

from prominence.core import logs
from prominence.core.errors import ProminenceError, Rejected
from prominence.core.keyvalue.election import Election
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.settings import load, shown
from prominence.imc.acts import Acts, Joining
from prominence.imc.adapters.docker import DockerCloud
from prominence.imc.adapters.htcondor import HTCondorPool
from prominence.imc.app import create_app
from prominence.imc.loop import Loop
from prominence.imc.reconcile import Reconciler
from prominence.imc.records import LEADER, Records
from prominence.imc.routes import Services
from prominence.imc.settings import ImcSettings

log = logs.get(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    given = _parser().parse_args(arguments)
    try:
        settings = load(ImcSettings, "imc", given.config)
        if given.show_settings:
            print(shown(settings, "imc", given.config))
            return 0
        token = _secret(settings.token_file)
        logs.configure("imc", settings.log_file, settings.log_level)
        return serve(settings, token)
    except (ProminenceError, OSError) as error:
        print(f"prominence-imc: {error}", file=sys.stderr)
        return 1


def serve(settings: ImcSettings, token: SecretStr) -> int:
    """Run until a signal says stop (0) or the API's thread ends (1)."""
    store = EtcdKeyValue(settings.etcd_endpoints)
    records = Records(store)
    me = f"{socket.gethostname()}:{os.getpid()}"
    election = Election(store, LEADER, me, settings.lease_s)
    loop = Loop(election, settings.interval_s, _now)
    services = Services(records, token, _now, changed=loop.wake, silent_for_s=loop.silent_for_s)
    server = waitress.create_server(create_app(services), host=settings.host, port=settings.port, threads=4)
    failed = threading.Event()

    def run_api() -> None:
        try:
            server.run()
        finally:
            failed.set()
            loop.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    threading.Thread(target=run_api, name="api", daemon=True).start()
    log.info("started", host=settings.host, port=settings.port, me=me)
    threads = ThreadPoolExecutor(settings.parallel, thread_name_prefix="act")
    cloud = DockerCloud(settings.docker, settings.pool.name)
    loop.run(Reconciler(_acts(settings, records, cloud), settings.deadlines, threads, loop.wake))
    stopped_by_api = failed.is_set()
    server.close()
    threads.shutdown(cancel_futures=True)
    cloud.close()
    election.resign()  # after the last act: the next leader shall not meet it
    log.info("stopped", by_failure=stopped_by_api)
    return 1 if stopped_by_api else 0


def _acts(settings: ImcSettings, records: Records, cloud: DockerCloud) -> Acts:
    joining = Joining(
        pool=settings.pool.name,
        collector=settings.pool.collector,
        trust_domain=settings.pool.trust_domain,
        task_network=settings.pool.task_network,
        proxies_file=settings.pool.proxies_file,
    )
    return Acts(records, {cloud.name: cloud}, HTCondorPool(settings.pool), joining, _now)


def _secret(file: Path) -> SecretStr:
    try:
        text = file.read_text().strip()
    except (OSError, ValueError) as error:
        raise Rejected.because(f"the token cannot be read: {error}", str(file)) from error
    if not text:
        raise Rejected.because("the file of the token is empty", str(file))
    return SecretStr(text)


def _now() -> datetime:
    return datetime.now(UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("prominence-imc", description="Machines on clouds, for a pool of workers.")
    parser.add_argument("--config", type=Path, help="file of settings (default: /etc/prominence/imc.toml)")
    parser.add_argument("--show-settings", action="store_true", help="show the settings in force and end")
    return parser


if __name__ == "__main__":
    sys.exit(main())

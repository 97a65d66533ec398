"""The broker's process: settings, sweep, socket; until it is told to stop."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
from typing import IO, Optional

from prominence.executor.broker import fetcher, janitor, log, places, server
from prominence.executor.broker import settings as broker_settings
from prominence.executor.broker.builder import Builder
from prominence.executor.broker.cache import ImageCache
from prominence.executor.broker.engine import Engine
from prominence.executor.broker.lent import Store
from prominence.executor.broker.settings import BadSettings, Settings
from prominence.executor.broker.webfiles import WebFiles

_LAST_SWEEPS = 20
_BETWEEN_LAST_SWEEPS_S = 0.25
_MISCONFIGURED = 2


def main() -> int:
    """Serve jobs until SIGTERM, SIGQUIT or SIGINT; then nothing of them is left. With an option, what that says."""
    if sys.argv[1:] == [fetcher.OPTION]:
        return fetcher.main()
    try:
        settings = broker_settings.load(os.environ)
        log.configure(settings.log_file)
        places.prepare(settings.tasks_dir)
        lock = _be_the_only_one(settings)
        store = _store(settings)
    except (BadSettings, OSError) as error:
        print(f"prominence broker: {error}", file=sys.stderr)
        return _MISCONFIGURED
    with lock:
        _serve_until_told(settings, store)
    return 0


def _store(settings: Settings) -> Optional[Store]:
    """Ready to be used. Raises OSError."""
    if not settings.images_dir:
        return None
    most_kib = settings.images_mib * 1024
    uids = range(settings.builder_uid, settings.builder_uid + settings.builders)
    builder = Builder(f"{settings.images_dir}/builds", uids, most_kib)
    builder.end_all()
    cache = ImageCache(settings.images_dir, most_kib, builder.build)
    cache.prepare()
    return Store(cache, WebFiles(cache, builder.fetch, builder.make))


def _serve_until_told(settings: Settings, store: Optional[Store]) -> None:
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # condor_reconfig: our settings are those of the start
    engine = Engine(settings.docker_socket)
    sessions = server.Sessions(settings.sessions_per_uid)
    janitor.sweep(engine, settings, sessions.going_on)
    listener = server.listen(settings.listen)
    threading.Thread(target=server.serve, args=(listener, engine, settings, sessions, store), daemon=True).start()
    log.info("broker started", pool=settings.pool, worker=settings.worker, listen=settings.listen)
    while not told.wait(settings.sweep_every_s):
        janitor.sweep(engine, settings, sessions.going_on)
        janitor.tidy(engine, settings)
    os.unlink(settings.listen)  # nobody new comes in
    # Before their containers are killed: a job must not take that for its task's end.
    sessions.hang_up()
    # The sessions tidy up themselves, too: whoever comes second on something finds it done on the next round.
    for _ in range(_LAST_SWEEPS):
        if janitor.sweep(engine, settings, set):
            break
        time.sleep(_BETWEEN_LAST_SWEEPS_S)
    log.info("broker stopped")


def _be_the_only_one(settings: Settings) -> IO[str]:
    """A second broker of this worker would take the first one's containers for leftovers. Raises OSError."""
    lock = open(f"{settings.tasks_dir}/.lock", "w")  # noqa: SIM115 - held as long as the process lives
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise OSError(f"another broker uses {settings.tasks_dir}") from error
    return lock

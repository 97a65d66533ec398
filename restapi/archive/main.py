"""The archive's process: settings -> adapters -> loop.

prominence-archive, or python3 -m prominence.restapi.archive.main; it reads the API's settings.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from prominence.core import logs
from prominence.core.errors import Rejected
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.settings import load
from prominence.restapi import rounds
from prominence.restapi.adapters.archive import ArchiveWriter
from prominence.restapi.adapters.outbox import Outbox
from prominence.restapi.adapters.sandboxes import LocalSandboxes
from prominence.restapi.adapters.usage import UsageWriter
from prominence.restapi.archive.follower import Follower
from prominence.restapi.archive.machines import MachineFollower
from prominence.restapi.copying import Copier, copy_on
from prominence.restapi.search_settings import ElasticsearchSettings
from prominence.restapi.settings import RestApiSettings
from prominence.restapi.wiring import search_client

log = logs.get(__name__)

COMPONENT = "archive"

PAUSE_S = 0.1
"""Between two looks at the sizes of two files: readers wait for what left the queue just now."""

LONGEST_PAUSE_S = 10.0
FORGET_EVERY_S = 3600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Follow for ever; the exit code where that cannot be."""
    options = rounds.parser(COMPONENT, "Keeps finished jobs, and what each has used.").parse_args(arguments)
    try:
        settings = load(RestApiSettings, "restapi", options.config)
    except Rejected as error:
        return rounds.refused(COMPONENT, error)
    beside_the_apis = settings.log_file and settings.log_file.with_name("archive.log")
    logs.configure(COMPONENT, options.log_file or beside_the_apis, settings.log_level)
    _follow(settings)


def _follow(settings: RestApiSettings) -> NoReturn:
    settings.archive.file.parent.mkdir(parents=True, exist_ok=True)
    writer = ArchiveWriter(settings.archive.file)
    elsewhere = settings.accounting.copied_to
    copied_to = "" if elsewhere is None else elsewhere.called
    usage = UsageWriter(settings.archive.usage_file, settings.accounting.tariff(), copied_to)
    machines = MachineFollower(
        EtcdKeyValue(settings.etcd_endpoints, tls=settings.etcd_tls), usage, writer, time.monotonic
    )
    follower = Follower(
        history=settings.archive.history_file,
        events=settings.archive.events_file,
        epochs=settings.archive.epochs_file,
        sandboxes=LocalSandboxes(settings.sandboxes_dir, settings.min_free_disk_mib),
        book=writer,
        usage=usage,
        taken=machines.taken,
    )
    log.info("started", file=str(settings.archive.file), history=str(settings.archive.history_file))
    kept_s = settings.data.limits().jobs_kept.total_seconds()
    if elsewhere is not None:
        # By itself: a store that is away must not keep anybody from following HTCondor.
        copier_of = partial(_copier, settings.archive.usage_file, elsewhere)
        threading.Thread(target=copy_on, args=(copier_of, threading.Event()), name="copier", daemon=True).start()
    _loop(follower, machines, lambda: writer.forget(int(time.time() - kept_s)))


def _copier(file: Path, elsewhere: ElasticsearchSettings) -> Copier:
    from prominence.restapi.adapters.elasticsearch import ElasticsearchCopy  # its library is only where it was chosen

    return Copier(Outbox(file), ElasticsearchCopy(search_client(elsewhere), elsewhere.index))


def _loop(follower: Follower, machines: MachineFollower, forget: Callable[[], int]) -> NoReturn:
    pause, forgotten_at = PAUSE_S, -FORGET_EVERY_S
    while True:
        try:
            machines.step()
            busy = follower.step()
            pause = PAUSE_S
            if not busy and time.monotonic() - forgotten_at > FORGET_EVERY_S:
                forgotten_at = time.monotonic()
                log.info("descriptions of old jobs forgotten", jobs=forget())
        except Exception as error:
            log.exception("could not follow", error=repr(error))
            busy, pause = False, min(pause * 2, LONGEST_PAUSE_S)
        if not busy:
            time.sleep(pause)


if __name__ == "__main__":
    sys.exit(main())

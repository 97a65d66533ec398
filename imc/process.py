"""imc while it runs: its rounds in the main thread, what answers at addresses in others. It ends when either does."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from pydantic import SecretStr

from prominence.core import logs
from prominence.core.bootstrap import Patience
from prominence.core.errors import Rejected
from prominence.core.keyvalue.election import Election
from prominence.core.keyvalue.port import KeyValue
from prominence.imc import outsiders, revocations, serving
from prominence.imc.acts import Acts, Joining
from prominence.imc.admissions import Admissions
from prominence.imc.app import create_app
from prominence.imc.invitations import Invitations
from prominence.imc.loop import Loop
from prominence.imc.meter import Meter
from prominence.imc.ports import Cloud, Pool
from prominence.imc.reconcile import Reconciler
from prominence.imc.records import LEADER, Records
from prominence.imc.reload import Configured, Reload
from prominence.imc.routes import Services
from prominence.imc.settings import ImcSettings

log = logs.get(__name__)


class Process:
    """Made of what is to be in force at first. again: reads the settings anew."""

    def __init__(
        self,
        configured: Configured,
        again: Callable[[Configured], Configured],
        store: KeyValue,
        pool: Pool,
        meter: Meter,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings = configured.settings
        self._records, self._pool, self._clock = Records(store), pool, clock
        self._me = f"{socket.gethostname()}:{os.getpid()}"
        self._election = Election(store, LEADER, self._me, settings.lease_s)
        self._loop = Loop(self._election, settings.interval_s, clock, meter)
        self._threads = ThreadPoolExecutor(settings.parallel, thread_name_prefix="act")
        acts = self._acts(configured)
        self._reconciler = Reconciler(acts, settings.deadlines, self._threads, self._loop.wake, meter)
        self._reload = Reload(configured, again, self._records, self._apply, meter)
        self._failed = threading.Event()
        shared = (revocations.shared(self._records, pool, clock), outsiders.shared(self._records, pool))
        self._shares = [one.share for one in shared] if settings.pool.collector_here else []

    @property
    def clouds(self) -> Collection[Cloud]:
        """Those that are in force now."""
        return self._reload.in_force.clouds.values()

    def run(self, token: SecretStr, owners_token: SecretStr | None) -> bool:
        """Until it ends; whether a signal has said so. The tokens are those of `Services`."""
        self._heed_signals()
        servers = self._servers(token, owners_token)
        log.info("started", host=self._settings.host, port=self._settings.port, me=self._me)
        self._loop.run(self._reconciler, self._before_each_round)
        has_failed = self._failed.is_set()  # before they are closed, which looks the same
        for server in servers:
            server.close()
        self._threads.shutdown(cancel_futures=True)
        self._election.resign()  # after the last act: the next leader shall not meet it
        log.info("stopped", by_failure=has_failed)
        return not has_failed

    def _servers(self, token: SecretStr, owners_token: SecretStr | None) -> list[serving.Served]:
        settings = self._settings
        services = Services(
            self._records,
            self._pool,
            token,
            owners_token,
            self._clock,
            changed=self._loop.wake,
            silent_for_s=self._loop.silent_for_s,
            configuration=lambda: self._reload.trouble,
            collector=settings.pool.collector,
            trust_domain=settings.pool.trust_domain,
        )
        servers = [serving.Served("api", create_app(services), settings.host, settings.port, self._fail)]
        if settings.joining is not None:
            admissions = Admissions(self._records, self._pool, settings.pool.token_lifetime_s, self._clock)
            servers.append(serving.serve_door(settings.joining, admissions, self._fail))
        return servers

    def _fail(self) -> None:
        self._failed.set()
        self._loop.stop()

    def _before_each_round(self) -> None:
        self._reload.check()
        for share in self._shares:
            share()

    def _heed_signals(self) -> None:
        def read_anew(*_: object) -> None:
            self._reload.ask()
            self._loop.wake()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._loop.stop())
        signal.signal(signal.SIGHUP, read_anew)

    def _apply(self, configured: Configured) -> None:
        self._reconciler.change(self._acts(configured), configured.settings.deadlines)

    def _acts(self, configured: Configured) -> Acts:
        settings = configured.settings
        joining = Joining(
            pool=settings.pool.name,
            collector=settings.pool.collector,
            trust_domain=settings.pool.trust_domain,
            task_network=settings.pool.task_network,
            proxies_file=settings.pool.proxies_file,
            images_mib=settings.pool.images_mib,
            patience=Patience(lost_s=settings.pool.lost_after_s, unused_s=settings.pool.unused_after_s),
            runtimes_allowed=settings.pool.runtimes_allowed,
            invitations=_invitations(settings),
        )
        return Acts(self._records, configured.clouds, self._pool, joining, self._clock)


def _invitations(settings: ImcSettings) -> Invitations | None:
    joining = settings.joining
    if joining is None:
        return None
    try:
        ca = joining.ca_file.read_text("ascii") if joining.ca_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected.because(f"{joining.ca_file} cannot be read: {error}", "joining.ca_file") from error
    key = settings.pool.keys_dir / settings.pool.signing_key
    return Invitations(key, joining.url.rstrip("/"), ca, joining.secret_lifetime_s)

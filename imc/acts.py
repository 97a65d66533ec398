"""The steps that reach outside: each makes its effects in an order that a crash between any two of them is healed.

They run beside each other in threads and raise ProminenceErrors; repeating any of them is harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from prominence.core.bootstrap import Invitation, Patience, WorkerBootstrap
from prominence.core.errors import Unavailable
from prominence.core.machines import Flavour, WorkerPhase
from prominence.imc import proxies, userdata
from prominence.imc.invitations import Invitations
from prominence.imc.ports import Cloud, Pool
from prominence.imc.records import Record, Records


@dataclass(frozen=True)
class Joining:
    """What every worker of the pool is told. proxies_file: see `proxies`. images_mib: as in `WorkerBootstrap`.

    invitations: for those that are started with user data; None: there are none such.
    """

    pool: str
    collector: str
    trust_domain: str
    task_network: str
    proxies_file: Path | None = None
    images_mib: int = 20 * 1024
    runtimes_allowed: tuple[str, ...] = ()
    patience: Patience = Patience()
    invitations: Invitations | None = None


@dataclass(frozen=True)
class Acts:
    """Effects on clouds and pool, and the records of what came of them."""

    records: Records
    clouds: Mapping[str, Cloud]
    pool: Pool
    joining: Joining
    clock: Callable[[], datetime]

    def launch(self, name: str, flavour: Flavour, left_behind: Iterable[str], order: str = "") -> None:
        """Create the machine. left_behind: clouds that were asked before and may hold traces. order: as in `Worker`."""
        for cloud in left_behind:
            self.clouds[cloud].delete(name)
        cloud_ = self.clouds[flavour.cloud]
        layout = cloud_.layout(name)
        bootstrap = WorkerBootstrap(
            name=name,
            pool=self.joining.pool,
            collector=self.joining.collector,
            trust_domain=self.joining.trust_domain,
            token=None if layout.by_user_data else self.pool.mint(name),
            invitation=self._invite(name, flavour) if layout.by_user_data else None,
            flavour=flavour,
            execute_dir=layout.execute_dir,
            task_network=self.joining.task_network,
            images_mib=self.joining.images_mib,
            runtimes_allowed=self.joining.runtimes_allowed,
            groups=cloud_.terms.groups,
            patience=self.joining.patience,
            order=order,
            proxies=proxies.read(self.joining.proxies_file),
        )
        cloud_.create(name, flavour, userdata.files(bootstrap, layout))
        self._enter(name, WorkerPhase.LAUNCHED, f"its machine is there ({flavour.cloud}/{flavour.name})")

    def _invite(self, name: str, flavour: Flavour) -> Invitation:
        if self.joining.invitations is None:
            raise Unavailable("imc's settings have no [joining], which workers with user data need")
        return self.joining.invitations.invite(self.records, name, flavour, self.clock())

    def thin_out(self, name: str, clouds: Iterable[str]) -> None:
        """Leave one machine of its name on each."""
        for cloud in clouds:
            self.clouds[cloud].thin_out(name)

    def delete(self, name: str, clouds: Iterable[str]) -> None:
        """Remove its machine wherever there is one."""
        for cloud in clouds:
            self.clouds[cloud].delete(name)

    def end(self, record: Record, phase: WorkerPhase, reason: str) -> None:
        """Clean up behind a machine that is gone. The record comes last: until then all of it is done again."""
        if record.flavour:
            self.clouds[record.flavour.cloud].delete(record.name)  # what lay around the machine
        if record.was_asked_for:
            self.pool.invalidate(record.name)
            self.pool.revoke(record.name, self.clock())
        self._enter(record.name, phase, reason)

    def _enter(self, name: str, phase: WorkerPhase, reason: str) -> None:
        def change(record: Record) -> Record | None:
            # Its end is final, whoever was slower to write.
            return None if record.phase.is_over else record.in_phase(phase, self.clock(), reason)

        self.records.update(name, change)

"""HTCondor's own daemons in one container, for contract tests: a pool with one machine at most, that only they know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import htcondor2
import pytest
from patience import PATIENCE

from prominence.core.machines import Size

WITHIN_S = 60 * PATIENCE
SLEEP_S = 600
MACHINE = "condor-contract"

CONFIGURATION = """
include : /etc/condor/condor_config
LOCAL_CONFIG_DIR = /condor/config.d
LOG = /condor
SPOOL = /condor
EXECUTE = /execute
LOCK = /condor
RUN = /condor
DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD
CONDOR_HOST = $(FULL_HOSTNAME)
USE_SHARED_PORT = True
ENABLE_KERNEL_TUNING = False
TRUST_DOMAIN = {domain}
UID_DOMAIN = {domain}
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = FS, IDTOKENS
SEC_USE_FAMILY_SESSION = False
ALLOW_READ = *@{domain}
ALLOW_WRITE = *@{domain}
ALLOW_DAEMON = *@{domain}
ALLOW_ADMINISTRATOR = root@{domain}, condor@{domain}
ALLOW_NEGOTIATOR = *@{domain}
SEC_PASSWORD_DIRECTORY = /condor
SEC_TOKEN_POOL_SIGNING_KEY_FILE = /condor/POOL
NEGOTIATOR_INTERVAL = 2
NEGOTIATOR_MIN_INTERVAL = 1
NEGOTIATOR_CYCLE_DELAY = 1
SCHEDD_INTERVAL = 2
UPDATE_INTERVAL = 5
MASTER_BACKOFF_CONSTANT = 1
MASTER_UPDATE_INTERVAL = 5
NUM_CPUS = {size.cpus}
MEMORY = {size.memory_mib}
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
NUM_SLOTS_TYPE_1 = 1
MODIFY_REQUEST_EXPR_REQUESTMEMORY = RequestMemory
MODIFY_REQUEST_EXPR_REQUESTDISK = RequestDisk
MAXJOBRETIREMENTTIME = 86400
"""

START = """
mkdir -p /condor/config.d /execute && chown condor: /condor /execute && cd /condor
printf '%s' "$CONFIGURATION" > contract.conf
head -c 64 /dev/urandom > POOL && chmod 600 POOL
exec condor_master -f
"""


class CondorDaemons:
    """Collector, negotiator and schedd; `start_machine` adds a startd of this size. domain: of all their identities."""

    def __init__(self, engine: docker.DockerClient, image: str, size: Size, domain: str, label: str) -> None:
        configuration = CONFIGURATION.format(size=size, domain=domain)
        environment = {"CONDOR_CONFIG": "/condor/contract.conf", "CONFIGURATION": configuration}
        self._container = engine.containers.run(
            image,
            ["sh", "-c", START],
            environment=environment,
            hostname=MACHINE,
            labels={"prominence.test": label},
            init=True,
            detach=True,
        )
        self._domain = domain

    def join(self, folder: Path) -> str:
        """The collector's address, once it knows the schedd; a token for it is in the folder then."""
        eventually(lambda: "Scheduler" in self.attempt("condor_status", "-any", "-af", "MyType"))
        self._container.reload()
        token = folder / "token"
        token.write_text(self.inside("condor_token_create", "-identity", f"tester@{self._domain}"))
        token.chmod(0o600)
        return str(self._container.attrs["NetworkSettings"]["IPAddress"])

    def start_machine(self, *lines: str) -> None:
        """Start the startd, with these lines in its configuration."""
        text = "\n".join(["DAEMON_LIST = $(DAEMON_LIST) STARTD", *lines, ""])
        self.inside("sh", "-c", 'printf "%s" "$0" > /condor/config.d/startd.conf', text)
        self.inside("condor_reconfig", "-daemon", "master")

    def drain(self) -> None:
        """Let the machine take no more jobs."""
        self.inside("condor_drain", "-graceful", f"slot1@{MACHINE}")

    def submit_sleep(self, size: Size, *lines: str, jobs: int = 1) -> None:
        """Jobs that do nothing for long, with these lines in their submit description."""
        text = "\n".join(
            (
                f"executable = /bin/sleep\narguments = {SLEEP_S}\ntransfer_executable = false",
                f"request_cpus = {size.cpus}\nrequest_memory = {size.memory_mib}",
                f"request_disk = {size.disk_mib * 1024}",
                *lines,
                f"queue {jobs}",
            )
        )
        self.inside("sh", "-c", 'printf "%s" "$0" | condor_submit -terse -', text, user="nobody", workdir="/tmp")

    def stop(self) -> None:
        """End the daemons. The machine stays: it refuses connections at once, where one that is gone would be waited
        for."""
        self.inside("pkill", "-STOP", "condor_master")
        self.inside("pkill", "-KILL", "-f", "^condor_(shared_port|collector|schedd)")

    def remove(self) -> None:
        """Take all of it away."""
        self._container.remove(force=True, v=True)

    def attempt(self, *command: str, **options: Any) -> str:
        """What a command prints in there, whether it succeeds or not."""
        return str(self._container.exec_run(list(command), **options).output.decode())

    def inside(self, *command: str, **options: Any) -> str:
        """What a command prints in there."""
        result = self._container.exec_run(list(command), **options)
        assert result.exit_code == 0, (command, result.output.decode())
        return str(result.output.decode())


@contextmanager
def trusting(domain: str, folder: Path) -> Iterator[None]:
    """This process's HTCondor library uses the token in the folder."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("SEC_TOKEN_DIRECTORY", str(folder)),
            ("SEC_CLIENT_AUTHENTICATION_METHODS", "IDTOKENS"),
            ("TRUST_DOMAIN", domain),
        ):
            patch.setitem(htcondor2.param, name, value)
        yield


def eventually(look: Callable[[], object]) -> None:
    """Waits until `look` gives something true."""
    deadline = time.monotonic() + WITHIN_S
    while not look():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.2)

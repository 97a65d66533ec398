"""Names, places and settings of a pool: pure, so that every other module agrees on them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from prominence.cli.pool.errors import PoolError
from prominence.core.notifications import EmailAddress
from prominence.core.validation import Strict

LAYOUT = 1
"""Version of the state directory's layout. An older or newer one is refused, never guessed at."""

POOL_LABEL = "prominence.pool"
ROLE_LABEL = "prominence.role"
WORKER_LABEL = "prominence.worker"
DIGEST_LABEL = "prominence.digest"
STATE_LABEL = "prominence.state"

PRIVATE_IMAGES = "localhost/prominence-private/"
"""What the names of images begin with that a worker keeps for one job; their tags are POOL.WORKER."""

DEFAULT_NAME = "default"
NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,30}$"
NOT_IN_A_PATH = "$%:,\\"
"""Characters that mean something to HTCondor's configuration, etcd or Docker in a path."""

API_PATH = "/prominence/v1"
API_PORT = 8080
"""Where the API listens inside its container."""
FIRST_PORT = 8280


MIN_FREE_DISK_MIB = 1024
"""Of the disk that the state is on. With less free, the API takes no new jobs."""


RESTORING = "restoring.json"
"""In the state while a restore has begun and has not ended: `prominence-admin` writes it."""


PUBLIC = "public"
"""Where webhooks may lead, if not into networks of the site's own."""


class PoolSettings(Strict):
    """What `pool up` was told, kept in the state directory so that the next `up` means the same pool."""

    layout: int = LAYOUT
    port: int = Field(ge=1, le=65535, description="Port of the API on 127.0.0.1.")
    idle_time: int = Field(default=600, ge=1, description="Seconds without a job after which a worker is deleted.")
    max_workers: int = Field(default=4, ge=0, description="Workers that may exist at once.")
    mail_server: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9.-]+(?::[0-9]{1,5})?$",
        description="HOST[:PORT] of a mail server that tells its user of jobs' ends.",
    )
    mail_to: EmailAddress | None = Field(default=None, description="The email address of the pool's user.")
    webhooks: str | None = Field(
        default=None, description="Whether users' programs are called: public addresses, or these networks besides."
    )
    shares: dict[str, float] = Field(
        default_factory=dict, description="Which part of all cores groups get while others wait as well."
    )
    task_network: str = Field(default="none", pattern="^(none|outbound)$", description="Network of jobs' containers.")

    @field_validator("webhooks")
    @classmethod
    def _is_within_reach(cls, text: str | None) -> str | None:
        try:
            for network in text.split(",") if text is not None and text != PUBLIC else ():
                ip_network(network)
        except ValueError:
            raise ValueError("must be public, or networks such as 10.0.0.0/8, commas between them") from None
        return text

    @model_validator(mode="after")
    def _mail_goes_somewhere(self) -> PoolSettings:
        if (self.mail_server is None) != (self.mail_to is None):
            raise ValueError("--mail-server and --mail-to belong together")
        return self

    @model_validator(mode="after")
    def _shares_are_of_one_pool(self) -> PoolSettings:
        if not all(group and 0 < quota <= 1 for group, quota in self.shares.items()) or sum(self.shares.values()) > 1:
            raise ValueError("--share: each is of a group, more than 0, and all together at most 1")
        return self


@dataclass(frozen=True)
class Pool:
    """A pool by name, and where its things are. `state` is absolute: it has the same path in the containers."""

    name: str
    state: Path

    @classmethod
    def named(cls, name: str, environment: Mapping[str, str] = os.environ) -> Pool:
        """The pool of this name under the user's state directory (XDG Base Directory Specification).

        A relative one is ignored, as the specification has it and the rest of the command does. Raises PoolError for
        one that HTCondor, etcd and Docker would not all take as it is.
        """
        named = environment.get("XDG_STATE_HOME", "")
        base = Path(named) if os.path.isabs(named) else Path.home() / ".local" / "state"
        state = base / "prominence" / name
        if not str(state).isprintable() or any(character in str(state) for character in NOT_IN_A_PATH):
            raise PoolError(
                f"The pool's state cannot be in {str(state)!r}: its path must hold no line break and none of "
                f"{' '.join(NOT_IN_A_PATH)}. Set XDG_STATE_HOME to another directory."
            )
        return cls(name, state)

    def command(self, words: str) -> str:
        """`prominence pool WORDS`, as it is to be typed for this one."""
        return f"prominence pool {words}" + ("" if self.name == DEFAULT_NAME else f" --name {self.name}")

    @property
    def not_running(self) -> str:
        """What is said of it then."""
        return f"The pool {self.name!r} is not running. Start it: {self.command('up')}"

    @property
    def network(self) -> str:
        """Where access point, imc and workers meet."""
        return f"prominence-{self.name}"

    @property
    def control_network(self) -> str:
        """Where etcd and imc's API are heard: access point and imc only, no way out."""
        return f"prominence-{self.name}-control"

    @property
    def task_network(self) -> str:
        """Where jobs' containers are when they may speak to the outside."""
        return f"prominence-{self.name}-tasks"

    def container(self, role: str) -> str:
        """Name of one of the pool's own containers."""
        return f"prominence-{self.name}-{role}"

    @property
    def settings_file(self) -> Path:
        """PoolSettings as JSON."""
        return self.state / "pool.json"

    @property
    def environment_file(self) -> Path:
        """PROMINENCE_URL and PROMINENCE_TOKEN for clients."""
        return self.state / "env"

    @property
    def secrets(self) -> Path:
        """Keys of this pool; read by root in the containers and by whoever made the pool."""
        return self.state / "secrets"

    def log_files(self, service: str) -> list[Path]:
        """Where a service's log is; empty for a service that does not exist."""
        return [self.state / "log" / path for path in LOGS.get(service, ())]


LOGS = {
    "master": ("condor/MasterLog",),
    "collector": ("condor/CollectorLog",),
    "negotiator": ("condor/NegotiatorLog",),
    "schedd": ("condor/SchedLog",),
    "shadow": ("condor/ShadowLog",),
    "etcd": ("etcd/etcd.log",),
    "restapi": ("restapi/restapi.log",),
    "retention": ("retention/retention.log",),
    "mail": ("mail/mail.log",),
    "budgets": ("budgets/budgets.log",),
    "webhooks": ("webhooks/webhooks.log",),
    "metrics": ("restapi/metrics.log",),
    "archive": ("restapi/archive.log",),
    "scaler": ("scaler/scaler.log",),
    "imc": ("imc/imc.log",),
}

"""WorkerBootstrap: what a new machine is told, whatever cloud it is on."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator

from prominence.core.machines import NAME_PATTERN, Flavour
from prominence.core.validation import Document


class Patience(Document):
    """After how many seconds without a job a worker ends by itself. 0: never.

    lost_s: when the collector does not answer either. unused_s: although it does, because nobody removes the worker.
    """

    lost_s: int = Field(default=0, ge=0)
    unused_s: int = Field(default=0, ge=0)


class Invitation(Document):
    """With what a worker asks for its token, where others than its root can read what it is told.

    url: of imc's door. secret: good once, for this worker, and not for long. ca: whose certificates to trust there, as
    PEM; "" for those that its system trusts.
    """

    url: str
    secret: SecretStr
    ca: str = ""


class WorkerBootstrap(Document):
    """Everything a worker needs to join its pool.

    collector: host[:port] of the central manager. token: an IDTOKEN that may advertise this worker and nothing
    else; or the invitation with which it asks for one. trust_domain: the pool's. execute_dir: where jobs' sandboxes
    are made. proxies: through which it fetches images, by variable (https_proxy); they may hold passwords. images_mib:
    what images that no job uses may keep of its disk, for each runtime. runtimes_allowed: those that isolate nothing.
    groups: those whose jobs it may run; none: all. order: the id of the request that asked for it, by which it is found
    in the logs of scaler and imc.
    """

    name: str = Field(pattern=NAME_PATTERN)
    pool: str
    collector: str
    trust_domain: str
    token: SecretStr | None = None
    invitation: Invitation | None = None
    flavour: Flavour
    execute_dir: str
    proxies: dict[str, SecretStr] = Field(default_factory=dict)
    images_mib: int = 20 * 1024
    runtimes_allowed: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    patience: Patience = Patience()
    order: str = ""
    task_network: str = Field(default="none", description="Network of a job's containers: none or outbound.")

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if (self.token is None) == (self.invitation is None):
            raise ValueError("has either a token or an invitation")
        return self

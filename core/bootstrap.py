"""WorkerBootstrap: what a new machine is told, whatever cloud it is on."""

from __future__ import annotations

from pydantic import Field, SecretStr

from prominence.core.machines import NAME_PATTERN, Flavour
from prominence.core.validation import Document


class WorkerBootstrap(Document):
    """Everything a worker needs to join its pool.

    collector: host[:port] of the central manager. token: an IDTOKEN that may advertise this worker and nothing
    else. trust_domain: the pool's. execute_dir: where jobs' sandboxes are made. proxies: through which it fetches
    images, by variable (https_proxy); they may hold passwords.
    """

    name: str = Field(pattern=NAME_PATTERN)
    pool: str
    collector: str
    trust_domain: str
    token: SecretStr
    flavour: Flavour
    execute_dir: str
    proxies: dict[str, SecretStr] = Field(default_factory=dict)
    task_network: str = Field(default="none", description="Network of a job's containers: none or outbound.")

"""Settings of the REST API: /etc/prominence/restapi.toml, and PROMINENCE_RESTAPI_... over it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from prominence.core.job import MOST_MEMBERS
from prominence.core.keyvalue.port import LARGEST_VALUE
from prominence.core.keyvalue.tls import EtcdTls
from prominence.core.settings import Settings
from prominence.core.workflow import MOST_INSTANCES
from prominence.restapi.accounting_settings import AccountingSettings
from prominence.restapi.data_settings import DataSettings
from prominence.restapi.identity_settings import OidcSettings, RoleSettings, TokenSettings
from prominence.restapi.kv import KvLimits
from prominence.restapi.mail_settings import MailSettings
from prominence.restapi.translate.site import Site
from prominence.restapi.webhook_settings import WebhookSettings


def _for_htcondor(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    if "$" in str(path) or not str(path).isprintable():
        raise ValueError("must not hold a $ or line breaks: HTCondor would not take it as it is")
    return path


AbsolutePath = Annotated[Path, AfterValidator(_for_htcondor)]


class JobSettings(Settings):
    """What this site gives to every job."""

    executor_file: AbsolutePath = Field(
        default=Path("/opt/prominence/executor.pyz"), description="The program that travels with each job."
    )
    default_walltime: int = Field(default=720, ge=1, description="Minutes, for jobs that ask for none.")
    default_cpus: int = Field(default=1, ge=1, description="Cores, for jobs that ask for none.")
    default_memory: float = Field(default=1, gt=0, description="GB, for jobs that ask for none.")
    default_disk: float = Field(default=10, gt=0, description="GB, for jobs that ask for none.")
    max_walltime: int | None = Field(default=None, ge=1, description="Minutes that a job may ask for; absent: any.")
    max_cpus: int | None = Field(default=None, ge=1, description="Cores that a job may ask for; absent: any number.")
    max_memory: float | None = Field(default=None, gt=0, description="GB that a job may ask for; absent: any.")
    max_disk: float | None = Field(default=None, gt=0, description="GB that a job may ask for; absent: any.")
    max_attempts: int = Field(default=5, ge=1, description="How often a job may be started before it is held.")
    lease_s: int = Field(default=60, ge=10, description="For so long a job waits for a worker that has gone silent.")
    grace_s: int = Field(default=10, ge=1, description="Between the warning to a task and its end.")
    pull_limit_s: int = Field(
        default=3600, ge=1, description="How long fetching a job's images may take. Its walltime does not begin before."
    )
    patience_s: int = Field(
        default=600,
        ge=1,
        description="How long a job's worker waits in all, for each file or image, for a server that does not answer.",
    )
    overhead_s: int = Field(
        default=3600, ge=60, description="What else, as files that travel with it, may add to a job's walltime."
    )
    max_queued: int = Field(
        default=50_000, ge=0, description="Jobs that one user may have in the queue; 0: any number."
    )
    max_array: int = Field(
        default=10_000,
        ge=1,
        le=MOST_MEMBERS,
        description="Jobs that one array may have; HTCondor's own limit is MAX_JOBS_PER_SUBMISSION.",
    )
    farewell_s: int = Field(
        default=60,
        ge=0,
        description="Seconds in which the outputs of a job are still kept that is deleted, put on hold or must leave "
        "its worker, after grace_s. HTCondor allows for that by MachineMaxVacateTime of the worker.",
    )
    live_s: int = Field(
        default=30,
        ge=0,
        description="Seconds between two looks at what a running task uses, for `describe`; 0: nobody looks. HTCondor "
        "passes it on with its own updates: STARTER_UPDATE_INTERVAL, SHADOW_QUEUE_UPDATE_INTERVAL.",
    )
    max_workflow: int = Field(
        default=20_000, ge=1, le=MOST_INSTANCES, description="Jobs that one workflow may have, all instances counted."
    )
    max_idle: int = Field(
        default=1000, ge=1, description="Jobs of one workflow that wait in the queue at once; the others come later."
    )
    max_workflows: int = Field(
        default=100,
        ge=1,
        description="Workflows that one user may have in the queue that have not ended. How many DAGMans run for all "
        "users at once is said by HTCondor's START_SCHEDULER_UNIVERSE.",
    )
    dagman_file: AbsolutePath = Field(
        default=Path("/usr/bin/condor_dagman"), description="HTCondor's program that runs workflows."
    )
    default_group: Literal["first", "none", "ask"] = Field(
        default="first",
        description="Which group is charged when a job names none: its user's first, none, or ask: the job is refused "
        "when its user is in several.",
    )

    @model_validator(mode="after")
    def _defaults_may_be_asked_for(self) -> Self:
        for name in ("cpus", "memory", "disk", "walltime"):
            most = getattr(self, f"max_{name}")
            if most is not None and getattr(self, f"default_{name}") > most:
                raise ValueError(f"default_{name} is more than max_{name}")
        return self

    def site(self, api: str) -> Site:
        """For the translation. api: the API's address, as workers know it."""
        return Site(
            executor=str(self.executor_file),
            default_walltime=self.default_walltime,
            max_attempts=self.max_attempts,
            job_lease_s=self.lease_s,
            grace_s=self.grace_s,
            farewell_s=self.farewell_s,
            pull_limit_s=self.pull_limit_s,
            patience_s=self.patience_s,
            overhead_s=self.overhead_s,
            live_s=self.live_s or None,
            default_group=self.default_group,
            api=api,
            default_cpus=self.default_cpus,
            default_memory=self.default_memory,
            default_disk=self.default_disk,
            max_cpus=self.max_cpus,
            max_memory=self.max_memory,
            max_disk=self.max_disk,
            max_walltime=self.max_walltime,
            max_array=self.max_array,
            max_workflow=self.max_workflow,
            max_idle=self.max_idle,
            max_workflows=self.max_workflows,
            dagman=str(self.dagman_file),
        )


class KvSettings(Settings):
    """How much users may keep in the key-value store."""

    max_value: int = Field(default=16_000, ge=1, le=LARGEST_VALUE, description="Bytes of one value.")
    max_keys: int = Field(default=10_000, ge=1, description="Keys of one user.")
    max_total: int = Field(default=10_000_000, ge=1, description="Bytes of all keys and values of one user.")

    def limits(self) -> KvLimits:
        """For the verbs."""
        return KvLimits(self.max_value, self.max_keys, self.max_total)


class ArchiveSettings(Settings):
    """What is kept of finished jobs, and HTCondor's files that tell of them."""

    file: Path = Field(
        default=Path("/var/lib/prominence/archive/jobs.db"),
        description="Where finished jobs are kept. It is made anew from HTCondor's files when it is not there. What "
        "they have used is kept beside it, in usage.db, which is worth a backup.",
    )
    history_file: Path = Field(
        default=Path("/var/lib/condor/spool/history"), description="HTCondor's HISTORY, of its schedd."
    )
    events_file: Path = Field(
        default=Path("/var/lib/condor/spool/events"), description="HTCondor's EVENT_LOG, in JSON and UTC."
    )
    epochs_file: Path = Field(
        default=Path("/var/lib/condor/spool/epochs/runs"),
        description="HTCondor's JOB_EPOCH_HISTORY, in a directory of its own.",
    )

    @property
    def usage_file(self) -> Path:
        """Where it is kept what jobs have used."""
        return self.file.with_name("usage.db")


class ImcSettings(Settings):
    """Who makes tokens for workers of users."""

    url: str = Field(description="Where imc's API is.")
    token_file: Path = Field(description="File with the token that imc knows the API by (its owners_token_file).")


class MetricsSettings(Settings):
    """Figures for Prometheus, at /metrics. Whoever reaches the address may read them: they name groups, and no user."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int | None = Field(default=9704, ge=1, le=65535, description="Port to listen on. None: nobody is told.")


class RestApiSettings(Settings):
    """All of them. Where it listens is gunicorn's business."""

    sandboxes_dir: AbsolutePath = Field(
        default=Path("/var/lib/prominence/jobs"), description="Directory with a directory for each job's files."
    )
    min_free_disk_mib: int = Field(
        default=1024,
        ge=0,
        description="MiB of that directory's disk that are kept for the jobs there are: with less free, new ones are "
        "refused.",
    )
    token_key_file: Path = Field(
        default=Path("/etc/prominence/secrets/api.key"),
        description="File with the secret that users' tokens are signed with, of 32 bytes at least.",
    )
    url: str = Field(
        default="http://127.0.0.1:8080/prominence/v1", description="The API's address as its users know it."
    )
    workers_url: str = Field(
        default="http://127.0.0.1:8080/prominence/v1", description="The API's address as workers know it."
    )
    etcd_endpoints: tuple[str, ...] = Field(
        default=("127.0.0.1:2379",), min_length=1, description="host:port of each member of the etcd cluster."
    )
    etcd_tls: EtcdTls | None = Field(
        default=None, description="Certificates for etcd; absent: members are spoken to without TLS."
    )
    most_waiting: int = Field(
        default=100,
        ge=0,
        description="Requests that may wait for news of a job at once, in each of gunicorn's processes: fewer than its "
        "threads. More are answered at once.",
    )
    archive: ArchiveSettings = Field(default_factory=ArchiveSettings, description="What is kept of finished jobs.")
    accounting: AccountingSettings = Field(
        default_factory=AccountingSettings, description="What usage is worth, and budgets of groups."
    )
    max_body: int = Field(default=4 * 1024 * 1024, ge=1024, description="Bytes that a request may bring.")
    log_file: Path | None = Field(default=None, description="Where the log goes; absent: to stderr.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="What to log.")
    remember_s: int = Field(
        default=86_400, ge=60, description="Seconds for which a request with an Idempotency-Key is known again."
    )
    data: DataSettings = Field(default_factory=DataSettings, description="Where objects are kept.")
    requests_per_s: float = Field(
        default=50, ge=0, description="Requests that a user may make in each process of the API; 0: any number."
    )
    requests_at_once: int = Field(
        default=500, ge=1, description="The same, of a user who has made none for a while: all at once."
    )
    jobs: JobSettings = Field(default_factory=JobSettings, description="What this site gives to every job.")
    oidc: OidcSettings | None = Field(
        default=None, description="An OpenID Connect provider whose users may use the API, besides the site's own."
    )
    roles: RoleSettings = Field(default_factory=RoleSettings, description="Who is more than a user.")
    tokens: TokenSettings = Field(default_factory=TokenSettings, description="Tokens that users make, and logins.")
    kv: KvSettings = Field(default_factory=KvSettings, description="How much users may keep as keys and values.")
    imc: ImcSettings | None = Field(
        default=None, description="imc, where users may have workers of their own; absent: they may not."
    )
    metrics: MetricsSettings = Field(default=MetricsSettings(), description="Where Prometheus reads figures.")
    webhooks: WebhookSettings | None = Field(
        default=None, description="Users' programs that are called when their jobs have ended; absent: none is."
    )
    mail: MailSettings | None = Field(
        default=None, description="A mail server to tell users by that their jobs have ended; absent: nobody is told."
    )

    @model_validator(mode="after")
    def _alerts_can_be_sent(self) -> Self:
        if self.mail is None and any(one.alert for one in self.accounting.budgets):
            raise ValueError("budgets name whom to tell (accounting.budgets, alert), and there is no mail server: mail")
        return self

"""Settings -> adapters -> services, for the API and for the processes beside it, which serve no HTTP."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from prominence.core import units
from prominence.core.errors import Rejected
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.keyvalue.port import KeyValue
from prominence.core.workflow_view import to_come
from prominence.restapi import signing
from prominence.restapi.adapters.archive import SqliteArchive
from prominence.restapi.adapters.chain import TokenChain
from prominence.restapi.adapters.disks import LocalDisks
from prominence.restapi.adapters.htcondor import HTCondorDaemons, HTCondorMachines, HTCondorQueue
from prominence.restapi.adapters.imc import ImcWorkerTokens
from prominence.restapi.adapters.issued_tokens import IssuedTokens
from prominence.restapi.adapters.job_tokens import SignedJobTokens
from prominence.restapi.adapters.local_objects import LocalObjects
from prominence.restapi.adapters.local_tokens import LocalTokens
from prominence.restapi.adapters.oidc import OidcTokens
from prominence.restapi.adapters.outbox import Sending
from prominence.restapi.adapters.sandboxes import LocalSandboxes
from prominence.restapi.adapters.sqlite import FollowingFile
from prominence.restapi.adapters.usage import SqliteUsage
from prominence.restapi.health.ports import Copied, Vitals
from prominence.restapi.meter import Meter
from prominence.restapi.objects import Reach
from prominence.restapi.orders import Desk
from prominence.restapi.ports import Identities, JobQueue, UsageStore
from prominence.restapi.selection import ANY_KIND, NOT_DONE, Kind, Selection
from prominence.restapi.services import Services
from prominence.restapi.settings import ImcSettings, RestApiSettings
from prominence.restapi.turns import Queued, Requests
from prominence.restapi.webhook_settings import WebhookSettings
from prominence.restapi.webhooks.records import Webhooks

if TYPE_CHECKING:
    from prominence.restapi.adapters.elasticsearch import Client
    from prominence.restapi.adapters.s3 import S3Objects
    from prominence.restapi.search_settings import ElasticsearchSettings


def services_of(settings: RestApiSettings) -> Services:
    """The services on real components. Raises Rejected for settings that cannot be."""
    secret = secret_of(settings.token_key_file)
    objects = _objects(settings, secret)
    store = EtcdKeyValue(settings.etcd_endpoints, tls=settings.etcd_tls)
    issued = IssuedTokens(secret, store)
    queue = HTCondorQueue(settings.archive.events_file)
    usage, copied = _usage(settings)
    vitals = replace(_vitals(settings), copied=copied)
    sandboxes = LocalSandboxes(settings.sandboxes_dir, settings.min_free_disk_mib)
    return Services(
        queue=queue,
        machines=HTCondorMachines(),
        desk=Desk(sandboxes, settings.most_waiting),
        archive=SqliteArchive(settings.archive.file, settings.archive.history_file),
        usage=usage,
        accounts=SqliteUsage(settings.archive.usage_file, settings.archive.history_file),
        vitals=vitals,
        sandboxes=sandboxes,
        identities=_identities(settings, [LocalTokens(secret), issued], store),
        store=store,
        site=settings.jobs.site(settings.workers_url.rstrip("/")),
        clock=lambda: datetime.now(UTC),
        new_uid=lambda: str(uuid.uuid4()),
        sign=issued.sign,
        token_limits=settings.tokens.limits(),
        requests=Requests(settings.requests_per_s, settings.requests_at_once, time.monotonic),
        queued=Queued(settings.jobs.max_queued, partial(jobs_of, queue, settings.jobs.max_idle), time.monotonic),
        kv=settings.kv.limits(),
        remember_s=settings.remember_s,
        objects=objects,
        job_tokens=SignedJobTokens(signing.key(secret.get_secret_value(), signing.OF_JOBS), lambda: datetime.now(UTC)),
        limits=settings.data.limits(),
        most_waiting=settings.most_waiting,
        served=objects if isinstance(objects, LocalObjects) else None,
        worker_tokens=_worker_tokens(settings.imc),
        budgets=settings.accounting.in_all(),
        addresses=settings.mail.addresses if settings.mail is not None else None,
        webhooks=_webhooks(settings.webhooks, secret),
        meter=_meter(),
    )


def _webhooks(settings: WebhookSettings | None, secret: SecretStr) -> Webhooks | None:
    if settings is None:
        return None
    return Webhooks(signing.key(secret.get_secret_value(), signing.OF_WEBHOOKS), settings.allowed, settings.most)


def _meter() -> Meter:
    """The library looks for the directory itself, when it is imported."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return Meter()
    from prominence.restapi.adapters.prometheus import RequestMeter

    return RequestMeter()


def secret_of(file: Path) -> SecretStr:
    """What the file holds. Raises Rejected."""
    try:
        return SecretStr(file.read_text("utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected.because(f"the secret cannot be read: {error}", str(file)) from error


def jobs_of(queue: JobQueue, max_idle: int, user: str, most: int) -> int:
    """How many jobs a user has in the queue, members of arrays among them, and those that their workflows may put
    there, each at most `max_idle`; not counted beyond `most`.
    """
    found = queue.count(Selection(user=user, kinds=ANY_KIND), most)
    if found >= most:
        return found
    workflows = queue.find(Selection(user=user, kinds=(Kind.WORKFLOW,), statuses=NOT_DONE))
    return min(most, found + sum(to_come(ad, max_idle) for ad in workflows))


def _identities(settings: RestApiSettings, kinds: list[Identities], store: KeyValue) -> TokenChain:
    if settings.oidc is not None:
        kinds.append(OidcTokens(settings.oidc))
    return TokenChain(kinds, store, settings.roles.appointments(), time.time)


def _vitals(settings: RestApiSettings) -> Vitals:
    archive = settings.archive
    files = {"archive": archive.file, "accounting": archive.usage_file}
    directories = {"jobs": settings.sandboxes_dir, "archive": archive.file.parent}
    if settings.data.store == "local":
        directories["objects"] = settings.data.directory
    return Vitals(
        daemons=HTCondorDaemons(),
        books={name: FollowingFile(file, archive.history_file) for name, file in files.items()},
        disks=LocalDisks(),
        directories=directories,
        kept_mib=settings.min_free_disk_mib,
        processes={
            "mail": settings.mail is not None,
            "webhooks": settings.webhooks is not None,
            "budgets": bool(settings.accounting.budgets),
            "retention": True,
            "metrics": False,  # not every site has a Prometheus
        },
        shares=tuple(one.share() for one in settings.accounting.shares),
        for_all=settings.roles.health_for_all,
    )


def _usage(settings: RestApiSettings) -> tuple[UsageStore, Copied | None]:
    files = settings.archive.usage_file, settings.archive.history_file
    elsewhere = settings.accounting.copied_to
    if elsewhere is None:
        return SqliteUsage(*files), None
    from prominence.restapi.adapters.elasticsearch import ElasticsearchUsage  # its library is only where it was chosen

    usage = ElasticsearchUsage(search_client(elsewhere), elsewhere.index, Sending(*files))
    return usage, usage


def search_client(settings: ElasticsearchSettings) -> Client:
    """Of the store of usage. Raises Rejected for credentials that cannot be read."""
    from prominence.restapi.adapters.elasticsearch import connect

    login = api_key = None
    if settings.user is not None and settings.password_file is not None:
        login = settings.user, secret_of(settings.password_file).get_secret_value()
    if settings.api_key_file is not None:
        api_key = secret_of(settings.api_key_file).get_secret_value()
    return connect(settings.urls, settings.ca_file, login, api_key)


def _worker_tokens(settings: ImcSettings | None) -> ImcWorkerTokens | None:
    return None if settings is None else ImcWorkerTokens(settings.url, secret_of(settings.token_file))


def _objects(settings: RestApiSettings, secret: SecretStr) -> LocalObjects | S3Objects:
    bases = {Reach.USERS: settings.url.rstrip("/"), Reach.WORKERS: settings.workers_url.rstrip("/")}
    s3 = settings.data.s3
    if settings.data.store == "local" or s3 is None:
        key = signing.key(secret.get_secret_value(), signing.OF_ADDRESSES)
        kept = units.bytes_of_mib(settings.min_free_disk_mib)
        return LocalObjects(settings.data.directory, key, bases, kept, lambda: datetime.now(UTC))
    from prominence.restapi.adapters.s3 import S3Objects  # its library is only where it was chosen

    endpoints = {Reach.USERS: s3.endpoint_url, Reach.WORKERS: s3.workers_endpoint_url or s3.endpoint_url}
    return S3Objects(endpoints, s3.region, s3.bucket, s3.access_key, secret_of(s3.secret_key_file))

"""The REST API's process: settings -> adapters -> app.

gunicorn --workers 2 --threads 128 --worker-class prominence.restapi.server.Worker 'prominence.restapi.main:create()'

HTCondor's library answers one call at a time in each process, and gRPC's threads do not survive a fork: so several
workers, and no --preload.
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask
from pydantic import SecretStr

from prominence.core import logs, units
from prominence.core.errors import Rejected
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.keyvalue.port import KeyValue
from prominence.core.settings import load
from prominence.restapi import signing
from prominence.restapi.adapters.archive import SqliteArchive
from prominence.restapi.adapters.chain import TokenChain
from prominence.restapi.adapters.htcondor import HTCondorMachines, HTCondorQueue
from prominence.restapi.adapters.issued_tokens import IssuedTokens
from prominence.restapi.adapters.job_tokens import SignedJobTokens
from prominence.restapi.adapters.local_objects import LocalObjects
from prominence.restapi.adapters.local_tokens import LocalTokens
from prominence.restapi.adapters.oidc import OidcTokens
from prominence.restapi.adapters.sandboxes import LocalSandboxes
from prominence.restapi.app import create_app
from prominence.restapi.objects import Reach
from prominence.restapi.ports import Identities, JobQueue
from prominence.restapi.selection import Selection
from prominence.restapi.services import Services
from prominence.restapi.settings import RestApiSettings
from prominence.restapi.turns import Queued, Requests

if TYPE_CHECKING:
    from prominence.restapi.adapters.s3 import S3Objects

log = logs.get(__name__)


def create() -> Flask:
    """What gunicorn serves. Raises Rejected for settings that cannot be."""
    settings = load(RestApiSettings, "restapi")
    logs.configure("restapi", settings.log_file, settings.log_level)
    app = create_app(services_of(settings), settings.max_body)
    log.info("started", sandboxes=str(settings.sandboxes_dir), etcd=list(settings.etcd_endpoints))
    return app


def services_of(settings: RestApiSettings) -> Services:
    """The services on real components. Raises Rejected for settings that cannot be."""
    secret = _secret(settings.token_key_file)
    objects = _objects(settings, secret)
    store = EtcdKeyValue(settings.etcd_endpoints)
    issued = IssuedTokens(secret, store)
    queue = HTCondorQueue(settings.archive.events_file)
    return Services(
        queue=queue,
        machines=HTCondorMachines(),
        archive=SqliteArchive(settings.archive.file, settings.archive.history_file),
        sandboxes=LocalSandboxes(settings.sandboxes_dir, settings.min_free_disk_mib),
        identities=_identities(settings, [LocalTokens(secret), issued], store),
        store=store,
        site=settings.jobs.site(settings.workers_url.rstrip("/")),
        clock=lambda: datetime.now(UTC),
        new_uid=lambda: str(uuid.uuid4()),
        sign=issued.sign,
        token_limits=settings.tokens.limits(),
        requests=Requests(settings.requests_per_s, settings.requests_at_once, time.monotonic),
        queued=Queued(settings.jobs.max_queued, partial(_jobs_of, queue), time.monotonic),
        kv=settings.kv.limits(),
        remember_s=settings.remember_s,
        objects=objects,
        job_tokens=SignedJobTokens(signing.key(secret.get_secret_value(), signing.OF_JOBS), lambda: datetime.now(UTC)),
        limits=settings.data.limits(),
        most_waiting=settings.most_waiting,
        served=objects if isinstance(objects, LocalObjects) else None,
    )


def _jobs_of(queue: JobQueue, user: str, most: int) -> int:
    return queue.count(Selection(user=user), most)


def _identities(settings: RestApiSettings, kinds: list[Identities], store: KeyValue) -> TokenChain:
    if settings.oidc is not None:
        kinds.append(OidcTokens(settings.oidc))
    return TokenChain(kinds, store, settings.roles.appointments(), time.time)


def _objects(settings: RestApiSettings, secret: SecretStr) -> LocalObjects | S3Objects:
    bases = {Reach.USERS: settings.url.rstrip("/"), Reach.WORKERS: settings.workers_url.rstrip("/")}
    s3 = settings.data.s3
    if settings.data.store == "local" or s3 is None:
        key = signing.key(secret.get_secret_value(), signing.OF_ADDRESSES)
        kept = units.bytes_of_mib(settings.min_free_disk_mib)
        return LocalObjects(settings.data.directory, key, bases, kept, lambda: datetime.now(UTC))
    from prominence.restapi.adapters.s3 import S3Objects  # its library is only where it was chosen

    endpoints = {Reach.USERS: s3.endpoint_url, Reach.WORKERS: s3.workers_endpoint_url or s3.endpoint_url}
    return S3Objects(endpoints, s3.region, s3.bucket, s3.access_key, _secret(s3.secret_key_file))


def _secret(file: Path) -> SecretStr:
    try:
        return SecretStr(file.read_text("utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected.because(f"the secret cannot be read: {error}", str(file)) from error
